using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>Every statement about what is available, held and sold.</summary>
internal static class HoldsSql
{
    // A pool is made with the first hold of its product; before that all of it is free. Its row is locked by whoever
    // takes, confirms or releases, so the other two tables of a product are only written under that lock; their keys are
    // the second fence. Seats: one bit for each, in the order of the map, set while it is held or sold.
    public static readonly Migration[] Migrations =
    [
        new("holds-001", """
            create table pool (
                product_id {id} primary key,
                sale_id {id} not null,
                capacity bigint not null,
                held bigint not null check (held >= 0),
                sold bigint not null check (sold >= 0),
                seats {bytes} not null,
                check (held + sold <= capacity)
            ) {clustered} {room for updates};
            create index pool_of_sale on pool (sale_id);
            create table buyer_share (
                product_id {id} not null,
                buyer text not null,
                quantity bigint not null check (quantity >= 0),
                primary key (product_id, buyer)
            ) {clustered} {room for updates};
            create table seat_taken (
                product_id {id} not null,
                seat bigint not null,
                order_id {id} not null,
                primary key (product_id, seat)
            ) {clustered}
            """),
    ];

    private static readonly Statement SelectStock = new(
        """
        select coalesce(cast(sum(p.capacity) as bigint), 0), coalesce(cast(sum(o.held) as bigint), 0),
            coalesce(cast(sum(o.sold) as bigint), 0)
        from product p left join pool o on o.product_id = p.id
        where p.sale_id = (select rows.sale_id from {rows}) and p.is_withdrawn = 0
        """,
        Column.Id("sale_id"));

    public static async ValueTask<SaleStock> SelectStockAsync(Tx tx, Guid saleId) => (await tx.QueryAsync(
        SelectStock,
        Rows.One(saleId).Id(s => s),
        r => new SaleStock(r.Long(0), r.Long(1), r.Long(2))))[0];
}
