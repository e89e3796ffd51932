using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>The topics of payments and what is written to them (DESIGN section 5); schemas in docs/events.md.</summary>
public static class PaymentEvents
{
    /// <summary>What is to be done, by customer: asked by merchants here, and by orders.</summary>
    public static readonly Topic Requests = OrderEvents.PaymentRequests;

    /// <summary>What came of it, by the merchant's order.</summary>
    public static readonly Topic Results = new(2, "payment-results", 10, 7);

    /// <summary>Facts for outside: an authorization without capture.</summary>
    public static readonly Topic Authorized = new(3, "payment.authorized", 10, 7);

    /// <summary>Facts for outside: money was taken.</summary>
    public static readonly Topic Captured = new(4, "payment.captured", 10, 7);

    /// <summary>Facts for outside: money was given back.</summary>
    public static readonly Topic Refunded = new(5, "payment.refunded", 10, 7);

    /// <summary>All of them but <see cref="Requests"/>, which is declared by the first who writes it.</summary>
    public static readonly IReadOnlyList<Topic> Topics = [Results, Authorized, Captured, Refunded];

    /// <summary>Type of <see cref="PaymentResult"/> on <see cref="Results"/>.</summary>
    public const string ResultType = "payment.result/1";

    internal const string PaymentRequested = "payment.requested/1";
    internal const string OperationRequested = "payment.operation-requested/1";

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>What an event of <see cref="Result"/> tells.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static PaymentResult ReadResult(string payload) => PaymentResult.Read(payload);

    /// <summary>What an event of <see cref="Captured"/> or <see cref="Refunded"/> tells.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static PaymentFact ReadFact(string payload) => PaymentFact.Read(payload);

    internal static NewEvent Request(Payment payment) => new(
        Requests,
        payment.Key,
        PaymentRequested,
        Write(payment, null, static (json, payment, _) =>
        {
            WriteMoney(json, payment.Request.Amount);
            json.WriteString("method", Words.Of(payment.Request.Method));
            json.WriteBoolean("capture", payment.Request.Capture);
            json.WriteString("idempotencyKey", payment.Request.IdempotencyKey);
            json.WriteString("requestedAt", new UtcInstant(payment.RequestedAtMs).ToString());
        }));

    internal static NewEvent Request(Payment payment, Operation operation) => new(
        Requests,
        payment.Key,
        OperationRequested,
        Write(payment, operation, static (json, payment, operation) =>
        {
            WriteMoney(json, payment.Request.Amount with { AmountMinor = operation!.Amount });
            json.WriteString("idempotencyKey", operation.Request.IdempotencyKey);
            json.WriteString("requestedAt", new UtcInstant(operation.RequestedAtMs).ToString());
        }));

    /// <summary>The events of a final answer: the result, and the fact if money moved or was reserved.</summary>
    internal static void AddAnswer(List<NewEvent> events, Payment payment, Operation? operation)
    {
        events.Add(ResultOf(payment, operation));
        if (FactOf(payment, operation) is { } topic)
        {
            events.Add(new(topic, payment.Id.ToString(), topic.Name + "/1", Write(payment, operation, WriteFact)));
        }
    }

    /// <summary>The event of a final answer.</summary>
    internal static NewEvent ResultOf(Payment payment, Operation? operation)
    {
        // With the merchant: orders of two merchants may have the same name, and are not one order.
        var key = payment.Request.OrderId is { } order
            ? $"{payment.Request.MerchantId}/{order}"
            : payment.Id.ToString();
        return new(Results, key, ResultType, Write(payment, operation, WriteResult));
    }

    /// <summary>What an event asks for; a clear complaint when it cannot be read.</summary>
    internal static Requested Parse(string type, string payload)
    {
        switch (type)
        {
            case PaymentRequested or OperationRequested:
                return ParseIds(type, payload);
            case OrderEvents.PaymentRequested:
                var (payment, fault) = OrderRequests.ReadPayment(payload);
                return payment is null ? new(null, fault) : new(new(payment.Id, null), null) { Payment = payment };
            case OrderEvents.RefundRequested:
                var (refund, complaint) = OrderRequests.ReadRefund(payload);
                return refund is null
                    ? new(null, complaint)
                    : new(new(refund.PaymentId, refund.OperationId), null) { Refund = refund };
            default:
                return new(
                    null, $"type {type} is not known here; a newer version wrote it: replay it after the upgrade");
        }
    }

    private static Requested ParseIds(string type, string payload)
    {
        try
        {
            var ids = JsonSerializer.Deserialize(payload, EventIdsJson.Default.EventIds);
            return ids is null || ids.PaymentId == Guid.Empty
                || (type == OperationRequested) != (ids.OperationId is not null)
                ? new(null, "paymentId or operationId is missing")
                : new(ids, null);
        }
        catch (JsonException error)
        {
            return new(null, $"the payload is not the JSON of {type}: {error.Message}");
        }
    }

    /// <summary>
    /// The ids of an event whatever its type or version: for settling what a dead letter was about. Null when
    /// the payload names no payment.
    /// </summary>
    internal static EventIds? IdsOf(string payload)
    {
        try
        {
            var ids = JsonSerializer.Deserialize(payload, EventIdsJson.Default.EventIds);
            return ids is null || ids.PaymentId == Guid.Empty ? null : ids;
        }
        catch (JsonException)
        {
            return null; // Nothing can be told from it, and its payment is not known here.
        }
    }

    private static Topic? FactOf(Payment payment, Operation? operation)
    {
        if (operation is null)
        {
            return payment.State switch
            {
                PaymentState.Captured => Captured,
                PaymentState.Authorized => Authorized,
                _ => null,
            };
        }

        return (operation.State, operation.Request.Kind) switch
        {
            (OperationState.Succeeded, OperationKind.Capture) => Captured,
            (OperationState.Succeeded, OperationKind.Refund) => Refunded,
            _ => null,
        };
    }

    private static void WriteResult(Utf8JsonWriter json, Payment payment, Operation? operation)
    {
        json.WriteString("status", Words.Of(payment.State));
        if (operation is not null)
        {
            json.WriteString("operationStatus", Words.Of(operation.State));
            WriteMoney(json, payment.Request.Amount with { AmountMinor = operation.Amount });
            if (operation.Request.PartMerchantId is { } part)
            {
                json.WriteString("partMerchantId", part);
            }
        }

        if ((operation is null ? payment.FailReason : operation.FailReason) is { } reason)
        {
            json.WriteString("failReason", reason);
        }

        WriteProcessedAt(json, payment, operation);
    }

    private static void WriteFact(Utf8JsonWriter json, Payment payment, Operation? operation)
    {
        if (operation?.Request.PartMerchantId is { } part)
        {
            json.WriteString("partMerchantId", part);
        }

        json.WriteString("purpose", Words.Of(payment.Request.Purpose));
        WriteMoney(json, operation is null
            ? payment.Request.Amount
            : payment.Request.Amount with { AmountMinor = operation.Amount });
        if (operation is null && payment.Parts is { } parts)
        {
            WriteParts(json, parts);
        }

        WriteProcessedAt(json, payment, operation);
    }

    private static void WriteParts(Utf8JsonWriter json, PaymentParts parts)
    {
        json.WriteStartArray("parts");
        foreach (var part in parts)
        {
            json.WriteStartObject();
            json.WriteString("merchantId", part.MerchantId);
            json.WriteNumber("amount", part.Amount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteProcessedAt(Utf8JsonWriter json, Payment payment, Operation? operation) =>
        json.WriteString(
            "processedAt", new UtcInstant(operation?.ProcessedAtMs ?? payment.ProcessedAtMs).ToString());

    private static void WriteMoney(Utf8JsonWriter json, Money money)
    {
        json.WriteNumber("amount", money.AmountMinor);
        json.WriteString("currency", money.Currency.Code);
    }

    private static string Write(
        Payment payment, Operation? operation, Action<Utf8JsonWriter, Payment, Operation?> rest)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("paymentId", payment.Id);
            if (operation is not null)
            {
                json.WriteString("operationId", operation.Id);
                json.WriteString("kind", Words.Of(operation.Request.Kind));
            }

            json.WriteString("merchantId", payment.Request.MerchantId);
            if (payment.Request.UserId is { } user)
            {
                json.WriteString("userId", user);
            }

            if (payment.Request.OrderId is { } order)
            {
                json.WriteString("orderId", order);
            }

            rest(json, payment, operation);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>
/// What a request event asks for: ids of what is stored, and of an order's request all that is to be stored; or why it
/// can never be carried out.
/// </summary>
internal sealed record Requested(EventIds? Ids, string? Error)
{
    /// <summary>The payment that an order asks for.</summary>
    public Payment? Payment { get; init; }

    /// <summary>The refund that an order asks for.</summary>
    public OrderRefund? Refund { get; init; }

    /// <summary>The id of the payment or operation.</summary>
    public Guid Id => Ids is null ? Guid.Empty : Ids.OperationId ?? Ids.PaymentId;
}

/// <summary>What the worker needs of a request event; the rest is in the database.</summary>
internal sealed record EventIds(Guid PaymentId, Guid? OperationId);

/// <summary>Reads it; fields of later versions are ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(EventIds))]
internal sealed partial class EventIdsJson : JsonSerializerContext;
