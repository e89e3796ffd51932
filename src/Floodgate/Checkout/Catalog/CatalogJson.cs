using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>The body of <c>POST /v1/sales</c> and, with the version it was read at, of <c>PUT</c>.</summary>
internal sealed record SaleBody(
    string Name,
    string Currency,
    DateTimeOffset OpensAt,
    DateTimeOffset EndsAt,
    string? MerchantId = null,
    long? Version = null);

/// <summary>A price in a body.</summary>
internal sealed record TierBody(string Name, long Amount);

/// <summary>A row of seats in a body.</summary>
internal sealed record SeatRowBody(string Section, string Row, int Seats, string Tier);

/// <summary>The body of <c>POST /v1/products</c>: stock with a price, or tiers and rows of seats.</summary>
internal sealed record ProductBody(
    Guid SaleId,
    string Name,
    string? MerchantId = null,
    long? Stock = null,
    long? Price = null,
    IReadOnlyList<TierBody>? Tiers = null,
    IReadOnlyList<SeatRowBody>? Seats = null,
    int? LimitPerBuyer = null,
    string CommissionClass = "standard");

/// <summary>The body of <c>PUT /v1/products/{id}</c>.</summary>
internal sealed record ProductChangeBody(
    long Version,
    string Name,
    long? Price = null,
    IReadOnlyList<TierBody>? Tiers = null,
    int? LimitPerBuyer = null,
    string CommissionClass = "standard");

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SaleBody))]
[JsonSerializable(typeof(ProductBody))]
[JsonSerializable(typeof(ProductChangeBody))]
internal sealed partial class CatalogBodies : JsonSerializerContext;

/// <summary>What the tables keep as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PriceTier[]))]
[JsonSerializable(typeof(SeatRow[]))]
internal sealed partial class CatalogStored : JsonSerializerContext;

/// <summary>Sales and products as the API shows them.</summary>
internal static class CatalogJson
{
    /// <summary>A sale at a moment.</summary>
    public static void Write(Utf8JsonWriter json, (Sale Sale, UtcInstant Now) value)
    {
        var (sale, now) = value;
        json.WriteStartObject();
        json.WriteString("id", sale.Id);
        json.WriteString("merchantId", sale.Terms.MerchantId);
        json.WriteString("name", sale.Terms.Name);
        json.WriteString("currency", sale.Terms.Currency.Code);
        json.WriteString("opensAt", new UtcInstant(sale.Terms.OpensMs).ToString());
        json.WriteString("endsAt", new UtcInstant(sale.Terms.EndsMs).ToString());
        json.WriteString("state", Sale.NameOf(sale.StateAt(now)));
        json.WriteNumber("version", sale.Version);
        WriteRef(json, sale.Ref);
        json.WriteEndObject();
    }

    /// <summary>A product; its seats are a route of their own.</summary>
    public static void Write(Utf8JsonWriter json, Product product)
    {
        json.WriteStartObject();
        json.WriteString("id", product.Id);
        json.WriteString("saleId", product.SaleId);
        json.WriteString("merchantId", product.MerchantId);
        json.WriteString("name", product.Terms.Name);
        json.WriteString("kind", product.Kind == ProductKind.Seats ? "SEATS" : "STOCK");
        json.WriteNumber("capacity", product.Capacity);
        json.WriteStartArray("tiers");
        foreach (var tier in product.Terms.Tiers)
        {
            json.WriteStartObject();
            json.WriteString("name", tier.Name);
            json.WriteNumber("amount", tier.Amount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (product.Terms.LimitPerBuyer is { } limit)
        {
            json.WriteNumber("limitPerBuyer", limit);
        }
        else
        {
            json.WriteNull("limitPerBuyer");
        }

        json.WriteString("commissionClass", product.Terms.CommissionClass);
        json.WriteBoolean("withdrawn", product.IsWithdrawn);
        json.WriteNumber("version", product.Version);
        WriteRef(json, product.Ref);
        json.WriteEndObject();
    }

    private static void WriteRef(Utf8JsonWriter json, string? name)
    {
        if (name is not null)
        {
            json.WriteString("ref", name);
        }
    }
}
