using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>How a join ended, in the order in which it is checked.</summary>
internal enum JoinOutcome
{
    /// <summary>There are as many tickets as fit into memory.</summary>
    Full,

    /// <summary>Too many joins wait for their commit.</summary>
    Busy,

    /// <summary>The buyer has a live ticket: it is that one.</summary>
    Known,

    /// <summary>A new ticket, durable.</summary>
    Joined,
}

/// <summary>An outcome, with the ticket when there is one.</summary>
internal readonly record struct Join(JoinOutcome Outcome, Guid Ticket);

/// <summary>
/// Makes tickets and takes them back, each in a group commit: tickets that come together are one transaction. Only in
/// processes that serve the lines; those that share them take their places from the room's row, so there is one order.
/// </summary>
internal sealed class TicketBook : IAsyncDisposable
{
    private readonly WaitingRooms rooms;
    private readonly AdmissionTools tools;
    private readonly GroupCommit<Command, Join> joining;
    private readonly GroupCommit<Guid, bool> leaving;

    /// <summary>Starts the two group commits.</summary>
    public TicketBook(Database database, WaitingRooms rooms, AdmissionSettings settings, AdmissionTools tools)
    {
        (this.rooms, this.tools) = (rooms, tools);

        // One writer each: places are given out in the order of the commits, so the line never has to be sorted.
        GroupCommitLimits Limits(string name) => new(
            name, settings.QueueMax, settings.BatchMax, WritersMax: 1, settings.JoinGiveUpMs);
        joining = new(database, JoinAsync, Limits("join"), tools.Time);
        leaving = new(database, LeaveAsync, Limits("leave"), tools.Time);
    }

    /// <summary>
    /// Gives a buyer a ticket at the end of the line, or the live one there is: N concurrent calls make one ticket.
    /// Outcomes: Full, Busy, Known, Joined.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; ask again.</exception>
    public async ValueTask<Join> JoinAsync(Room room, string buyer)
    {
        if (rooms.RoomForTickets() <= joining.Waiting)
        {
            return new(JoinOutcome.Full, default);
        }

        return joining.TrySubmit(new(room, buyer, tools.Ids.NextSecret())) is { } joined
            ? await joined
            : new(JoinOutcome.Busy, default);
    }

    /// <summary>
    /// Gives a ticket up; its place is free at once. One that is over stays as it is. False when too many others wait.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; ask again.</exception>
    public async ValueTask<bool> LeaveAsync(Guid ticket) => leaving.TrySubmit(ticket) is { } left && await left;

    /// <summary>Finishes what was taken in.</summary>
    public async ValueTask DisposeAsync()
    {
        await joining.DisposeAsync();
        await leaving.DisposeAsync();
    }

    private async ValueTask<IReadOnlyList<Join>> JoinAsync(Tx tx, IReadOnlyList<Command> batch)
    {
        var now = UtcInstant.Now(tools.Time);
        var byBuyer = new Dictionary<(Guid SaleId, string Buyer), (Room Room, Ticket Ticket)>(batch.Count);
        foreach (var (room, buyer, id) in batch)
        {
            byBuyer.TryAdd((room.Terms.SaleId, buyer), (room, new(id, room.Terms.SaleId, buyer, Place: 0)));
        }

        await PlaceAsync(tx, byBuyer, now);
        var asked = byBuyer.Values.Select(one => one.Ticket).ToList();
        var inserted = (await AdmissionSql.InsertAsync(tx, asked)).ToHashSet();
        if (inserted.Count < asked.Count)
        {
            var others = asked.Where(ticket => !inserted.Contains(ticket.Id)).ToList();
            foreach (var stored in await AdmissionSql.SelectOfBuyersAsync(tx, others))
            {
                var key = (stored.SaleId, stored.Buyer);
                byBuyer[key] = byBuyer[key] with { Ticket = stored };
            }
        }

        tx.OnCommitted(() => Add(byBuyer.Values, inserted.Count));

        // The same id: it is this very command's ticket, also when a try before this one was committed unheard.
        return
        [
            .. batch.Select(command =>
            {
                var id = byBuyer[(command.Room.Terms.SaleId, command.Buyer)].Ticket.Id;
                return new Join(id == command.Id ? JoinOutcome.Joined : JoinOutcome.Known, id);
            }),
        ];
    }

    /// <summary>Gives them their places, in the order in which they came.</summary>
    private async ValueTask PlaceAsync(
        Tx tx, Dictionary<(Guid SaleId, string Buyer), (Room Room, Ticket Ticket)> joins, UtcInstant now)
    {
        foreach (var ofRoom in joins.GroupBy(one => one.Value.Room, one => one.Key).OrderBy(g => g.Key.Terms.SaleId))
        {
            var (room, count, n) = (ofRoom.Key, ofRoom.Count(), 0);
            var numbered = rooms.IsShared
                ? await AdmissionSql.CountJoinsAsync(tx, [room.Count(count, now)])
                : [];
            var isNumbered = numbered.TryGetValue(room.Terms.SaleId, out var last);
            foreach (var key in ofRoom.ToList())
            {
                var before = count - ++n; // So many come after it.
                var ticket = joins[key].Ticket;
                joins[key] = (room, isNumbered
                    ? ticket with
                    {
                        Joined = last.Joins - before,
                        Place = room.PlaceOf(last.LastPlace == 0 ? 0 : last.LastPlace - before),
                    }
                    : ticket with { Place = room.NextPlace(now) });
            }
        }
    }

    private void Add(IEnumerable<(Room Room, Ticket Ticket)> committed, int joins)
    {
        AdmissionLog.CountJoins(joins);
        foreach (var ofRoom in committed.GroupBy(one => one.Room, one => one.Ticket))
        {
            ofRoom.Key.Add([.. ofRoom.Where(ticket => !ticket.State.IsFinal())]);
        }

        rooms.Freed.Set();
        if (joins > 0)
        {
            rooms.TellJoined();
        }
    }

    private async ValueTask<IReadOnlyList<bool>> LeaveAsync(Tx tx, IReadOnlyList<Guid> batch)
    {
        var left = await AdmissionSql.EndAsync(tx, [.. batch.Distinct()], TicketState.Left);
        tx.OnCommitted(() =>
        {
            AdmissionLog.CountEnded(left.Count, "left");
            rooms.Apply(left, TicketState.Left);
        });
        return [.. batch.Select(_ => true)];
    }

    private readonly record struct Command(Room Room, string Buyer, Guid Id);
}
