using System.Text.Json;
using Floodgate.Checkout.Catalog;

namespace Floodgate.Checkout.Holds;

/// <summary>What is left, as the API shows it.</summary>
internal static class HoldsJson
{
    /// <summary>The products of a sale.</summary>
    public static void Write(
        Utf8JsonWriter json, (Guid SaleId, SaleState State, IReadOnlyList<ProductStock> Products) value)
    {
        json.WriteStartObject();
        json.WriteString("saleId", value.SaleId);
        json.WriteString("state", Sale.NameOf(value.State));
        json.WriteStartArray("products");
        foreach (var product in value.Products)
        {
            json.WriteStartObject();
            json.WriteString("productId", product.ProductId);
            json.WriteString("kind", product.Kind == nameof(ProductKind.Seats) ? "SEATS" : "STOCK");
            json.WriteNumber("capacity", product.Capacity);
            json.WriteNumber("available", product.Available);
            json.WriteNumber("held", product.Held);
            json.WriteNumber("sold", product.Sold);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The rows of a seat map, each with its seats as 1 (free) and 0.</summary>
    public static void Write(Utf8JsonWriter json, (Offer Offer, SeatMap Map, byte[]? Taken) value)
    {
        var (offer, map, taken) = value;
        Span<char> free = stackalloc char[SeatRow.SeatsMax];
        json.WriteStartObject();
        json.WriteString("productId", offer.Product.Id);
        json.WriteStartArray("rows");
        foreach (var (n, row) in map.Rows.Index())
        {
            for (var i = 0; i < row.Seats; i++)
            {
                var place = map.FirstOf(n) + i;
                free[i] = taken is not null && (taken[place >> 3] & (1 << (place & 7))) != 0 ? '0' : '1';
            }

            json.WriteStartObject();
            json.WriteString("section", row.Section);
            json.WriteString("row", row.Name);
            json.WriteString("tier", row.Tier);
            json.WriteNumber("amount", offer.AmountOf(map.FirstOf(n)));
            json.WriteString("free", free[..row.Seats]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
