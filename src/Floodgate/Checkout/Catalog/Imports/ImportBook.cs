using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>What an import does to a sale or product.</summary>
public enum ImportChange
{
    /// <summary>It is as the file says already, or was changed by hand since the same was imported.</summary>
    Unchanged,

    /// <summary>It is new.</summary>
    Created,

    /// <summary>It has a new version.</summary>
    Updated,
}

/// <summary>How many of a kind were made, changed and left.</summary>
public readonly record struct ImportCounts(int Created, int Updated, int Unchanged)
{
    internal static ImportCounts Of(IReadOnlyCollection<ImportChange> changes) => new(
        changes.Count(change => change == ImportChange.Created),
        changes.Count(change => change == ImportChange.Updated),
        changes.Count(change => change == ImportChange.Unchanged));
}

/// <summary>A sale after an import.</summary>
public sealed record ImportedSaleState(string Ref, Guid Id, long Version, ImportChange Change);

/// <summary>How an import ended: with faults nothing was imported.</summary>
/// <param name="Faults">The first of what is wrong; empty when it was imported, or could be.</param>
/// <param name="FaultCount">How many there are in all.</param>
/// <param name="Sales">How many sales.</param>
/// <param name="Products">How many products.</param>
/// <param name="SaleList">The sales of the file, in its order.</param>
public sealed record ImportResult(
    IReadOnlyList<ImportFault> Faults,
    int FaultCount,
    ImportCounts Sales,
    ImportCounts Products,
    IReadOnlyList<ImportedSaleState> SaleList)
{
    /// <summary>True when something was made or changed.</summary>
    public bool IsChanged => Sales.Created + Sales.Updated + Products.Created + Products.Updated > 0;
}

/// <summary>
/// Imports catalogues from files: all or nothing, in one transaction. A sale is known by its owner and ref, a product
/// by its sale and ref, so the same file again changes nothing.
/// </summary>
public sealed class ImportBook(Database database, CatalogBook book, ApiKeys keys, Ids ids)
{
    /// <summary>The format of a file by how it begins: an object is JSON.</summary>
    public static ImportFormat FormatOf(ReadOnlySpan<byte> file)
    {
        var start = file.StartsWith("\uFEFF"u8) ? file[3..] : file;
        return start.TrimStart(" \t\r\n"u8) is [(byte)'{' or (byte)'[', ..] ? ImportFormat.Json : ImportFormat.Csv;
    }

    /// <summary>
    /// Imports a file, or finds out what importing it would do. Imports come one after another, here and on other
    /// nodes. Idempotent by the refs. A thing whose row of the file is as it was imported last is left as it is, also
    /// when it was changed by hand since; a row that says something else changes it by the rules of PUT: on the
    /// version of the last import, or on the one that the row names.
    /// </summary>
    public async ValueTask<ImportResult> ImportAsync(
        Editor editor, ReadOnlyMemory<byte> bytes, ImportFormat format, bool isDryRun, CancellationToken cancel)
    {
        var faults = new FaultList();
        var file = ImportFile.Read(bytes.Span, format, editor, faults);
        if (faults.Count == 0)
        {
            await CheckMerchantsAsync(file, editor, faults, cancel);
        }

        return faults.Count > 0
            ? Refused(faults)
            : await database.WriteAsync(tx => ImportAsync(tx, editor, file, isDryRun), cancel);
    }

    // Merchants are never removed, so this need not be in the transaction.
    private async ValueTask CheckMerchantsAsync(
        ImportFile file, Editor editor, FaultList faults, CancellationToken cancel)
    {
        var sales = file.Sales.ToDictionary(sale => sale.Ref, sale => sale.Body);
        var named = file.Sales.Where(sale => sale.Body.MerchantId is not null)
            .Select(sale => (sale.Place, Id: sale.Body.MerchantId!))
            .Concat(file.Products.Select(product => (
                product.Place, Id: ImportFile.MerchantOf(product.Body, sales[product.SaleRef], editor)!)))
            .ToList();
        var asked = named.Select(one => one.Id).Distinct().ToList();
        var known = await keys.KnownAsync(asked.FindAll(id => Rows.CanKeep(id)), cancel);
        foreach (var (place, id) in named.Where(one => !known.Contains(one.Id)))
        {
            var (at, field) = place("merchantId");
            faults.Add(at, ImportCodes.UnknownMerchant, $"{field} is {id}, which is no merchant. Create it first.");
        }
    }

    private async ValueTask<ImportResult> ImportAsync(Tx tx, Editor editor, ImportFile file, bool isDryRun)
    {
        await ImportSql.TakeTurnAsync(tx); // So no other import makes what this one does not find.
        var faults = new FaultList();
        var sales = await PlanSalesAsync(tx, editor, file.Sales, faults);
        var products = await PlanProductsAsync(tx, editor, file.Products, sales, faults);
        if (faults.Count > 0)
        {
            return Refused(faults);
        }

        if (!isDryRun)
        {
            // From here it must succeed.
            await StoreAsync(tx, sales, products);
        }

        return new(
            [],
            0,
            ImportCounts.Of([.. sales.Select(sale => sale.Change)]),
            ImportCounts.Of([.. products.Select(product => product.Change)]),
            [.. sales.Select(plan => new ImportedSaleState(
                plan.From.Ref, plan.Sale.Id, plan.Sale.Version, plan.Change))]);
    }

    private static ImportResult Refused(FaultList faults) => new(faults.Told, faults.Count, default, default, []);

    private async ValueTask<List<SalePlan>> PlanSalesAsync(
        Tx tx, Editor editor, IReadOnlyList<ImportedSale> sales, FaultList faults)
    {
        var wanted = sales.Select(sale => (
            From: sale,
            Terms: CatalogRequests.TermsOf(sale.Body, ImportFile.OwnerOf(sale.Body, editor)),
            Hash: HashOf(sale.Body with { Version = null }, CatalogBodies.Default.SaleBody))).ToList();
        var stored = (await ImportSql.LockSalesAsync(tx, [.. wanted.Select(w => (OwnerOf(w.Terms), w.From.Ref))]))
            .ToDictionary(found => (OwnerOf(found.Thing.Terms), found.Thing.Ref!));
        var inUse = await ImportSql.WithProductsAsync(tx, [.. stored.Values.Select(found => found.Thing.Id)]);
        return wanted.ConvertAll(w =>
        {
            if (!stored.TryGetValue((OwnerOf(w.Terms), w.From.Ref), out var found))
            {
                return new SalePlan(w.From, new(ids.Next(), w.Terms, 1, w.From.Ref), w.Hash, ImportChange.Created);
            }

            if (found.Hash == w.Hash || found.Thing.Terms == w.Terms)
            {
                return new(w.From, found.Thing, w.Hash, ImportChange.Unchanged);
            }

            CheckVersion(w.From.Place, found, found.Thing.Version, w.From.Body.Version, faults);
            if (w.Terms.Currency != found.Thing.Terms.Currency && inUse.Contains(found.Thing.Id))
            {
                Add(faults, w.From.Place, CatalogProblems.InUse.Code, "currency",
                    $"is {w.Terms.Currency.Code}, but the sale has products in {found.Thing.Terms.Currency.Code}.");
            }

            var next = found.Thing with { Terms = w.Terms, Version = found.Thing.Version + 1 };
            return new(w.From, next, w.Hash, ImportChange.Updated);
        });
    }

    private async ValueTask<List<ProductPlan>> PlanProductsAsync(
        Tx tx, Editor editor, IReadOnlyList<ImportedProduct> products, List<SalePlan> sales, FaultList faults)
    {
        var saleOf = sales.ToDictionary(plan => plan.From.Ref);
        var wanted = products.Select(product =>
        {
            var sale = saleOf[product.SaleRef];
            var merchant = ImportFile.MerchantOf(product.Body, sale.From.Body, editor)!;
            var made = CatalogRequests.ProductOf(product.Body with { SaleId = sale.Sale.Id }, merchant);
            return new WantedProduct(product, made, HashOf(
                product.Body with { MerchantId = merchant }, CatalogBodies.Default.ProductBody));
        }).ToList();
        var stored = (await ImportSql.LockProductsAsync(tx, [.. wanted
            .Where(w => saleOf[w.From.SaleRef].Change != ImportChange.Created)
            .Select(w => (w.Made.SaleId, w.From.Ref))]))
            .ToDictionary(found => (found.Thing.SaleId, found.Thing.Ref!));
        var rows = await ImportSql.SeatRowsAsync(tx, [.. wanted
            .Where(w => stored.TryGetValue((w.Made.SaleId, w.From.Ref), out var found) && found.Hash != w.Hash)
            .Select(w => stored[(w.Made.SaleId, w.From.Ref)].Thing.Id)]);
        return wanted.ConvertAll(w => stored.TryGetValue((w.Made.SaleId, w.From.Ref), out var found)
            ? Plan(w, found, rows.GetValueOrDefault(found.Thing.Id, []), faults)
            : new ProductPlan(ids.Next(), w, null, ImportChange.Created));
    }

    private static ProductPlan Plan(
        WantedProduct wanted, Stored<Product> found, IReadOnlyList<SeatRow> rows, FaultList faults)
    {
        var (now, made) = (found.Thing, wanted.Made);
        if (found.Hash == wanted.Hash)
        {
            return new(now.Id, wanted, now, ImportChange.Unchanged);
        }

        // What is sold and to whom the money goes was promised to buyers.
        var isFixed = (now.MerchantId, now.Kind, now.Capacity) == (made.MerchantId, made.Kind, made.Capacity)
            && rows.SequenceEqual(made.Rows);
        if (!isFixed)
        {
            Add(faults, wanted.From.Place, ImportCodes.ProductFixed, "ref",
                $"is {wanted.From.Ref}, which has {now.Capacity} {(now.Kind == ProductKind.Seats ? "seats" : "units")} "
                    + $"of merchant {now.MerchantId}; number, seats and merchant stay. Take another ref for others.");
        }

        if (IsSame(now.Terms, made.Terms))
        {
            return new(now.Id, wanted, now, ImportChange.Unchanged);
        }

        CheckVersion(wanted.From.Place, found, now.Version, wanted.From.Version, faults);
        return new(now.Id, wanted, now with { Terms = made.Terms, Version = now.Version + 1 }, ImportChange.Updated);
    }

    // Records compare their lists by reference.
    private static bool IsSame(ProductTerms left, ProductTerms right) =>
        left with { Tiers = [] } == (right with { Tiers = [] }) && left.Tiers.SequenceEqual(right.Tiers);

    private static void CheckVersion<T>(Place place, Stored<T> found, long version, long? named, FaultList faults)
    {
        if (named is { } said ? said == version : found.ImportedVersion == version)
        {
            return;
        }

        Add(faults, place, CatalogProblems.VersionConflict.Code, "version", named is { } old
            ? $"is {old}, but somebody made it {version}. Read it again."
            : $"is {version}: somebody changed it since it was imported. Say version {version} to replace that.");
    }

    private static void Add(FaultList faults, Place place, string code, string field, string says)
    {
        var (at, name) = place(field);
        faults.Add(at, code, $"{name} {says}");
    }

    private async ValueTask StoreAsync(Tx tx, List<SalePlan> sales, List<ProductPlan> products)
    {
        await ImportSql.InsertAsync(tx, sales.FindAll(plan => plan.Change == ImportChange.Created));
        ImportSql.Update(tx, sales.FindAll(plan => plan.Change == ImportChange.Updated));
        await ImportSql.InsertAsync(tx, products.FindAll(plan => plan.Change == ImportChange.Created));
        ImportSql.Update(tx, products.FindAll(plan => plan.Change == ImportChange.Updated));
        if (sales.Exists(plan => plan.Change != ImportChange.Unchanged)
            || products.Exists(plan => plan.Change != ImportChange.Unchanged))
        {
            book.AnnounceImport(tx, sales[0].Sale.Id);
        }
    }

    private static string OwnerOf(SaleTerms terms) => terms.MerchantId ?? Buyer.Platform;

    private static string HashOf<T>(T said, JsonTypeInfo<T> type) =>
        Convert.ToHexString(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(said, type)));
}

/// <summary>A stored thing, what a file said of it last, and its version then.</summary>
internal sealed record Stored<T>(T Thing, string Hash, long ImportedVersion);

/// <summary>What is to be done with a sale; as it is then.</summary>
internal sealed record SalePlan(ImportedSale From, Sale Sale, string Hash, ImportChange Change);

/// <summary>A product as the file wants it.</summary>
internal sealed record WantedProduct(ImportedProduct From, NewProduct Made, string Hash);

/// <summary>What is to be done with a product; as it is then, null when it is new.</summary>
internal sealed record ProductPlan(Guid Id, WantedProduct Wanted, Product? Product, ImportChange Change);
