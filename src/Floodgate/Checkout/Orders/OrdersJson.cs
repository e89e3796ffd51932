using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;
using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>One line of a basket in a body.</summary>
internal sealed record ItemBody(
    Guid ProductId,
    int? Quantity = null,
    IReadOnlyList<string>? Seats = null,
    string? Section = null,
    string? Tier = null);

/// <summary>The body of <c>POST /v1/orders/{id}/pay</c>, and <c>pay</c> of an order.</summary>
internal sealed record PayBody(string Method);

/// <summary>The body of <c>POST /v1/orders</c>.</summary>
internal sealed record OrderBody(
    Guid SaleId, IReadOnlyList<ItemBody> Items, string? UserId = null, PayBody? Pay = null);

/// <summary>The body of <c>POST /v1/orders/{id}/cancel</c>.</summary>
internal sealed record CancelBody(string? MerchantId = null);

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderBody))]
[JsonSerializable(typeof(PayBody))]
[JsonSerializable(typeof(CancelBody))]
internal sealed partial class OrderBodies : JsonSerializerContext;

/// <summary>An order and the maps of its seats.</summary>
internal sealed record ShownOrder(Order Order, IReadOnlyDictionary<Guid, SeatMap> Maps);

/// <summary>Orders as the API shows them.</summary>
internal static class OrdersJson
{
    /// <summary>An order with its lines.</summary>
    public static void Write(Utf8JsonWriter json, ShownOrder shown)
    {
        var (order, facts) = (shown.Order, shown.Order.Facts);
        json.WriteStartObject();
        json.WriteString("id", order.Id);
        json.WriteString("saleId", facts.SaleId);
        json.WriteString("userId", Buyer.FromStored(facts.Buyer).UserId);
        json.WriteString("status", OrdersSql.NameOf(order.State));
        Write(json, "amount", facts.Amount);
        Write(json, "refunded", facts.Amount with { AmountMinor = order.Refunded });
        json.WriteNumber("refunding", order.Refunding);
        json.WriteStartArray("lines");
        foreach (var line in order.Lines)
        {
            Write(json, shown, line);
        }

        json.WriteEndArray();
        json.WriteString("paymentId", order.Method is null ? null : facts.PaymentId.ToString());
        json.WriteString("method", order.Method);
        json.WriteString("failReason", order.FailReason);
        json.WriteString("expiresAt", order.IsOpen ? new UtcInstant(order.ExpiresMs).ToString() : null);
        json.WriteString("createdAt", new UtcInstant(facts.CreatedMs).ToString());
        json.WriteString("changedAt", new UtcInstant(order.ChangedMs).ToString());
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, Money money)
    {
        json.WriteStartObject(name);
        json.WriteNumber("amount", money.AmountMinor);
        json.WriteString("currency", money.Currency.Code);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ShownOrder shown, OrderLine line)
    {
        json.WriteStartObject();
        json.WriteString("productId", line.ProductId);
        json.WriteString("merchantId", line.MerchantId);
        json.WriteNumber("quantity", line.Quantity);
        json.WriteStartArray("seats");
        foreach (var place in line.Places)
        {
            json.WriteStringValue(shown.Maps[line.ProductId].NameOf(place));
        }

        json.WriteEndArray();
        json.WriteNumber("amount", line.Amount);
        json.WriteString("status", shown.Order.StateOf(line) switch
        {
            LineState.Held => "HELD",
            LineState.Sold => "SOLD",
            LineState.Released => "RELEASED",
            _ => "CANCELLED",
        });
        json.WriteEndObject();
    }
}
