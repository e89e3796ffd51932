using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;

namespace Floodgate.Checkout.Catalog.Imports;

/// <summary>A sale in a file: the body of its route with a name of its own and its products.</summary>
internal sealed record ImportSaleBody(
    string Ref,
    string Name,
    string Currency,
    DateTimeOffset OpensAt,
    DateTimeOffset EndsAt,
    string? MerchantId = null,
    long? Version = null,
    IReadOnlyList<JsonElement>? Products = null);

/// <summary>A product in a file.</summary>
internal sealed record ImportProductBody(
    string Ref,
    string Name,
    string? MerchantId = null,
    string? Currency = null,
    long? Stock = null,
    long? Price = null,
    IReadOnlyList<TierBody>? Tiers = null,
    IReadOnlyList<SeatRowBody>? Seats = null,
    int? LimitPerBuyer = null,
    string CommissionClass = "standard",
    long? Version = null);

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ImportSaleBody))]
[JsonSerializable(typeof(ImportProductBody))]
internal sealed partial class ImportBodies : JsonSerializerContext;

/// <summary>
/// Reads a JSON file. Each sale and each product is read by itself, so that a fault in one does not hide those of the
/// next.
/// </summary>
internal static class JsonImport
{
    private const string Shape = "The file must be one object with sales: an array of sales with their products.";

    /// <summary>What the file says.</summary>
    public static ImportFile Read(ReadOnlySpan<byte> bytes, FaultList faults)
    {
        var sales = new List<ImportedSale>();
        var products = new List<ImportedProduct>();
        using var document = TryParse(bytes, faults);
        if (document is null || SalesOf(document.RootElement, faults) is not { } elements)
        {
            return new(sales, products);
        }

        foreach (var (n, element) in elements.EnumerateArray().Index())
        {
            ReadSale(element, $"$.sales[{n}]", sales, products, faults);
        }

        return new(sales, products);
    }

    private static JsonDocument? TryParse(ReadOnlySpan<byte> bytes, FaultList faults)
    {
        try
        {
            return JsonDocument.Parse(bytes.ToArray());
        }
        catch (JsonException e)
        {
            faults.Add(
                $"line {e.LineNumber + 1}", ImportCodes.Malformed,
                $"The file is not JSON: byte {e.BytePositionInLine + 1} of the line cannot be read.");
            return null;
        }
    }

    private static JsonElement? SalesOf(JsonElement root, FaultList faults)
    {
        var fields = root.ValueKind == JsonValueKind.Object ? root.EnumerateObject().ToList() : [];
        if (fields is [{ Name: "sales", Value.ValueKind: JsonValueKind.Array } sales])
        {
            return sales.Value;
        }

        faults.Add("$", ImportCodes.InvalidBody, Shape);
        return null;
    }

    private static void ReadSale(
        JsonElement element,
        string path,
        List<ImportedSale> sales,
        List<ImportedProduct> products,
        FaultList faults)
    {
        var raw = JsonMarshal.GetRawUtf8Value(element);
        var sale = Body.Parse(raw, ImportBodies.Default.ImportSaleBody, path, out var fault);
        if (sale is null)
        {
            faults.Add(path, ImportCodes.InvalidBody, fault!);
        }
        else
        {
            sales.Add(new(
                PlaceAt(path),
                sale.Ref,
                new(sale.Name, sale.Currency, sale.OpensAt, sale.EndsAt, sale.MerchantId, sale.Version)));
        }

        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("products", out var list)
            || list.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        foreach (var (n, product) in list.EnumerateArray().Index())
        {
            ReadProduct(product, $"{path}.products[{n}]", sale?.Ref ?? path, products, faults);
        }
    }

    private static void ReadProduct(
        JsonElement element, string path, string saleRef, List<ImportedProduct> products, FaultList faults)
    {
        var raw = JsonMarshal.GetRawUtf8Value(element);
        if (Body.Parse(raw, ImportBodies.Default.ImportProductBody, path, out var fault) is not { } body)
        {
            faults.Add(path, ImportCodes.InvalidBody, fault!);
            return;
        }

        products.Add(new(
            PlaceAt(path),
            body.Ref,
            saleRef,
            new(
                Guid.Empty, body.Name, body.MerchantId, body.Stock, body.Price, body.Tiers, body.Seats,
                body.LimitPerBuyer, body.CommissionClass),
            body.Version,
            body.Currency));
    }

    private static Place PlaceAt(string path) => field => ($"{path}.{field}", field);
}
