using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Checkout.Orders;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>
/// Money that was taken or given back, as <c>payment.captured</c> and <c>payment.refunded</c> tell it.
/// </summary>
/// <param name="PaymentId">The payment.</param>
/// <param name="EventId">What moved it, as in the ledger: the payment itself, or its capture or refund.</param>
/// <param name="OrderId">The order, if named.</param>
/// <param name="Purpose">What the payment is for.</param>
/// <param name="Currency">Of all amounts.</param>
/// <param name="Parts">Whose it is, one part for each merchant, in minor units.</param>
/// <param name="AtMs">When it was recorded.</param>
public sealed record PaymentFact(
    Guid PaymentId,
    Guid EventId,
    string? OrderId,
    PaymentPurpose Purpose,
    Currency Currency,
    IReadOnlyList<OrderPart> Parts,
    long AtMs)
{
    /// <summary>The capture of a payment that was taken, as its event tells it.</summary>
    internal static PaymentFact OfCapture(Payment payment, Operation? capture) => new(
        payment.Id,
        capture?.Id ?? payment.Id,
        payment.Request.OrderId,
        payment.Request.Purpose,
        payment.Request.Amount.Currency,
        payment.Parts is { } parts
            ? [.. parts.Select(p => new OrderPart(p.MerchantId, p.Amount))]
            : [new(payment.Request.MerchantId, payment.Captured)],
        capture?.ProcessedAtMs ?? payment.ProcessedAtMs);

    /// <summary>Reads one.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    internal static PaymentFact Read(string payload)
    {
        var line = JsonSerializer.Deserialize(payload, FactLineJson.Default.FactLine);
        if (line is not { MerchantId: not null, Purpose: not null, Amount: > 0 } || line.PaymentId == Guid.Empty
            || line.Parts is { Count: 0 } || !Currency.TryParse(line.Currency, out var currency))
        {
            throw new JsonException("paymentId, merchantId, purpose, amount or currency is missing");
        }

        try
        {
            return new(
                line.PaymentId,
                line.OperationId ?? line.PaymentId,
                line.OrderId,
                Words.Purpose(line.Purpose),
                currency,
                line.Parts ?? [new(line.PartMerchantId ?? line.MerchantId, line.Amount)],
                line.ProcessedAt.ToUnixTimeMilliseconds());
        }
        catch (InvalidOperationException error)
        {
            throw new JsonException(error.Message, error);
        }
    }
}

/// <summary>Its JSON; fields of later versions are ignored.</summary>
internal sealed record FactLine(
    Guid PaymentId,
    Guid? OperationId,
    string MerchantId,
    string? OrderId,
    string Purpose,
    long Amount,
    string Currency,
    IReadOnlyList<OrderPart>? Parts,
    string? PartMerchantId,
    DateTimeOffset ProcessedAt);

/// <summary>Reads it.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(FactLine))]
internal sealed partial class FactLineJson : JsonSerializerContext;
