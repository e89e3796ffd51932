using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>Money in a body: minor units as an integer, and an ISO 4217 code.</summary>
internal sealed record MoneyBody(long Amount, string Currency);

/// <summary>The body of <c>POST /v1/payments</c>.</summary>
internal sealed record PaymentBody(
    MoneyBody Amount,
    string? UserId = null,
    string? OrderId = null,
    string Method = "GATEWAY",
    bool Capture = true);

/// <summary>The body of a capture or refund; without an amount, all there is.</summary>
internal sealed record OperationBody(MoneyBody? Amount = null);

/// <summary>The body of a top-up.</summary>
internal sealed record TopUpBody(MoneyBody Amount);

/// <summary>The body of the aliases <c>/payments/...</c>: flat, with the key in the body.</summary>
internal sealed record AliasBody(
    string? MerchantId = null,
    long? Amount = null,
    string? Currency = null,
    string? IdempotencyKey = null,
    string? UserId = null,
    string? OrderId = null,
    string? Reason = null);

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PaymentBody))]
[JsonSerializable(typeof(OperationBody))]
[JsonSerializable(typeof(TopUpBody))]
[JsonSerializable(typeof(AliasBody))]
internal sealed partial class ChargesJson : JsonSerializerContext;

/// <summary>Payments as the API shows them.</summary>
internal static class PaymentJson
{
    /// <summary>A payment as it is.</summary>
    public static void Write(Utf8JsonWriter json, Payment payment)
    {
        json.WriteStartObject();
        WriteFields(json, payment);
        json.WriteEndObject();
    }

    /// <summary>A payment with its operations.</summary>
    public static void Write(Utf8JsonWriter json, (Payment Payment, IReadOnlyList<Operation> Operations) value)
    {
        json.WriteStartObject();
        WriteFields(json, value.Payment);
        json.WriteStartArray("operations");
        foreach (var operation in value.Operations)
        {
            Write(json, (operation, value.Payment.Request.Amount.Currency));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>An operation.</summary>
    public static void Write(Utf8JsonWriter json, (Operation Operation, Currency Currency) value)
    {
        var (operation, currency) = value;
        json.WriteStartObject();
        json.WriteString("id", operation.Id);
        json.WriteString("paymentId", operation.PaymentId);
        json.WriteString("kind", Words.Of(operation.Request.Kind));
        WriteMoney(json, new Money(operation.Amount, currency));
        json.WriteString("status", Words.Of(operation.State));
        json.WriteString("intakeStatus", operation.State switch
        {
            OperationState.Succeeded => "SUCCESS",
            OperationState.Failed => "FAILED",
            _ => "PENDING",
        });
        WriteText(json, "partMerchantId", operation.Request.PartMerchantId);
        WriteText(json, "failReason", operation.FailReason);
        WriteInstant(json, "requestedAt", operation.RequestedAtMs);
        WriteInstant(json, "processedAt", operation.ProcessedAtMs);
        json.WriteEndObject();
    }

    /// <summary>Money under the name <c>amount</c>.</summary>
    public static void WriteMoney(Utf8JsonWriter json, Money money)
    {
        json.WriteStartObject("amount");
        json.WriteNumber("amount", money.AmountMinor);
        json.WriteString("currency", money.Currency.Code);
        json.WriteEndObject();
    }

    private static void WriteFields(Utf8JsonWriter json, Payment payment)
    {
        json.WriteString("id", payment.Id);
        json.WriteString("status", Words.Of(payment.State));
        json.WriteString(
            "intakeStatus",
            payment.IsPending ? "PENDING" : payment.State == PaymentState.Failed ? "FAILED" : "SUCCESS");
        WriteMoney(json, payment.Request.Amount);
        json.WriteNumber("authorized", payment.Authorized);
        json.WriteNumber("captured", payment.Captured);
        json.WriteNumber("refunded", payment.Refunded);
        json.WriteBoolean("capture", payment.Request.Capture);
        json.WriteString("method", Words.Of(payment.Request.Method));
        json.WriteString("purpose", Words.Of(payment.Request.Purpose));
        WriteText(json, "userId", payment.Request.UserId);
        WriteText(json, "orderId", payment.Request.OrderId);
        WriteParts(json, payment.Parts);
        WriteText(json, "failReason", payment.FailReason);
        WriteInstant(json, "requestedAt", payment.RequestedAtMs);
        WriteInstant(json, "processedAt", payment.ProcessedAtMs);
    }

    private static void WriteParts(Utf8JsonWriter json, PaymentParts? parts)
    {
        if (parts is null)
        {
            json.WriteNull("parts");
            return;
        }

        json.WriteStartArray("parts");
        foreach (var part in parts)
        {
            json.WriteStartObject();
            json.WriteString("merchantId", part.MerchantId);
            json.WriteNumber("amount", part.Amount);
            json.WriteNumber("refunded", part.Refunded);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? text)
    {
        if (text is null)
        {
            json.WriteNull(name);
        }
        else
        {
            json.WriteString(name, text);
        }
    }

    private static void WriteInstant(Utf8JsonWriter json, string name, long ms) =>
        WriteText(json, name, ms == 0 ? null : new UtcInstant(ms).ToString());
}
