using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>What happened, as it concerns merchants.</summary>
/// <param name="Event">The event it was read from.</param>
/// <param name="Type">The type that merchants see.</param>
/// <param name="At">When it happened.</param>
/// <param name="Merchants">Whom it concerns.</param>
/// <param name="Fact">The order; null for a payment, whose result is passed on as it is.</param>
internal sealed record Happening(
    LoggedEvent Event, string Type, UtcInstant At, IReadOnlyList<string> Merchants, OrderFact? Fact);

/// <summary>
/// Turns events of the log into webhooks. Ids are made of the content, so an event that is delivered or appended again
/// is the same webhook.
/// </summary>
internal static class WebhookMessages
{
    /// <summary>The type of a test.</summary>
    public const string Test = "webhook.test";

    /// <summary>Every type that an endpoint can ask for.</summary>
    public static readonly IReadOnlyList<string> Types =
    [
        "payment.authorized", "payment.captured", "payment.failed", "payment.capture_failed", "payment.voided",
        "payment.void_failed", "payment.refunded", "payment.refund_failed", "order.confirmed", "order.cancelled",
    ];

    private const string Result = "payment.result/1";

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>What the event tells merchants; null when nothing, or why it cannot be read.</summary>
    public static (Happening? Happening, string? Error) Read(LoggedEvent e)
    {
        try
        {
            return e.Type switch
            {
                Result => ReadResult(e),
                OrderEvents.Confirmed => ReadFact(e, "order.confirmed"),
                OrderEvents.Cancelled => ReadFact(e, "order.cancelled"),
                _ => (null, IsOtherVersion(e.Type)
                    ? $"type {e.Type} is not known here; a newer version wrote it: replay it after the upgrade"
                    : null),
            };
        }
        catch (JsonException error)
        {
            return (null, $"the payload is not the JSON of {e.Type}: {error.Message}");
        }
    }

    /// <summary>The delivery to one endpoint of one of the merchants.</summary>
    public static WebhookDelivery DeliveryOf(Happening happening, string merchantId, Guid endpointId, string payload)
    {
        var e = happening.Event;
        return new(
            Ids.Of(happening.At, endpointId.ToString(), e.Type, e.Payload),
            endpointId,
            Ids.Of(happening.At, merchantId, e.Type, e.Payload),
            happening.Type,
            payload);
    }

    /// <summary>The body for a merchant: of an order only its own lines.</summary>
    public static string PayloadOf(Happening happening, string merchantId) => Write(
        happening.Type,
        happening.At,
        json =>
        {
            if (happening.Fact is { } fact)
            {
                WriteOrder(json, fact, merchantId);
            }
            else
            {
                json.WriteRawValue(happening.Event.Payload, skipInputValidation: true); // It was read as JSON.
            }
        });

    /// <summary>The body of a test.</summary>
    public static string TestPayload(WebhookEndpoint endpoint, UtcInstant at) => Write(Test, at, json =>
    {
        json.WriteStartObject();
        json.WriteString("webhookId", endpoint.Id);
        json.WriteString("merchantId", endpoint.MerchantId);
        json.WriteEndObject();
    });

    private static (Happening?, string?) ReadResult(LoggedEvent e)
    {
        if (JsonSerializer.Deserialize(e.Payload, WebhookMessagesJson.Default.PaymentResult) is not
            { MerchantId: { } merchant, ProcessedAt: { } text } result
            || !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
        {
            return (null, "merchantId or processedAt is missing");
        }

        // A state that has no type, such as that of an operation of a kind to come, is nobody's webhook.
        return TypeOf(result) is { } type
            ? (new(e, type, new(at.ToUnixTimeMilliseconds()), [merchant], null), null)
            : (null, null);
    }

    private static (Happening?, string?) ReadFact(LoggedEvent e, string type) =>
        OrderEvents.ReadFact(e.Payload) is { Lines: not null } fact
            ? (new(e, type, new(fact.AtMs), [.. fact.Lines.Select(line => line.MerchantId).Distinct()], fact), null)
            : (null, "the payload names no lines");

    private static string? TypeOf(PaymentResult result) => (result.Kind, result.OperationStatus, result.Status) switch
    {
        (null, _, "AUTHORIZED") => "payment.authorized",
        (null, _, "CAPTURED") => "payment.captured",
        (null, _, "FAILED") => "payment.failed",
        ("CAPTURE", "SUCCEEDED", _) => "payment.captured",
        ("CAPTURE", "FAILED", _) => "payment.capture_failed",
        ("VOID", "SUCCEEDED", _) => "payment.voided",
        ("VOID", "FAILED", _) => "payment.void_failed",
        ("REFUND", "SUCCEEDED", _) => "payment.refunded",
        ("REFUND", "FAILED", _) => "payment.refund_failed",
        _ => null,
    };

    private static bool IsOtherVersion(string type) => type.StartsWith("payment.result/", StringComparison.Ordinal)
        || type.StartsWith("order.confirmed/", StringComparison.Ordinal)
        || type.StartsWith("order.cancelled/", StringComparison.Ordinal);

    private static void WriteOrder(Utf8JsonWriter json, OrderFact fact, string merchantId)
    {
        var lines = fact.Lines.Where(line => line.MerchantId == merchantId).ToList();
        json.WriteStartObject();
        json.WriteString("orderId", fact.OrderId);
        json.WriteString("saleId", fact.SaleId);
        json.WriteString("userId", fact.UserId);
        json.WriteNumber("amount", lines.Sum(line => line.Amount));
        json.WriteString("currency", fact.Currency);
        json.WriteStartArray("lines");
        foreach (var line in lines)
        {
            json.WriteStartObject();
            json.WriteString("productId", line.ProductId);
            json.WriteNumber("quantity", line.Quantity);
            json.WriteNumber("amount", line.Amount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Write(string type, UtcInstant at, Action<Utf8JsonWriter> writeContent)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteString("timestamp", at.ToString());
            json.WritePropertyName("data");
            writeContent(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>What tells whose result it is and of what; the rest is passed on unread.</summary>
internal sealed record PaymentResult(
    string? MerchantId, string? Status, string? Kind, string? OperationStatus, string? ProcessedAt);

/// <summary>Reads it; other fields are ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(PaymentResult))]
internal sealed partial class WebhookMessagesJson : JsonSerializerContext;
