using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>
/// What orders ask for through the log, checked: each complaint is one that no retry can mend, so the event becomes a
/// dead letter and no provider is called.
/// </summary>
internal static class OrderRequests
{
    /// <summary>The payment that an event of <see cref="OrderEvents.PaymentRequested"/> asks for.</summary>
    public static (Payment? Payment, string? Error) ReadPayment(string payload)
    {
        try
        {
            var asked = OrderEvents.ReadPayment(payload);
            return FaultOf(asked) is { } fault ? (null, fault) : (PaymentOf(asked), null);
        }
        catch (JsonException error)
        {
            return (null, $"the payload is not the JSON of {OrderEvents.PaymentRequested}: {error.Message}");
        }
    }

    /// <summary>What an event of <see cref="OrderEvents.RefundRequested"/> asks for.</summary>
    public static (OrderRefund? Refund, string? Error) ReadRefund(string payload)
    {
        try
        {
            var asked = OrderEvents.ReadRefund(payload);
            return FaultOf(asked) is { } fault ? (null, fault) : (asked, null);
        }
        catch (JsonException error)
        {
            return (null, $"the payload is not the JSON of {OrderEvents.RefundRequested}: {error.Message}");
        }
    }

    /// <summary>The operation that a checked refund asks for.</summary>
    public static Operation OperationOf(OrderRefund refund) => new(
        refund.OperationId,
        refund.PaymentId,
        new OperationRequest(
            refund.MerchantId,
            refund.IdempotencyKey,
            refund.PaymentId,
            OperationKind.Refund,
            new Money(refund.Amount, Currency.FromStored(refund.Currency)),
            refund.PartMerchantId),
        0,
        refund.RequestedAtMs);

    private static Payment PaymentOf(OrderPayment asked) => new(
        asked.PaymentId,
        new PaymentRequest(
            asked.MerchantId,
            asked.IdempotencyKey,
            asked.UserId,
            asked.OrderId.ToString(),
            new Money(asked.Amount, Currency.FromStored(asked.Currency)),
            Words.Method(asked.Method),
            PaymentPurpose.Sale,
            Capture: true),
        asked.RequestedAtMs)
    {
        NotAfterMs = asked.NotAfterMs,
        Parts = PaymentParts.Of(asked.MerchantId, asked.Parts),
    };

    private static string? FaultOf(OrderPayment? asked) => asked switch
    {
        null => "the payload is null",
        _ when asked.PaymentId == Guid.Empty || asked.OrderId == Guid.Empty => "paymentId or orderId is missing",
        _ when !IsName(asked.MerchantId) || !IsName(asked.UserId) => "merchantId or userId is missing",
        _ when !IsName(asked.IdempotencyKey) => "idempotencyKey is missing",
        _ when !IsAmount(asked.Amount) => $"amount {asked.Amount} is not from 1 to {Money.PaymentMinorMax}",
        _ when !Currency.TryParse(asked.Currency, out _) => $"currency {asked.Currency} is none of ISO 4217",
        _ when asked.Method is not ("GATEWAY" or "WALLET") => $"method {asked.Method} is not known",
        _ when asked.NotAfterMs <= 0 || asked.RequestedAtMs <= 0 => "notAfterMs or requestedAtMs is missing",
        _ => FaultOf(asked.Amount, asked.Parts),
    };

    private static string? FaultOf(long amount, IReadOnlyList<OrderPart>? parts)
    {
        if (parts is null or [] || parts.Any(p => p is null || !IsName(p.MerchantId) || !IsAmount(p.Amount)))
        {
            return "parts are missing, or one has no merchant or no amount";
        }

        if (parts.DistinctBy(p => p.MerchantId).Count() < parts.Count)
        {
            return "a merchant has several parts; there must be one for each";
        }

        return parts.Aggregate((Int128)0, (sum, p) => sum + p.Amount) == amount
            ? null
            : $"amount {amount} is not the sum of the parts";
    }

    private static string? FaultOf(OrderRefund? asked) => asked switch
    {
        null => "the payload is null",
        _ when asked.OperationId == Guid.Empty || asked.PaymentId == Guid.Empty || asked.OrderId == Guid.Empty =>
            "operationId, paymentId or orderId is missing",
        _ when !IsName(asked.MerchantId) || !IsName(asked.PartMerchantId) || !IsName(asked.IdempotencyKey) =>
            "merchantId, partMerchantId or idempotencyKey is missing",
        _ when !IsAmount(asked.Amount) => $"amount {asked.Amount} is not from 1 to {Money.PaymentMinorMax}",
        _ when !Currency.TryParse(asked.Currency, out _) => $"currency {asked.Currency} is none of ISO 4217",
        _ when asked.RequestedAtMs <= 0 => "requestedAtMs is missing",
        _ => null,
    };

    private static bool IsAmount(long amount) => amount is >= 1 and <= Money.PaymentMinorMax;

    private static bool IsName(string? text) => !string.IsNullOrEmpty(text) && Rows.CanKeep(text);
}
