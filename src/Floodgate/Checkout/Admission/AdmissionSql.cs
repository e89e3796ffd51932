using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Admission;

/// <summary>Every statement about waiting rooms and tickets.</summary>
internal static class AdmissionSql
{
    // Ids are ordered by time, so their index grows at one end. State and place change in the row only.
    public static readonly Migration[] Migrations =
    [
        new("admission-001", """
            create table waiting_room (
                sale_id {id} primary key,
                is_enabled bigint not null,
                is_paused bigint not null,
                active_max bigint not null check (active_max > 0),
                pass_seconds bigint not null check (pass_seconds > 0),
                rate_min bigint not null check (rate_min > 0),
                rate_max bigint not null check (rate_max >= rate_min),
                version bigint not null
            ) {clustered};
            create table queue_ticket (
                sale_id {id} not null,
                buyer text {collate bytes} not null,
                id {id} not null unique,
                place bigint not null,
                state text not null check (state in ('WAITING', 'ACTIVE', 'USED', 'EXPIRED', 'LEFT')),
                admitted_ms bigint not null,
                expires_ms bigint not null,
                primary key (sale_id, buyer)
            ) {clustered} {room for updates};
            create table pass_key (
                id bigint primary key check (id = 1),
                secret {bytes} not null
            );
            """),

        // With several nodes the joins of a room are numbered in the order of their commits, so that each node can
        // read on where it stopped; alone nothing is numbered.
        new("admission-002", """
            alter table waiting_room add column joins bigint not null default 0;
            alter table waiting_room add column last_place bigint not null default 0;
            alter table queue_ticket add column joined bigint not null default 0;
            create index queue_ticket_joined on queue_ticket (sale_id, joined) where joined > 0
            """),
    ];

    private const string RoomColumns =
        """
        w.sale_id, s.merchant_id, s.opens_ms, s.ends_ms, w.is_enabled, w.is_paused, w.active_max, w.pass_seconds,
        w.rate_min, w.rate_max, w.version, w.joins
        """;

    private const string TicketColumns = "q.id, q.sale_id, q.buyer, q.place, q.state, q.expires_ms";

    private static readonly Statement InsertKey = new(
        """
        insert into pass_key (id, secret) select rows.id, rows.secret from {rows} where true
        on conflict (id) do nothing
        """,
        Column.Long("id"), Column.Bytes("secret"));

    private static readonly Statement SelectKey = new("select secret from pass_key where id = 1");

    private static readonly Statement SelectRooms = new(
        $$"""
        select {{RoomColumns}} from waiting_room w join sale s on s.id = w.sale_id
        where w.is_enabled = 1 and s.ends_ms > (select rows.since_ms from {rows})
        """,
        Column.Long("since_ms"));

    private static readonly Statement SelectRoom = new(
        $$"""
        select {{RoomColumns}} from {rows}
        join waiting_room w on w.sale_id = rows.sale_id join sale s on s.id = w.sale_id
        """,
        Column.Id("sale_id"));

    private static readonly Statement UpsertRoom = new(
        """
        insert into waiting_room (sale_id, is_enabled, is_paused, active_max, pass_seconds, rate_min, rate_max, version)
        select rows.sale_id, rows.is_enabled, rows.is_paused, rows.active_max, rows.pass_seconds, rows.rate_min,
            rows.rate_max, 1
        from {rows} where true on conflict (sale_id) do update set is_enabled = excluded.is_enabled,
            is_paused = excluded.is_paused, active_max = excluded.active_max, pass_seconds = excluded.pass_seconds,
            rate_min = excluded.rate_min, rate_max = excluded.rate_max, version = waiting_room.version + 1
        """,
        Column.Id("sale_id"), Column.Long("is_enabled"), Column.Long("is_paused"), Column.Long("active_max"),
        Column.Long("pass_seconds"), Column.Long("rate_min"), Column.Long("rate_max"));

    private static readonly Statement LockRoom = new(
        "select w.version from {rows} join waiting_room w on w.sale_id = rows.sale_id {for update}",
        Column.Id("sale_id"));

    private static readonly Statement PauseRoom = new(
        """
        update waiting_room set is_paused = rows.is_paused, version = waiting_room.version + 1
        from {rows} where waiting_room.sale_id = rows.sale_id and waiting_room.is_paused <> rows.is_paused
        """,
        Column.Id("sale_id"), Column.Long("is_paused"));

    // A live ticket stays; one that is over gives its row to the new one, which is another ticket.
    private static readonly Statement InsertTickets = new(
        """
        insert into queue_ticket (sale_id, buyer, id, place, state, admitted_ms, expires_ms, joined)
        select rows.sale_id, rows.buyer, rows.id, rows.place, 'WAITING', 0, 0, rows.joined
        from {rows} where true on conflict (sale_id, buyer) do update set id = excluded.id, place = excluded.place,
            state = excluded.state, admitted_ms = 0, expires_ms = 0, joined = excluded.joined
        where queue_ticket.state in ('USED', 'EXPIRED', 'LEFT') returning id
        """,
        Column.Id("sale_id"), Column.Text("buyer"), Column.Id("id"), Column.Long("place"), Column.Long("joined"));

    // Numbers and places of joins are given out under the lock of the room until the commit: whoever sees one sees all
    // that were given out before it. Once somebody stands in line the room has opened for every node.
    private static readonly Statement CountJoins = new(
        """
        update waiting_room set joins = waiting_room.joins + rows.tickets,
            last_place = case
                when waiting_room.last_place = 0 and rows.has_opened = 0 then 0
                when waiting_room.last_place > rows.place_before then waiting_room.last_place + rows.tickets
                else rows.place_before + rows.tickets end
        from {rows} where waiting_room.sale_id = rows.sale_id
        returning waiting_room.sale_id, waiting_room.joins, waiting_room.last_place
        """,
        Column.Id("sale_id"), Column.Long("tickets"), Column.Long("has_opened"), Column.Long("place_before"));

    private static readonly Statement SelectJoined = new(
        $$"""
        select {{TicketColumns}}, q.joined from {rows} join queue_ticket q on q.sale_id = rows.sale_id
            and q.joined > 0 and q.joined > rows.after and q.joined <= rows.up_to
        """,
        Column.Id("sale_id"), Column.Long("after"), Column.Long("up_to"));

    private static readonly Statement SelectOfBuyers = new(
        $$"""
        select {{TicketColumns}} from {rows} join queue_ticket q on q.sale_id = rows.sale_id and q.buyer = rows.buyer
        """,
        Column.Id("sale_id"), Column.Text("buyer"));

    private static readonly Statement SelectTickets = new(
        $$"""select {{TicketColumns}} from {rows} join queue_ticket q on q.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectLive = new(
        $$"""
        select {{TicketColumns}} from queue_ticket q where q.sale_id = (select rows.sale_id from {rows})
            and q.buyer > (select rows.after from {rows}) and q.state in ('WAITING', 'ACTIVE')
        order by q.buyer limit (select rows.page from {rows})
        """,
        Column.Id("sale_id"), Column.Text("after"), Column.Long("page"));

    private static readonly Statement AdmitTickets = new(
        """
        update queue_ticket set state = 'ACTIVE', admitted_ms = rows.admitted_ms, expires_ms = rows.expires_ms
        from {rows} where queue_ticket.id = rows.id and queue_ticket.state = 'WAITING' returning queue_ticket.id
        """,
        Column.Id("id"), Column.Long("admitted_ms"), Column.Long("expires_ms"));

    private static readonly Statement EndTickets = new(
        """
        update queue_ticket set state = rows.state
        from {rows} where queue_ticket.id = rows.id and queue_ticket.state in ('WAITING', 'ACTIVE')
        returning queue_ticket.id
        """,
        Column.Id("id"), Column.Text("state"));

    private static readonly Statement UseTickets = new(
        """
        update queue_ticket set state = 'USED'
        from {rows} where queue_ticket.id = rows.id and queue_ticket.state = 'ACTIVE'
            and queue_ticket.expires_ms > rows.now_ms
        returning queue_ticket.id
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement SelectActive = new(
        """
        select q.id from {rows} join queue_ticket q on q.id = rows.id
        where q.state = 'ACTIVE' and q.expires_ms > rows.now_ms
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement SelectOver = new(
        """
        select w.sale_id from waiting_room w left join sale s on s.id = w.sale_id
        where coalesce(s.ends_ms, 0) < (select rows.before_ms from {rows})
            and exists (select 1 from queue_ticket q where q.sale_id = w.sale_id)
        order by w.sale_id limit 1
        """,
        Column.Long("before_ms"));

    private static readonly Statement DeleteSome = new(
        """
        delete from queue_ticket where sale_id = (select rows.sale_id from {rows}) and buyer in (
            select q.buyer from queue_ticket q where q.sale_id = (select rows.sale_id from {rows})
            order by q.buyer limit (select rows.page from {rows}))
        returning 1
        """,
        Column.Id("sale_id"), Column.Long("page"));

    /// <summary>Keeps the key unless there is one; the one there is.</summary>
    public static async ValueTask<byte[]> KeepKeyAsync(Tx tx, byte[] fresh)
    {
        tx.Queue(InsertKey, Rows.One(fresh).Long(_ => 1).Bytes(key => key));
        return (await tx.QueryAsync(SelectKey, Rows.None, row => row.Bytes(0))).Single();
    }

    /// <summary>The rooms that are in force, of sales that end later than this.</summary>
    public static ValueTask<List<RoomTerms>> SelectRoomsAsync(Tx tx, long sinceMs) =>
        tx.QueryAsync(SelectRooms, Rows.One(sinceMs).Long(ms => ms), MapRoom);

    public static async ValueTask<RoomTerms?> FindRoomAsync(Tx tx, Guid saleId) =>
        (await tx.QueryAsync(SelectRoom, Rows.One(saleId).Id(id => id), MapRoom)).FirstOrDefault();

    /// <summary>The version of the room, which is locked; null without one.</summary>
    public static async ValueTask<long?> LockRoomAsync(Tx tx, Guid saleId) =>
        (await tx.QueryAsync(LockRoom, Rows.One(saleId).Id(id => id), row => (long?)row.Long(0))).FirstOrDefault();

    public static void Upsert(Tx tx, Guid saleId, RoomRules rules) => tx.Queue(
        UpsertRoom,
        Rows.One(rules).Id(_ => saleId).Flag(r => r.IsEnabled).Flag(r => r.IsPaused).Long(r => r.ActiveMax)
            .Long(r => r.PassSeconds).Long(r => r.PerSecondMin).Long(r => r.PerSecondMax));

    public static void Pause(Tx tx, Guid saleId, bool isPaused) =>
        tx.Queue(PauseRoom, Rows.One(saleId).Id(id => id).Flag(_ => isPaused));

    /// <summary>The ids of those that were inserted: the others' buyers have a live ticket.</summary>
    public static ValueTask<List<Guid>> InsertAsync(Tx tx, IReadOnlyList<Ticket> tickets) => tx.QueryAsync(
        InsertTickets,
        Rows.Over(tickets).Id(t => t.SaleId).Text(t => t.Buyer).Id(t => t.Id).Long(t => t.Place).Long(t => t.Joined),
        row => row.Id(0));

    /// <summary>
    /// Numbers joins: the last number and the last place of each room, 0 while places are drawn. Locks the rooms.
    /// </summary>
    public static async ValueTask<Dictionary<Guid, (long Joins, long LastPlace)>> CountJoinsAsync(
        Tx tx, IReadOnlyList<NewJoins> joins) => (await tx.QueryAsync(
        CountJoins,
        Rows.Over(joins).Id(j => j.SaleId).Long(j => j.Count).Flag(j => j.HasOpened).Long(j => j.PlaceBefore),
        row => (row.Id(0), (row.Long(1), row.Long(2))))).ToDictionary();

    /// <summary>Tickets of several rooms that joined after a number of each and up to another.</summary>
    public static ValueTask<List<Ticket>> SelectJoinedAsync(
        Tx tx, IReadOnlyList<(Guid SaleId, long After, long UpTo)> rooms) => tx.QueryAsync(
        SelectJoined,
        Rows.Over(rooms).Id(r => r.SaleId).Long(r => r.After).Long(r => r.UpTo),
        row => MapTicket(row) with { Joined = row.Long(6) });

    /// <summary>The tickets of the same buyers in the same sales.</summary>
    public static ValueTask<List<Ticket>> SelectOfBuyersAsync(Tx tx, IReadOnlyList<Ticket> others) => tx.QueryAsync(
        SelectOfBuyers, Rows.Over(others).Id(t => t.SaleId).Text(t => t.Buyer), MapTicket);

    public static ValueTask<List<Ticket>> SelectAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectTickets, Rows.Over(ids).Id(id => id), MapTicket);

    /// <summary>Live tickets of a sale after a buyer, by buyer.</summary>
    public static ValueTask<List<Ticket>> SelectLiveAsync(Tx tx, Guid saleId, string after, int page) => tx.QueryAsync(
        SelectLive, Rows.One(saleId).Id(id => id).Text(_ => after).Long(_ => page), MapTicket);

    /// <summary>Those that waited and are inside now.</summary>
    public static ValueTask<List<Guid>> AdmitAsync(Tx tx, IReadOnlyList<Guid> ids, long nowMs, long expiresMs) =>
        tx.QueryAsync(
            AdmitTickets,
            Rows.Over(Ordered(ids)).Id(id => id).Long(_ => nowMs).Long(_ => expiresMs),
            row => row.Id(0));

    /// <summary>Those that were live and are over now.</summary>
    public static ValueTask<List<Guid>> EndAsync(Tx tx, IReadOnlyList<Guid> ids, TicketState state) => tx.QueryAsync(
        EndTickets,
        Rows.Over(Ordered(ids)).Id(id => id).Text(_ => TicketStates.NameOf(state)),
        row => row.Id(0));

    /// <summary>Those that were active and in time, and are used now.</summary>
    public static ValueTask<List<Guid>> UseAsync(Tx tx, IReadOnlyList<Guid> ids, long nowMs) => tx.QueryAsync(
        UseTickets, Rows.Over(Ordered(ids)).Id(id => id).Long(_ => nowMs), row => row.Id(0));

    /// <summary>Those that are active and in time.</summary>
    public static ValueTask<List<Guid>> SelectActiveAsync(Tx tx, IReadOnlyList<Guid> ids, long nowMs) => tx.QueryAsync(
        SelectActive, Rows.Over(ids).Id(id => id).Long(_ => nowMs), row => row.Id(0));

    /// <summary>A sale that ended before this, or is gone, and still has tickets; null without one.</summary>
    public static async ValueTask<Guid?> FindOverAsync(Tx tx, long beforeMs) =>
        (await tx.QueryAsync(SelectOver, Rows.One(beforeMs).Long(ms => ms), row => (Guid?)row.Id(0))).FirstOrDefault();

    /// <summary>Deletes tickets of a sale, at most so many; how many it were.</summary>
    public static async ValueTask<int> DeleteSomeAsync(Tx tx, Guid saleId, int max) =>
        (await tx.QueryAsync(DeleteSome, Rows.One(saleId).Id(id => id).Long(_ => max), _ => 0)).Count;

    // Rows are locked in the order of their ids, so that two transactions do not wait for each other.
    private static Guid[] Ordered(IReadOnlyList<Guid> ids)
    {
        Guid[] ordered = [.. ids];
        Array.Sort(ordered);
        return ordered;
    }

    private static RoomTerms MapRoom(Row r) => new(
        r.Id(0),
        r.TextOrNull(1),
        r.Long(2),
        r.Long(3),
        new RoomRules(r.Flag(4), r.Flag(5), (int)r.Long(6), (int)r.Long(7), (int)r.Long(8), (int)r.Long(9)),
        r.Long(10),
        r.Long(11));

    private static Ticket MapTicket(Row r) => new(
        r.Id(0), r.Id(1), r.Text(2), r.Long(3), TicketStates.FromStored(r.Text(4)), r.Long(5));
}

/// <summary>So many tickets that join a room in one transaction.</summary>
/// <param name="SaleId">The room.</param>
/// <param name="Count">How many.</param>
/// <param name="HasOpened">Whether places follow arrival already, by the clock of this node.</param>
/// <param name="PlaceBefore">The place that theirs come after at the least.</param>
internal readonly record struct NewJoins(Guid SaleId, long Count, bool HasOpened, long PlaceBefore);
