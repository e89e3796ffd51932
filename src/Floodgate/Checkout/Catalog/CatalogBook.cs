using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>Who changes the catalogue: a merchant its own, an operator everything.</summary>
/// <param name="MerchantId">The merchant, or null for an operator.</param>
public readonly record struct Editor(string? MerchantId)
{
    /// <summary>True when a thing of this merchant (null: of the platform) is the editor's to change.</summary>
    public bool MayChange(string? merchantId) => MerchantId is null || MerchantId == merchantId;
}

/// <summary>Names one request of an editor, so that it is carried out once.</summary>
/// <param name="Owner">Whose keys these are: a merchant's id, or <c>platform</c>.</param>
/// <param name="Key">The <c>Idempotency-Key</c>.</param>
/// <param name="BodyHash">Tells a repeat from another request under the same key.</param>
public sealed record EditorKey(string Owner, string Key, string BodyHash);

/// <summary>What can come of a change to the catalogue, in the order in which it is checked.</summary>
public enum CatalogOutcome
{
    /// <summary>The request key was used for something else.</summary>
    KeyReused,

    /// <summary>Made before by the same request: the same answer again.</summary>
    Replayed,

    /// <summary>There is no such sale or product, or it is another merchant's.</summary>
    NotFound,

    /// <summary>Somebody changed it since it was read.</summary>
    VersionConflict,

    /// <summary>A sale with products: neither its currency nor its existence can change.</summary>
    InUse,

    /// <summary>The change would take away the price of seats.</summary>
    TierInUse,

    /// <summary>It is stored.</summary>
    Done,
}

/// <summary>A sale after a change; null when there is none to show.</summary>
public readonly record struct ChangedSale(CatalogOutcome Outcome, Sale? Sale);

/// <summary>A product after a change; null when there is none to show.</summary>
public readonly record struct ChangedProduct(CatalogOutcome Outcome, Product? Product);

/// <summary>A product to be made.</summary>
/// <param name="SaleId">Its sale.</param>
/// <param name="MerchantId">Who is paid for it.</param>
/// <param name="Terms">What is said of it.</param>
/// <param name="Stock">How many there are; for seats, 0.</param>
/// <param name="Rows">The seats; empty for stock.</param>
public sealed record NewProduct(
    Guid SaleId, string MerchantId, ProductTerms Terms, long Stock, IReadOnlyList<SeatRow> Rows)
{
    /// <summary>What is counted.</summary>
    public ProductKind Kind => Rows.Count > 0 ? ProductKind.Seats : ProductKind.Stock;

    /// <summary>How many there are.</summary>
    public long Capacity => Kind == ProductKind.Seats ? Rows.Sum(row => (long)row.Seats) : Stock;
}

/// <summary>
/// The catalogue: sales and what is sold in them. Changes name the version they were made on, so that two editors
/// never overwrite each other unseen. Availability is not kept here.
/// </summary>
public sealed class CatalogBook
{
    private const string Topic = "catalogue";

    private readonly Database database;
    private readonly Ids ids;
    private readonly SharedAnswers shared;
    private readonly News news;

    /// <summary>Listens to changes made on other nodes.</summary>
    public CatalogBook(Database database, Ids ids, SharedAnswers shared, News news)
    {
        (this.database, this.ids, this.shared, this.news) = (database, ids, shared, news);
        news.ListenIds(Topic, changed => Changed?.Invoke(changed[0]));
        news.Missed += () => Changed?.Invoke(Guid.Empty);
    }

    /// <summary>
    /// Called after every committed change, here or told by another node, with the id of the sale or product, and with
    /// none when some may have been missed: caches evict it.
    /// </summary>
    public event Action<Guid>? Changed;

    /// <summary>
    /// Makes a sale. Idempotent by the editor's request key. Outcomes: KeyReused, Replayed, Done.
    /// </summary>
    public ValueTask<ChangedSale> CreateAsync(
        SaleTerms terms, EditorKey key, CancellationToken cancel)
    {
        var sale = new Sale(ids.Next(), terms, 1);
        return database.WriteAsync(
            async tx =>
            {
                if (await CatalogSql.TryInsertAsync(tx, sale, key))
                {
                    Announce(tx, sale.Id);
                    return new ChangedSale(CatalogOutcome.Done, sale);
                }

                var before = await CatalogSql.SaleOfKeyAsync(tx, key);
                return before.BodyHash == key.BodyHash
                    ? new ChangedSale(CatalogOutcome.Replayed, before.Sale)
                    : new ChangedSale(CatalogOutcome.KeyReused, null);
            },
            cancel);
    }

    /// <summary>
    /// Changes a sale that is at <paramref name="version"/>. Locks it. Its currency stays once it has products.
    /// Outcomes: NotFound, VersionConflict, InUse, Done.
    /// </summary>
    public ValueTask<ChangedSale> UpdateAsync(
        Editor editor, Guid id, long version, SaleTerms terms, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var (refused, sale) = await CheckSaleAsync(tx, editor, id, version);
            if (refused is { } outcome)
            {
                return new ChangedSale(outcome, sale);
            }

            if (terms.Currency != sale!.Terms.Currency && await HasProductsAsync(tx, id))
            {
                return new ChangedSale(CatalogOutcome.InUse, sale);
            }

            // From here it must succeed.
            var next = sale with { Terms = terms with { MerchantId = sale.Terms.MerchantId } };
            CatalogSql.Update(tx, next);
            Announce(tx, id);
            return new ChangedSale(CatalogOutcome.Done, next with { Version = version + 1 });
        },
        cancel);

    /// <summary>
    /// Removes a sale that has no products. Locks it. Outcomes: NotFound, VersionConflict, InUse, Done.
    /// </summary>
    public ValueTask<CatalogOutcome> DeleteAsync(Editor editor, Guid id, long version, CancellationToken cancel) =>
        database.WriteAsync(
            async tx =>
            {
                var (refused, _) = await CheckSaleAsync(tx, editor, id, version);
                if (refused is { } outcome)
                {
                    return outcome;
                }

                if (await HasProductsAsync(tx, id))
                {
                    return CatalogOutcome.InUse;
                }

                CatalogSql.DeleteSaleOf(tx, id);
                Announce(tx, id);
                return CatalogOutcome.Done;
            },
            cancel);

    /// <summary>
    /// Makes a product in a sale. Locks the sale, so that none is removed beneath it. Idempotent by the editor's
    /// request key. Outcomes: KeyReused, Replayed, NotFound (the sale), Done.
    /// </summary>
    public ValueTask<ChangedProduct> CreateAsync(
        Editor editor, NewProduct made, EditorKey key, CancellationToken cancel)
    {
        var product = new Product(
            ids.Next(), made.SaleId, made.MerchantId, made.Kind, made.Capacity, made.Terms, IsWithdrawn: false, 1);
        return database.WriteAsync(
            async tx =>
            {
                var sale = await CatalogSql.LockSaleAsync(tx, made.SaleId);
                if (sale is null || !editor.MayChange(sale.Terms.MerchantId))
                {
                    return new ChangedProduct(CatalogOutcome.NotFound, null);
                }

                if (!await CatalogSql.TryInsertAsync(tx, product, key))
                {
                    var before = await CatalogSql.ProductOfKeyAsync(tx, key);
                    return before.BodyHash == key.BodyHash
                        ? new ChangedProduct(CatalogOutcome.Replayed, before.Product)
                        : new ChangedProduct(CatalogOutcome.KeyReused, null);
                }

                if (made.Kind == ProductKind.Seats)
                {
                    CatalogSql.Insert(tx, product.Id, made.Rows);
                }

                Announce(tx, product.Id);
                return new ChangedProduct(CatalogOutcome.Done, product);
            },
            cancel);
    }

    /// <summary>
    /// Changes a product that is at <paramref name="version"/>. Locks it. Prices of holds that were taken stay as
    /// they were. Outcomes: NotFound, VersionConflict, TierInUse, Done.
    /// </summary>
    public ValueTask<ChangedProduct> UpdateAsync(
        Editor editor, Guid id, long version, ProductTerms terms, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var (refused, product) = await CheckProductAsync(tx, editor, id, version);
            if (refused is { } outcome)
            {
                return new ChangedProduct(outcome, product);
            }

            var names = terms.Tiers.Select(tier => tier.Name).ToHashSet();
            var rows = await CatalogSql.SeatRowsAsync(tx, id);
            return rows.All(row => names.Contains(row.Tier))
                ? Change(tx, product! with { Terms = terms })
                : new ChangedProduct(CatalogOutcome.TierInUse, product);
        },
        cancel);

    /// <summary>
    /// Takes a product out of the sale; what is held or sold stays so. Locks it. A repeat changes nothing. Outcomes:
    /// NotFound, VersionConflict, Done.
    /// </summary>
    public ValueTask<ChangedProduct> WithdrawAsync(
        Editor editor, Guid id, long version, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var (refused, product) = await CheckProductAsync(tx, editor, id, version);
            return product is { IsWithdrawn: true } ? new ChangedProduct(CatalogOutcome.Done, product)
                : refused is { } outcome ? new ChangedProduct(outcome, product)
                : Change(tx, product! with { IsWithdrawn = true });
        },
        cancel);

    /// <summary>The sale, or null.</summary>
    public ValueTask<Sale?> FindSaleAsync(Guid id, CancellationToken cancel) =>
        database.ReadAsync(tx => CatalogSql.FindSaleAsync(tx, id), cancel);

    /// <summary>Sales after an id, by id: the order in which they were made, to the millisecond.</summary>
    public ValueTask<List<Sale>> SalesAsync(Guid after, int page, CancellationToken cancel) =>
        database.ReadAsync(tx => CatalogSql.SelectSalesAsync(tx, after, page), cancel);

    /// <summary>The product, or null.</summary>
    public async ValueTask<Product?> FindAsync(Guid id, CancellationToken cancel) =>
        (await database.ReadAsync(tx => CatalogSql.SelectAsync(tx, [id]), cancel)).FirstOrDefault();

    /// <summary>Products after an id, of one sale or, with null, of all.</summary>
    public ValueTask<List<Product>> ProductsAsync(Guid? saleId, Guid after, int page, CancellationToken cancel) =>
        database.ReadAsync(tx => CatalogSql.SelectPageAsync(tx, saleId, after, page), cancel);

    /// <summary>The commission classes of these products, as they are now.</summary>
    public static async ValueTask<Dictionary<Guid, string>> ClassesOfAsync(Tx tx, IReadOnlyList<Guid> productIds) =>
        (await CatalogSql.ClassesAsync(tx, productIds)).ToDictionary(p => p.Id, p => p.Class);

    /// <summary>The seats of a product in the order of its map; empty for stock.</summary>
    public ValueTask<IReadOnlyList<SeatRow>> SeatRowsAsync(Guid productId, CancellationToken cancel) =>
        database.ReadAsync(tx => CatalogSql.SeatRowsAsync(tx, productId), cancel);

    private static async ValueTask<(CatalogOutcome? Refused, Sale? Sale)> CheckSaleAsync(
        Tx tx, Editor editor, Guid id, long version)
    {
        var sale = await CatalogSql.LockSaleAsync(tx, id);
        return sale is null || !editor.MayChange(sale.Terms.MerchantId) ? (CatalogOutcome.NotFound, null)
            : sale.Version != version ? (CatalogOutcome.VersionConflict, sale)
            : (null, sale);
    }

    private static async ValueTask<(CatalogOutcome? Refused, Product? Product)> CheckProductAsync(
        Tx tx, Editor editor, Guid id, long version)
    {
        var product = await CatalogSql.LockAsync(tx, id);
        return product is null || !editor.MayChange(product.MerchantId) ? (CatalogOutcome.NotFound, null)
            : product.Version != version ? (CatalogOutcome.VersionConflict, product)
            : (null, product);
    }

    private static async ValueTask<bool> HasProductsAsync(Tx tx, Guid saleId) =>
        (await CatalogSql.SelectPageAsync(tx, saleId, Guid.Empty, 1)).Count > 0;

    private ChangedProduct Change(Tx tx, Product next)
    {
        CatalogSql.Update(tx, next);
        Announce(tx, next.Id);
        return new ChangedProduct(CatalogOutcome.Done, next with { Version = next.Version + 1 });
    }

    /// <summary>Tells of an import after its commit; one call is enough, since caches evict all.</summary>
    internal void AnnounceImport(Tx tx, Guid any) => Announce(tx, any);

    // Shared answers first: a node that hears of the change may not find an old one again.
    private void Announce(Tx tx, Guid id) => tx.OnCommitted(() =>
    {
        shared.Evict();
        Changed?.Invoke(id);
        news.TellIds(Topic, [id]);
    });
}
