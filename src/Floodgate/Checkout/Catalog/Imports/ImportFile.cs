using System.Text.Unicode;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>How a file is written.</summary>
public enum ImportFormat
{
    /// <summary>One object with <c>sales</c>, each with its <c>products</c>.</summary>
    Json,

    /// <summary>A line for each sale, product, tier and row of seats (RFC 4180).</summary>
    Csv,
}

/// <summary>Something that keeps a file from being imported.</summary>
/// <param name="At">Where: <c>line 12</c>, or a path such as <c>$.sales[0].name</c>.</param>
/// <param name="Code">Stable; see the README.</param>
/// <param name="Says">What is wrong and what to do.</param>
public sealed record ImportFault(string At, string Code, string Says);

/// <summary>All that is wrong with a file: the first hundred, and how many there are.</summary>
internal sealed class FaultList
{
    /// <summary>How many are told; more are only counted.</summary>
    public const int ToldMax = 100;

    private readonly List<ImportFault> told = [];

    public IReadOnlyList<ImportFault> Told => told;

    public int Count { get; private set; }

    public void Add(string at, string code, string says)
    {
        Count++;
        if (told.Count < ToldMax)
        {
            told.Add(new(at, code, says));
        }
    }
}

/// <summary>The codes of faults, beside those of the routes that do the same to one thing.</summary>
internal static class ImportCodes
{
    public const string NotUtf8 = "not_utf8";
    public const string Malformed = "malformed";
    public const string UnknownColumn = "unknown_column";
    public const string MissingColumn = "missing_column";
    public const string Duplicate = "duplicate";
    public const string TooMany = "too_many";
    public const string UnknownSale = "unknown_sale";
    public const string UnknownProduct = "unknown_product";
    public const string UnknownMerchant = "unknown_merchant";
    public const string MixedCurrencies = "mixed_currencies";
    public const string ProductFixed = "product_fixed";

    public static string InvalidField => Access.Problems.InvalidField.Code;

    public static string InvalidBody => Access.Problems.InvalidBody.Code;

    public static string Forbidden => Access.Problems.Forbidden.Code;
}

/// <summary>Where a field of a thing is in the file, and what it is called there.</summary>
internal delegate (string At, string Field) Place(string field);

/// <summary>A sale of a file.</summary>
/// <param name="Place">Where it is.</param>
/// <param name="Ref">What the file calls it.</param>
/// <param name="Body">What is said of it.</param>
internal sealed record ImportedSale(Place Place, string Ref, SaleBody Body);

/// <summary>A product of a file.</summary>
/// <param name="Place">Where it is.</param>
/// <param name="Ref">What the file calls it, within its sale.</param>
/// <param name="SaleRef">Its sale.</param>
/// <param name="Body">What is said of it; the id of its sale is not known yet.</param>
/// <param name="Version">The version that it changes, or null: the one after the last import.</param>
/// <param name="Currency">That of its sale, if it is said again.</param>
internal sealed record ImportedProduct(
    Place Place, string Ref, string SaleRef, ProductBody Body, long? Version, string? Currency);

/// <summary>What a file says, as far as it can be read; what cannot is among the faults.</summary>
internal sealed record ImportFile(IReadOnlyList<ImportedSale> Sales, IReadOnlyList<ImportedProduct> Products)
{
    public const int SalesMax = 1_000;
    public const int ProductsMax = 20_000;
    private const int RefLengthMax = 64;

    /// <summary>Reads and checks a file, as far as that can be done without what is stored.</summary>
    public static ImportFile Read(ReadOnlySpan<byte> bytes, ImportFormat format, Editor editor, FaultList faults)
    {
        bytes = bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        if (!IsUtf8(bytes, faults))
        {
            return new([], []);
        }

        var file = format == ImportFormat.Csv ? CsvImport.Read(bytes, faults) : JsonImport.Read(bytes, faults);
        file.Check(editor, faults);
        return file;
    }

    /// <summary>The merchant whose sale it is; null for the platform's.</summary>
    public static string? OwnerOf(SaleBody sale, Editor editor) => sale.MerchantId ?? editor.MerchantId;

    /// <summary>Who is paid for a product; null when nobody is named.</summary>
    public static string? MerchantOf(ProductBody product, SaleBody sale, Editor editor) =>
        product.MerchantId ?? OwnerOf(sale, editor);

    // A line at a time, because no character of UTF-8 has the byte of a line's end in it.
    private static bool IsUtf8(ReadOnlySpan<byte> bytes, FaultList faults)
    {
        var line = 0;
        foreach (var range in bytes.Split((byte)'\n'))
        {
            line++;
            if (!Utf8.IsValid(bytes[range]))
            {
                faults.Add($"line {line}", ImportCodes.NotUtf8, "It is not UTF-8. Save the file as UTF-8.");
            }
            else if (bytes[range].Contains((byte)0))
            {
                faults.Add($"line {line}", ImportCodes.NotUtf8, "It has the character U+0000. Save the file as UTF-8.");
            }
        }

        return faults.Count == 0;
    }

    private void Check(Editor editor, FaultList faults)
    {
        if (Sales.Count > SalesMax || Products.Count > ProductsMax)
        {
            faults.Add("file", ImportCodes.TooMany,
                $"It has {Sales.Count} sales and {Products.Count} products; at most {SalesMax} and {ProductsMax} are "
                    + "imported at once. Divide it.");
            return;
        }

        if (Sales.Count == 0 && faults.Count == 0)
        {
            faults.Add("file", ImportCodes.Malformed, "It has no sale in it.");
        }

        var sales = new Dictionary<string, SaleBody>(StringComparer.Ordinal);
        foreach (var sale in Sales)
        {
            Check(sale, editor, faults);
            if (!sales.TryAdd(sale.Ref, sale.Body))
            {
                Add(faults, sale.Place, ImportCodes.Duplicate, "ref", $"is {sale.Ref} a second time: two sales.");
            }
        }

        var products = new HashSet<(string, string)>();
        foreach (var product in Products)
        {
            if (sales.TryGetValue(product.SaleRef, out var sale))
            {
                Check(product, sale, editor, faults);
            }

            if (!products.Add((product.SaleRef, product.Ref)))
            {
                Add(faults, product.Place, ImportCodes.Duplicate, "ref",
                    $"is {product.Ref} a second time in sale {product.SaleRef}: two products.");
            }
        }
    }

    private static void Check(ImportedSale sale, Editor editor, FaultList faults)
    {
        CheckRef(sale.Place, sale.Ref, faults);
        CheckMerchant(sale.Place, sale.Body.MerchantId, editor, faults);
        foreach (var fault in CatalogRequests.FaultsOf(sale.Body))
        {
            Add(faults, sale.Place, ImportCodes.InvalidField, fault.Field, fault.Says);
        }
    }

    private static void Check(ImportedProduct product, SaleBody sale, Editor editor, FaultList faults)
    {
        CheckRef(product.Place, product.Ref, faults);
        CheckMerchant(product.Place, product.Body.MerchantId, editor, faults);
        foreach (var fault in CatalogRequests.FaultsOf(product.Body))
        {
            Add(faults, product.Place, ImportCodes.InvalidField, fault.Field, fault.Says);
        }

        if (MerchantOf(product.Body, sale, editor) is null)
        {
            Add(faults, product.Place, ImportCodes.InvalidField, "merchantId",
                "is needed from an operator, here or at the sale: who is paid for the product.");
        }

        // One order is one payment, so one currency.
        if (product.Currency is { } currency && currency != sale.Currency)
        {
            Add(faults, product.Place, ImportCodes.MixedCurrencies, "currency",
                $"is {currency}, but sale {product.SaleRef} is in {sale.Currency}. A sale has one currency.");
        }
    }

    private static void CheckRef(Place place, string name, FaultList faults)
    {
        if (Names.FaultOf(name, RefLengthMax) is { } fault)
        {
            Add(faults, place, ImportCodes.InvalidField, "ref", $"{fault}.");
        }
    }

    private static void CheckMerchant(Place place, string? merchantId, Editor editor, FaultList faults)
    {
        if (merchantId is not null && !editor.MayChange(merchantId))
        {
            Add(faults, place, ImportCodes.Forbidden, "merchantId",
                $"is {merchantId}, but the file is imported for {editor.MerchantId}.");
        }
    }

    private static void Add(FaultList faults, Place place, string code, string field, string says)
    {
        var (at, name) = place(field);
        faults.Add(at, code, $"{name} {says}");
    }
}
