using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>Every statement of the rankings.</summary>
internal static class RankingSql
{
    /// <summary>Rows deleted at a time, so that counting waits little for a sweep.</summary>
    public const int SweepMax = 5_000;

    // The minute leads: both rankings read a stretch of time, and a sweep takes one away.
    public static readonly Migration[] Migrations =
    [
        new("ranking-001", """
            create table ranking_event (
                id {id} primary key
            ) {clustered};
            create table product_sold_minute (
                minute bigint not null,
                product_id {id} not null,
                units bigint not null,
                primary key (minute, product_id)
            ) {clustered} {room for updates};
            create table product_sold (
                product_id {id} primary key,
                units bigint not null,
                sold_out_ms bigint
            ) {clustered} {room for updates}
            """),
    ];

    private static readonly Statement InsertEvents = new(
        "insert into ranking_event (id) select rows.id from {rows} where true on conflict (id) do nothing returning id",
        Column.Id("id"));

    private static readonly Statement AddMinutes = new(
        """
        insert into product_sold_minute (minute, product_id, units)
        select rows.minute, rows.product_id, rows.units from {rows} where true
        on conflict (minute, product_id) do update set units = product_sold_minute.units + excluded.units
        """,
        Column.Long("minute"), Column.Id("product_id"), Column.Long("units"));

    private static readonly Statement AddTotals = new(
        """
        insert into product_sold (product_id, units) select rows.product_id, rows.units from {rows} where true
        on conflict (product_id) do update set units = product_sold.units + excluded.units
        """,
        Column.Id("product_id"), Column.Long("units"));

    // A product that is given back and sold again is sold out at the later moment. One that the catalogue does not know
    // is never sold out.
    private static readonly Statement MarkSoldOut = new(
        """
        update product_sold set sold_out_ms = case
            when product_sold.units >= (select p.capacity from product p where p.id = product_sold.product_id)
                then coalesce(product_sold.sold_out_ms, rows.at_ms)
            else null end
        from {rows} where product_sold.product_id = rows.product_id
        """,
        Column.Id("product_id"), Column.Long("at_ms"));

    private static readonly Statement SelectMinutes = new(
        """
        select m.minute, m.product_id, p.sale_id, p.name, s.sold_out_ms, m.units
        from product_sold_minute m
        join product p on p.id = m.product_id
        join product_sold s on s.product_id = m.product_id
        where m.minute >= (select rows.first_minute from {rows}) and p.is_withdrawn = 0
        """,
        Column.Long("first_minute"));

    private static readonly Statement SelectTop = new(
        """
        select t.product_id, p.sale_id, p.name, s.sold_out_ms, t.units
        from (
            select m.product_id, cast(sum(m.units) as bigint) as units from product_sold_minute m
            where m.minute >= (select rows.first_minute from {rows}) group by m.product_id) t
        join product p on p.id = t.product_id
        join product_sold s on s.product_id = t.product_id
        where t.units > 0 and p.is_withdrawn = 0
        order by t.units desc, t.product_id limit (select rows.top_max from {rows})
        """,
        Column.Long("first_minute"), Column.Long("top_max"));

    private static readonly Statement DeleteMinutes = new(
        """
        delete from product_sold_minute where minute < (select rows.first_minute from {rows}) returning 1
        """,
        Column.Long("first_minute"));

    private static readonly Statement DeleteEvents = new(
        """
        delete from ranking_event where id in (
            select e.id from ranking_event e where e.id < (select rows.first_id from {rows})
            order by e.id limit (select rows.sweep_max from {rows}))
        returning 1
        """,
        Column.Id("first_id"), Column.Long("sweep_max"));

    /// <summary>Takes note of events; those that were not counted before.</summary>
    public static async ValueTask<HashSet<Guid>> InsertAsync(Tx tx, IReadOnlyList<Sold> events) =>
        [.. await tx.QueryAsync(InsertEvents, Rows.Over(events).Id(e => e.Id), r => r.Id(0))];

    public static void Add(Tx tx, IReadOnlyList<MinuteCount> counts) => tx.Queue(
        AddMinutes, Rows.Over(counts).Long(c => c.Minute).Id(c => c.ProductId).Long(c => c.Units));

    /// <summary>Adds to the products' totals and marks those that are sold out by it, or not any more.</summary>
    public static void Add(Tx tx, IReadOnlyList<(Guid ProductId, long Units, long LastMs)> totals)
    {
        tx.Queue(AddTotals, Rows.Over(totals).Id(t => t.ProductId).Long(t => t.Units));
        tx.Queue(MarkSoldOut, Rows.Over(totals).Id(t => t.ProductId).Long(t => t.LastMs));
    }

    public static ValueTask<List<(long Minute, RankedProduct Product, long Units)>> SelectMinutesAsync(
        Tx tx, long firstMinute) => tx.QueryAsync(
            SelectMinutes,
            Rows.One(firstMinute).Long(m => m),
            r => (r.Long(0), new RankedProduct(r.Id(1), r.Id(2), r.Text(3), At(r.LongOrNull(4))), r.Long(5)));

    public static ValueTask<List<TopSeller>> SelectTopAsync(Tx tx, long firstMinute, int max) => tx.QueryAsync(
        SelectTop,
        Rows.One(firstMinute).Long(m => m).Long(_ => max),
        r => new TopSeller(new RankedProduct(r.Id(0), r.Id(1), r.Text(2), At(r.LongOrNull(3))), r.Long(4)));

    public static async ValueTask<int> DeleteMinutesAsync(Tx tx, long firstMinute) =>
        (await tx.QueryAsync(DeleteMinutes, Rows.One(firstMinute).Long(m => m), _ => 0)).Count;

    public static async ValueTask<int> DeleteEventsAsync(Tx tx, Guid firstId) =>
        (await tx.QueryAsync(DeleteEvents, Rows.One(firstId).Id(i => i).Long(_ => SweepMax), _ => 0)).Count;

    private static UtcInstant? At(long? ms) => ms is { } known ? new UtcInstant(known) : null;
}
