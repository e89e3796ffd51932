using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>Every statement about what is available, held and sold.</summary>
internal static class HoldsSql
{
    // A pool is made with the first hold of its product; before that all of it is free. Its row is locked by whoever
    // takes, confirms or releases, so the other two tables of a product are only written under that lock; their keys
    // are the second fence. Seats: one bit for each, in the order of the map, set while it is held or sold.
    public static readonly Migration[] Migrations =
    [
        new("holds-001", """
            create table pool (
                product_id {id} primary key,
                sale_id {id} not null,
                capacity bigint not null,
                held bigint not null check (held >= 0),
                sold bigint not null check (sold >= 0),
                takes bigint not null,
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

    private static readonly Statement InsertPools = new(
        """
        insert into pool (product_id, sale_id, capacity, held, sold, takes, seats)
        select rows.product_id, rows.sale_id, rows.capacity, 0, 0, 0, rows.seats
        from {rows} where true on conflict (product_id) do nothing
        """,
        Column.Id("product_id"), Column.Id("sale_id"), Column.Long("capacity"), Column.Bytes("seats"));

    private static readonly Statement LockPools = new(
        """
        select p.product_id, p.capacity, p.held, p.sold, p.seats, p.takes
        from {rows} join pool p on p.product_id = rows.product_id order by p.product_id {for update}
        """,
        Column.Id("product_id"));

    private static readonly Statement HoldStock = new(
        """
        update pool set held = pool.held + rows.held, takes = rows.takes
        from {rows} where pool.product_id = rows.product_id
        """,
        Column.Id("product_id"), Column.Long("held"), Column.Long("takes"));

    private static readonly Statement HoldSeats = new(
        """
        update pool set held = pool.held + rows.held, takes = rows.takes, seats = rows.seats
        from {rows} where pool.product_id = rows.product_id
        """,
        Column.Id("product_id"), Column.Long("held"), Column.Long("takes"), Column.Bytes("seats"));

    private static readonly Statement MovePools = new(
        """
        update pool set held = pool.held + rows.held, sold = pool.sold + rows.sold
        from {rows} where pool.product_id = rows.product_id
        """,
        Column.Id("product_id"), Column.Long("held"), Column.Long("sold"));

    private static readonly Statement SetSeats = new(
        "update pool set seats = rows.seats from {rows} where pool.product_id = rows.product_id",
        Column.Id("product_id"), Column.Bytes("seats"));

    private static readonly Statement SelectShares = new(
        """
        select b.product_id, b.buyer, b.quantity from {rows}
        join buyer_share b on b.product_id = rows.product_id and b.buyer = rows.buyer
        """,
        Column.Id("product_id"), Column.Text("buyer"));

    private static readonly Statement SelectBuyers = new(
        """
        select b.buyer from buyer_share b where b.product_id = (select rows.product_id from {rows})
        limit (select rows.page from {rows})
        """,
        Column.Id("product_id"), Column.Long("page"));

    private static readonly Statement UpsertShares = new(
        """
        insert into buyer_share (product_id, buyer, quantity)
        select rows.product_id, rows.buyer, rows.quantity from {rows} where true
        on conflict (product_id, buyer) do update set quantity = excluded.quantity
        """,
        Column.Id("product_id"), Column.Text("buyer"), Column.Long("quantity"));

    private static readonly Statement GiveShares = new(
        """
        update buyer_share set quantity = buyer_share.quantity - rows.quantity
        from {rows} where buyer_share.product_id = rows.product_id and buyer_share.buyer = rows.buyer
        """,
        Column.Id("product_id"), Column.Text("buyer"), Column.Long("quantity"));

    private static readonly Statement InsertSeats = new(
        """
        insert into seat_taken (product_id, seat, order_id) select rows.product_id, rows.seat, rows.order_id from {rows}
        """,
        Column.Id("product_id"), Column.Long("seat"), Column.Id("order_id"));

    // SQLite has no "delete using", and PostgreSQL would read the whole table for the other.
    private static readonly Statement DeleteSeats = new(
        """
        delete from seat_taken using {rows} where seat_taken.product_id = rows.product_id
            and seat_taken.seat = rows.seat and seat_taken.order_id = rows.order_id
        """,
        """
        delete from seat_taken where (product_id, seat, order_id) in
            (select rows.product_id, rows.seat, rows.order_id from {rows})
        """,
        [Column.Id("product_id"), Column.Long("seat"), Column.Id("order_id")]);

    private static readonly Statement SelectStockOfProducts = new(
        """
        select p.id, p.kind, p.capacity, coalesce(o.held, 0), coalesce(o.sold, 0)
        from product p left join pool o on o.product_id = p.id
        where p.sale_id = (select rows.sale_id from {rows}) and p.is_withdrawn = 0 order by p.id
        """,
        Column.Id("sale_id"));

    private static readonly Statement SelectSeats = new(
        "select p.seats from {rows} join pool p on p.product_id = rows.product_id", Column.Id("product_id"));

    private static readonly Statement SelectPools = new(
        """
        select p.product_id, p.capacity, p.held, p.sold, p.seats, p.takes,
            (select count(*) from seat_taken s where s.product_id = p.product_id),
            (select coalesce(cast(sum(b.quantity) as bigint), 0) from buyer_share b where b.product_id = p.product_id)
        from pool p order by p.product_id
        """);

    /// <summary>Makes the pools that are not there yet, all of it free.</summary>
    public static void Create(Tx tx, IReadOnlyList<Offer> offers) => tx.Queue(
        InsertPools,
        Rows.Over(offers).Id(o => o.Product.Id).Id(o => o.Product.SaleId).Long(o => o.Product.Capacity)
            .Bytes(o => new byte[((o.Seats?.Count ?? 0) + 7) / 8]));

    public static ValueTask<List<Pool>> LockAsync(Tx tx, IReadOnlyList<Guid> productIds) => tx.QueryAsync(
        LockPools, Rows.Over(productIds).Id(i => i), Map);

    /// <summary>Locks them before the next statement.</summary>
    public static void Lock(Tx tx, IReadOnlyList<Guid> productIds) =>
        tx.Queue(LockPools, Rows.Over(productIds).Id(i => i));

    /// <summary>Adds to what is held, and writes the seats where they changed.</summary>
    public static void Hold(Tx tx, IReadOnlyList<(Pool Pool, long Held)> changed)
    {
        var stock = changed.Where(c => !c.Pool.AreSeatsChanged).ToList();
        var seats = changed.Where(c => c.Pool.AreSeatsChanged).ToList();
        tx.Queue(
            HoldStock,
            Rows.Over(stock).Id(c => c.Pool.ProductId).Long(c => c.Held).Long(c => c.Pool.Takes),
            stock.Count,
            "every locked pool is updated");
        tx.Queue(
            HoldSeats,
            Rows.Over(seats).Id(c => c.Pool.ProductId).Long(c => c.Held).Long(c => c.Pool.Takes)
                .Bytes(c => c.Pool.Seats.ToArray()),
            seats.Count,
            "every locked pool is updated");
    }

    /// <summary>Adds to what is held and sold.</summary>
    public static void Move(Tx tx, IReadOnlyList<(Guid ProductId, long Held, long Sold)> totals) => tx.Queue(
        MovePools,
        Rows.Over(totals).Id(t => t.ProductId).Long(t => t.Held).Long(t => t.Sold),
        totals.Count,
        "every pool that holds is there");

    public static void UpdateSeats(Tx tx, IReadOnlyList<Pool> pools) => tx.Queue(
        SetSeats,
        Rows.Over(pools).Id(p => p.ProductId).Bytes(p => p.Seats.ToArray()),
        pools.Count,
        "every locked pool is updated");

    public static ValueTask<List<BuyerShare>> SelectSharesAsync(
        Tx tx, IReadOnlyList<(Guid ProductId, string Buyer)> keys) => tx.QueryAsync(
        SelectShares,
        Rows.Over(keys).Id(k => k.ProductId).Text(k => k.Buyer),
        r => new BuyerShare(r.Id(0), r.Text(1), r.Long(2)));

    public static ValueTask<List<string>> SelectBuyersAsync(Tx tx, Guid productId, int most) => tx.QueryAsync(
        SelectBuyers, Rows.One(productId).Id(p => p).Long(_ => most), r => r.Text(0));

    public static void Upsert(Tx tx, IReadOnlyList<BuyerShare> shares) => tx.Queue(
        UpsertShares, Rows.Over(shares).Id(s => s.ProductId).Text(s => s.Buyer).Long(s => s.Quantity));

    /// <summary>Takes from the shares of buyers.</summary>
    public static void Give(Tx tx, IReadOnlyList<BuyerShare> shares) => tx.Queue(
        GiveShares,
        Rows.Over(shares).Id(s => s.ProductId).Text(s => s.Buyer).Long(s => s.Quantity),
        shares.Count,
        "whoever gives back has a share");

    public static void Insert(Tx tx, IReadOnlyList<TakenSeat> seats) => tx.Queue(
        InsertSeats, Rows.Over(seats).Id(s => s.ProductId).Long(s => s.Place).Id(s => s.OrderId));

    public static void Delete(Tx tx, IReadOnlyList<TakenSeat> seats) => tx.Queue(
        DeleteSeats,
        Rows.Over(seats).Id(s => s.ProductId).Long(s => s.Place).Id(s => s.OrderId),
        seats.Count,
        "a seat is given back by the order that has it");

    public static ValueTask<List<ProductStock>> SelectStockAsync(Tx tx, Guid saleId) => tx.QueryAsync(
        SelectStockOfProducts,
        Rows.One(saleId).Id(s => s),
        r => new ProductStock(r.Id(0), r.Text(1), r.Long(2), r.Long(3), r.Long(4)));

    /// <summary>The bits of a product's seats; null while nothing of it was ever held.</summary>
    public static async ValueTask<byte[]?> SelectSeatsAsync(Tx tx, Guid productId) =>
        (await tx.QueryAsync(SelectSeats, Rows.One(productId).Id(p => p), r => r.Bytes(0))).FirstOrDefault();

    /// <summary>Every pool. Its cost grows with what was ever sold.</summary>
    public static ValueTask<List<CountedPool>> SelectPoolsAsync(Tx tx) =>
        tx.QueryAsync(SelectPools, Rows.None, r => new CountedPool(Map(r), r.Long(6), r.Long(7)));

    private static Pool Map(Row r) => new(r.Id(0), r.Long(1), r.Long(2), r.Long(3), r.Bytes(4), r.Long(5));
}

/// <summary>A pool with the rows of its seats and the sum of its shares, for the checks.</summary>
internal sealed record CountedPool(Pool Pool, long Taken, long Shares);

/// <summary>What a buyer holds and owns of a product.</summary>
internal sealed record BuyerShare(Guid ProductId, string Buyer, long Quantity);

/// <summary>A seat that is held or sold, and by whom.</summary>
internal sealed record TakenSeat(Guid ProductId, int Place, Guid OrderId);
