using System.Text.Json;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>Every statement of the catalogue.</summary>
internal static class CatalogSql
{
    public static readonly Migration[] Migrations =
    [
        new("catalog-001", """
            create table sale (
                id {id} primary key,
                merchant_id text,
                owner text not null,
                request_key text not null,
                request_hash text not null,
                name text not null,
                currency text not null,
                opens_ms bigint not null,
                ends_ms bigint not null,
                version bigint not null,
                check (ends_ms > opens_ms),
                unique (owner, request_key)
            ) {clustered} {room for updates};
            create table product (
                id {id} primary key,
                sale_id {id} not null references sale (id),
                merchant_id text not null,
                owner text not null,
                request_key text not null,
                request_hash text not null,
                name text not null,
                kind text not null,
                capacity bigint not null check (capacity >= 0),
                tiers text not null,
                limit_per_buyer bigint not null check (limit_per_buyer >= 0),
                commission_class text not null,
                is_withdrawn bigint not null,
                version bigint not null,
                unique (owner, request_key)
            ) {clustered} {room for updates};
            create index product_of_sale on product (sale_id, id);
            create table seat_map (
                product_id {id} primary key references product (id),
                seat_rows text not null
            ) {clustered}
            """),

        // What files call a sale or product, and its version after the last import; both null for those of routes.
        new("catalog-002", """
            alter table sale add column ref text;
            alter table sale add column imported_version bigint;
            alter table product add column ref text;
            alter table product add column imported_version bigint;
            create unique index sale_by_ref on sale (owner, ref);
            create unique index product_by_ref on product (sale_id, ref);
            create table catalog_import (turn bigint primary key);
            insert into catalog_import (turn) values (1)
            """),
    ];

    public const string SaleColumns =
        "s.id, s.merchant_id, s.name, s.currency, s.opens_ms, s.ends_ms, s.version, s.ref";

    public const string ProductColumns =
        """
        p.id, p.sale_id, p.merchant_id, p.kind, p.capacity, p.name, p.tiers, p.limit_per_buyer, p.commission_class,
        p.is_withdrawn, p.version, p.ref
        """;

    private static readonly Statement InsertSale = new(
        """
        insert into sale (id, merchant_id, owner, request_key, request_hash, name, currency, opens_ms, ends_ms,
            version)
        select rows.id, rows.merchant_id, rows.owner, rows.request_key, rows.request_hash, rows.name, rows.currency,
            rows.opens_ms, rows.ends_ms, 1
        from {rows} where true on conflict (owner, request_key) do nothing returning id
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("owner"), Column.Text("request_key"),
        Column.Text("request_hash"), Column.Text("name"), Column.Text("currency"),
        Column.Long("opens_ms"), Column.Long("ends_ms"));

    private static readonly Statement SelectSaleByKey = new(
        $$"""
        select {{SaleColumns}}, s.request_hash
        from {rows} join sale s on s.owner = rows.owner and s.request_key = rows.request_key
        """,
        Column.Text("owner"), Column.Text("request_key"));

    private static readonly Statement SelectSale = new(
        $$"""select {{SaleColumns}} from {rows} join sale s on s.id = rows.id""", Column.Id("id"));

    private static readonly Statement LockSale = new(
        $$"""select {{SaleColumns}} from {rows} join sale s on s.id = rows.id {for update}""", Column.Id("id"));

    private static readonly Statement SelectSales = new(
        $$"""
        select {{SaleColumns}} from sale s where s.id > (select rows.after from {rows})
        order by s.id limit (select rows.page from {rows})
        """,
        Column.Id("after"), Column.Long("page"));

    private static readonly Statement UpdateSale = new(
        """
        update sale set name = rows.name, currency = rows.currency, opens_ms = rows.opens_ms,
            ends_ms = rows.ends_ms, version = sale.version + 1
        from {rows} where sale.id = rows.id and sale.version = rows.version
        """,
        Column.Id("id"), Column.Long("version"), Column.Text("name"), Column.Text("currency"),
        Column.Long("opens_ms"), Column.Long("ends_ms"));

    private static readonly Statement DeleteSale = new(
        "delete from sale where id in (select rows.id from {rows})", Column.Id("id"));

    private static readonly Statement InsertProduct = new(
        """
        insert into product (id, sale_id, merchant_id, owner, request_key, request_hash, name, kind, capacity, tiers,
            limit_per_buyer, commission_class, is_withdrawn, version)
        select rows.id, rows.sale_id, rows.merchant_id, rows.owner, rows.request_key, rows.request_hash, rows.name,
            rows.kind, rows.capacity, rows.tiers, rows.limit_per_buyer, rows.commission_class, 0, 1
        from {rows} where true on conflict (owner, request_key) do nothing returning id
        """,
        Column.Id("id"), Column.Id("sale_id"), Column.Text("merchant_id"), Column.Text("owner"),
        Column.Text("request_key"), Column.Text("request_hash"), Column.Text("name"), Column.Text("kind"),
        Column.Long("capacity"), Column.Text("tiers"), Column.Long("limit_per_buyer"), Column.Text("commission_class"));

    private static readonly Statement InsertSeatMap = new(
        "insert into seat_map (product_id, seat_rows) select rows.product_id, rows.seat_rows from {rows}",
        Column.Id("product_id"), Column.Text("seat_rows"));

    private static readonly Statement SelectSeatMap = new(
        "select m.seat_rows from {rows} join seat_map m on m.product_id = rows.product_id", Column.Id("product_id"));

    private static readonly Statement SelectProductByKey = new(
        $$"""
        select {{ProductColumns}}, p.request_hash from {rows} join product p
            on p.owner = rows.owner and p.request_key = rows.request_key
        """,
        Column.Text("owner"), Column.Text("request_key"));

    private static readonly Statement SelectProducts = new(
        $$"""select {{ProductColumns}} from {rows} join product p on p.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectClasses = new(
        "select p.id, p.commission_class from {rows} join product p on p.id = rows.id", Column.Id("id"));

    private static readonly Statement LockProduct = new(
        $$"""select {{ProductColumns}} from {rows} join product p on p.id = rows.id {for update}""", Column.Id("id"));

    private static readonly Statement SelectPage = new(
        $$"""
        select {{ProductColumns}} from product p where p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page from {rows})
        """,
        Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectPageOfSale = new(
        $$"""
        select {{ProductColumns}} from product p where p.sale_id = (select rows.sale_id from {rows})
            and p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page from {rows})
        """,
        Column.Id("sale_id"), Column.Id("after"), Column.Long("page"));

    private static readonly Statement UpdateProduct = new(
        """
        update product set name = rows.name, tiers = rows.tiers, limit_per_buyer = rows.limit_per_buyer,
            commission_class = rows.commission_class, is_withdrawn = rows.is_withdrawn, version = product.version + 1
        from {rows} where product.id = rows.id and product.version = rows.version
        """,
        Column.Id("id"), Column.Long("version"), Column.Text("name"), Column.Text("tiers"),
        Column.Long("limit_per_buyer"), Column.Text("commission_class"), Column.Long("is_withdrawn"));

    /// <summary>False when the owner used the key before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, Sale sale, EditorKey key) =>
        (await tx.QueryAsync(
            InsertSale,
            Rows.One(sale).Id(s => s.Id).Text(s => s.Terms.MerchantId).Text(_ => key.Owner).Text(_ => key.Key)
                .Text(_ => key.BodyHash).Text(s => s.Terms.Name).Text(s => s.Terms.Currency.Code)
                .Long(s => s.Terms.OpensMs).Long(s => s.Terms.EndsMs),
            r => r.Id(0))).Count == 1;

    public static async ValueTask<(Sale Sale, string BodyHash)> SaleOfKeyAsync(Tx tx, EditorKey key) =>
        (await tx.QueryAsync(
            SelectSaleByKey, Rows.One(key).Text(k => k.Owner).Text(k => k.Key), r => (MapSale(r), r.Text(8))))[0];

    public static async ValueTask<Sale?> FindSaleAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(SelectSale, Rows.One(id).Id(i => i), MapSale)).FirstOrDefault();

    public static async ValueTask<Sale?> LockSaleAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(LockSale, Rows.One(id).Id(i => i), MapSale)).FirstOrDefault();

    public static ValueTask<List<Sale>> SelectSalesAsync(Tx tx, Guid after, int page) =>
        tx.QueryAsync(SelectSales, Rows.One(after).Id(a => a).Long(_ => page), MapSale);

    public static void Update(Tx tx, Sale sale) => tx.Queue(
        UpdateSale,
        Rows.One(sale).Id(s => s.Id).Long(s => s.Version).Text(s => s.Terms.Name)
            .Text(s => s.Terms.Currency.Code).Long(s => s.Terms.OpensMs).Long(s => s.Terms.EndsMs),
        1,
        "a locked sale is updated");

    public static void DeleteSaleOf(Tx tx, Guid id) => tx.Queue(DeleteSale, Rows.One(id).Id(i => i));

    /// <summary>False when the owner used the key before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, Product product, EditorKey key) =>
        (await tx.QueryAsync(
            InsertProduct,
            Rows.One(product).Id(p => p.Id).Id(p => p.SaleId).Text(p => p.MerchantId).Text(_ => key.Owner)
                .Text(_ => key.Key).Text(_ => key.BodyHash).Text(p => p.Terms.Name).Text(p => p.Kind.ToString())
                .Long(p => p.Capacity)
                .Text(p => Write(p.Terms.Tiers)).Long(p => p.Terms.LimitPerBuyer ?? 0)
                .Text(p => p.Terms.CommissionClass),
            r => r.Id(0))).Count == 1;

    public static ValueTask<List<(Guid Id, string Class)>> ClassesAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectClasses, Rows.Over(ids).Id(i => i), r => (r.Id(0), r.Text(1)));

    public static void Insert(Tx tx, Guid productId, IReadOnlyList<SeatRow> rows) => tx.Queue(
        InsertSeatMap, Rows.One(productId).Id(i => i).Text(_ => Write(rows)));

    public static async ValueTask<IReadOnlyList<SeatRow>> SeatRowsAsync(Tx tx, Guid productId) =>
        (await tx.QueryAsync(
            SelectSeatMap,
            Rows.One(productId).Id(i => i),
            r => ReadRows(r.Text(0)))).FirstOrDefault() ?? [];

    public static async ValueTask<(Product Product, string BodyHash)> ProductOfKeyAsync(Tx tx, EditorKey key) =>
        (await tx.QueryAsync(
            SelectProductByKey,
            Rows.One(key).Text(k => k.Owner).Text(k => k.Key),
            r => (MapProduct(r), r.Text(12))))[0];

    public static ValueTask<List<Product>> SelectAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectProducts, Rows.Over(ids).Id(i => i), MapProduct);

    public static async ValueTask<Product?> LockAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(LockProduct, Rows.One(id).Id(i => i), MapProduct)).FirstOrDefault();

    /// <summary>Products after an id, of one sale or, with null, of all.</summary>
    public static ValueTask<List<Product>> SelectPageAsync(Tx tx, Guid? saleId, Guid after, int page) =>
        saleId is { } sale
            ? tx.QueryAsync(SelectPageOfSale, Rows.One(sale).Id(s => s).Id(_ => after).Long(_ => page), MapProduct)
            : tx.QueryAsync(SelectPage, Rows.One(after).Id(a => a).Long(_ => page), MapProduct);

    public static void Update(Tx tx, Product product) => tx.Queue(
        UpdateProduct,
        Rows.One(product).Id(p => p.Id).Long(p => p.Version).Text(p => p.Terms.Name)
            .Text(p => Write(p.Terms.Tiers)).Long(p => p.Terms.LimitPerBuyer ?? 0)
            .Text(p => p.Terms.CommissionClass).Flag(p => p.IsWithdrawn),
        1,
        "a locked product is updated");

    public static SeatRow[] ReadRows(string stored) =>
        JsonSerializer.Deserialize(stored, CatalogStored.Default.SeatRowArray)!;

    public static string Write(IReadOnlyList<PriceTier> tiers) =>
        JsonSerializer.Serialize([.. tiers], CatalogStored.Default.PriceTierArray);

    public static string Write(IReadOnlyList<SeatRow> rows) =>
        JsonSerializer.Serialize([.. rows], CatalogStored.Default.SeatRowArray);

    public static Sale MapSale(Row r) => new(
        r.Id(0),
        new SaleTerms(r.TextOrNull(1), r.Text(2), Currency.FromStored(r.Text(3)), r.Long(4), r.Long(5)),
        r.Long(6),
        r.TextOrNull(7));

    public static Product MapProduct(Row r) => new(
        r.Id(0),
        r.Id(1),
        r.Text(2),
        Enum.Parse<ProductKind>(r.Text(3)),
        r.Long(4),
        new ProductTerms(
            r.Text(5),
            JsonSerializer.Deserialize(r.Text(6), CatalogStored.Default.PriceTierArray)!,
            r.Long(7) == 0 ? null : (int)r.Long(7),
            r.Text(8)),
        r.Flag(9),
        r.Long(10),
        r.TextOrNull(11));
}
