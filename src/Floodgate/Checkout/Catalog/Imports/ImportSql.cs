using Floodgate.Access;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>Every statement of imports; their columns are migrated by <see cref="CatalogSql"/>.</summary>
internal static class ImportSql
{
    private static readonly Statement TakeTurn = new("select i.turn from catalog_import i {for update}");

    private static readonly Statement LockSales = new(
        $$"""
        select {{CatalogSql.SaleColumns}}, s.request_hash, s.imported_version
        from {rows} join sale s on s.owner = rows.owner and s.ref = rows.ref order by s.id {for update}
        """,
        Column.Text("owner"), Column.Text("ref"));

    private static readonly Statement SelectWithProducts = new(
        "select rows.id from {rows} where exists (select 1 from product p where p.sale_id = rows.id)", Column.Id("id"));

    private static readonly Statement LockProducts = new(
        $$"""
        select {{CatalogSql.ProductColumns}}, p.request_hash, p.imported_version
        from {rows} join product p on p.sale_id = rows.sale_id and p.ref = rows.ref order by p.id {for update}
        """,
        Column.Id("sale_id"), Column.Text("ref"));

    private static readonly Statement SelectSeatMaps = new(
        "select m.product_id, m.seat_rows from {rows} join seat_map m on m.product_id = rows.product_id",
        Column.Id("product_id"));

    private static readonly Column[] SaleRow =
    [
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("owner"), Column.Text("request_key"),
        Column.Text("request_hash"), Column.Text("name"), Column.Text("currency"), Column.Long("opens_ms"),
        Column.Long("ends_ms"), Column.Long("version"), Column.Text("ref"), Column.Long("imported_version"),
    ];

    private static readonly Column[] ProductRow =
    [
        Column.Id("id"), Column.Id("sale_id"), Column.Text("merchant_id"), Column.Text("owner"),
        Column.Text("request_key"), Column.Text("request_hash"), Column.Text("name"), Column.Text("kind"),
        Column.Long("capacity"), Column.Text("tiers"), Column.Long("limit_per_buyer"), Column.Text("commission_class"),
        Column.Long("is_withdrawn"), Column.Long("version"), Column.Text("ref"), Column.Long("imported_version"),
    ];

    private static readonly Column[] SeatMapRow = [Column.Id("product_id"), Column.Text("seat_rows")];

    private static readonly Statement UpdateSales = new(
        """
        update sale set name = rows.name, currency = rows.currency, opens_ms = rows.opens_ms, ends_ms = rows.ends_ms,
            request_hash = rows.request_hash, version = rows.version, imported_version = rows.version
        from {rows} where sale.id = rows.id
        """,
        Column.Id("id"), Column.Text("name"), Column.Text("currency"), Column.Long("opens_ms"),
        Column.Long("ends_ms"), Column.Text("request_hash"), Column.Long("version"));

    private static readonly Statement UpdateProducts = new(
        """
        update product set name = rows.name, tiers = rows.tiers, limit_per_buyer = rows.limit_per_buyer,
            commission_class = rows.commission_class, request_hash = rows.request_hash, version = rows.version,
            imported_version = rows.version
        from {rows} where product.id = rows.id
        """,
        Column.Id("id"), Column.Text("name"), Column.Text("tiers"), Column.Long("limit_per_buyer"),
        Column.Text("commission_class"), Column.Text("request_hash"), Column.Long("version"));

    /// <summary>Waits until no other import is under way, and is the one until the commit.</summary>
    public static async ValueTask TakeTurnAsync(Tx tx) => await tx.QueryAsync(TakeTurn, Rows.None, r => r.Long(0));

    /// <summary>The sales that were imported before, locked, by owner and ref.</summary>
    public static ValueTask<List<Stored<Sale>>> LockSalesAsync(
        Tx tx, IReadOnlyList<(string Owner, string Ref)> sales) => tx.QueryAsync(
        LockSales,
        Rows.Over(sales).Text(sale => sale.Owner).Text(sale => sale.Ref),
        r => new Stored<Sale>(CatalogSql.MapSale(r), r.Text(8), r.Long(9)));

    /// <summary>Those that have products.</summary>
    public static async ValueTask<HashSet<Guid>> WithProductsAsync(Tx tx, IReadOnlyList<Guid> saleIds) =>
        [.. await tx.QueryAsync(SelectWithProducts, Rows.Over(saleIds).Id(id => id), r => r.Id(0))];

    /// <summary>The products that were imported before, locked, by sale and ref.</summary>
    public static ValueTask<List<Stored<Product>>> LockProductsAsync(
        Tx tx, IReadOnlyList<(Guid SaleId, string Ref)> products) => tx.QueryAsync(
        LockProducts,
        Rows.Over(products).Id(product => product.SaleId).Text(product => product.Ref),
        r => new Stored<Product>(CatalogSql.MapProduct(r), r.Text(12), r.Long(13)));

    /// <summary>The seats of those that have them.</summary>
    public static async ValueTask<Dictionary<Guid, SeatRow[]>> SeatRowsAsync(Tx tx, IReadOnlyList<Guid> productIds) =>
        (await tx.QueryAsync(
            SelectSeatMaps,
            Rows.Over(productIds).Id(id => id),
            r => (Id: r.Id(0), Rows: CatalogSql.ReadRows(r.Text(1))))).ToDictionary(map => map.Id, map => map.Rows);

    /// <summary>Inserts sales that were planned.</summary>
    public static ValueTask InsertAsync(Tx tx, IReadOnlyList<SalePlan> plans) => tx.CopyAsync(
        "sale",
        SaleRow,
        Rows.Over(plans).Id(p => p.Sale.Id).Text(p => p.Sale.Terms.MerchantId)
            .Text(p => p.Sale.Terms.MerchantId ?? Buyer.Platform).Text(p => RequestKeyOf(p.Sale.Id))
            .Text(p => p.Hash).Text(p => p.Sale.Terms.Name).Text(p => p.Sale.Terms.Currency.Code)
            .Long(p => p.Sale.Terms.OpensMs).Long(p => p.Sale.Terms.EndsMs).Long(_ => 1).Text(p => p.Sale.Ref)
            .Long(_ => 1));

    /// <summary>Changes sales that are locked.</summary>
    public static void Update(Tx tx, IReadOnlyList<SalePlan> plans) => tx.Queue(
        UpdateSales,
        Rows.Over(plans).Id(p => p.Sale.Id).Text(p => p.Sale.Terms.Name).Text(p => p.Sale.Terms.Currency.Code)
            .Long(p => p.Sale.Terms.OpensMs).Long(p => p.Sale.Terms.EndsMs).Text(p => p.Hash)
            .Long(p => p.Sale.Version),
        plans.Count,
        "every locked sale is updated");

    /// <summary>Inserts products that were planned, with their seats.</summary>
    public static async ValueTask InsertAsync(Tx tx, List<ProductPlan> plans)
    {
        await tx.CopyAsync(
            "product",
            ProductRow,
            Rows.Over(plans).Id(p => p.Id).Id(p => p.Wanted.Made.SaleId).Text(p => p.Wanted.Made.MerchantId)
                .Text(p => p.Wanted.Made.MerchantId).Text(p => RequestKeyOf(p.Id)).Text(p => p.Wanted.Hash)
                .Text(p => p.Wanted.Made.Terms.Name).Text(p => p.Wanted.Made.Kind.ToString())
                .Long(p => p.Wanted.Made.Capacity).Text(p => CatalogSql.Write(p.Wanted.Made.Terms.Tiers))
                .Long(p => p.Wanted.Made.Terms.LimitPerBuyer ?? 0).Text(p => p.Wanted.Made.Terms.CommissionClass)
                .Flag(_ => false).Long(_ => 1).Text(p => p.Wanted.From.Ref).Long(_ => 1));
        var seated = plans.FindAll(p => p.Wanted.Made.Kind == ProductKind.Seats);
        await tx.CopyAsync(
            "seat_map", SeatMapRow, Rows.Over(seated).Id(p => p.Id).Text(p => CatalogSql.Write(p.Wanted.Made.Rows)));
    }

    /// <summary>Changes products that are locked.</summary>
    public static void Update(Tx tx, IReadOnlyList<ProductPlan> plans) => tx.Queue(
        UpdateProducts,
        Rows.Over(plans).Id(p => p.Id).Text(p => p.Product!.Terms.Name)
            .Text(p => CatalogSql.Write(p.Product!.Terms.Tiers)).Long(p => p.Product!.Terms.LimitPerBuyer ?? 0)
            .Text(p => p.Product!.Terms.CommissionClass).Text(p => p.Wanted.Hash).Long(p => p.Product!.Version),
        plans.Count,
        "every locked product is updated");

    // The column wants a key of a request that is used once; no client knows the id before.
    private static string RequestKeyOf(Guid id) => $"import {id}";
}
