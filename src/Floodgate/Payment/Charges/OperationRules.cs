using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>What can come of asking for an operation, in the order in which it is checked.</summary>
public enum OperationOutcome
{
    /// <summary>The same key is being accepted at this moment: ask again.</summary>
    KeyInUse,

    /// <summary>The queue is full: ask again later.</summary>
    Busy,

    /// <summary>Accepted; it will be carried out once.</summary>
    Accepted,

    /// <summary>Accepted before under the same key with the same request: the first answer again.</summary>
    Replayed,

    /// <summary>The key was used for another operation request.</summary>
    KeyReused,

    /// <summary>The merchant has no such payment.</summary>
    NotFound,

    /// <summary>The amount is in another currency than the payment.</summary>
    CurrencyDiffers,

    /// <summary>The provider has not answered the payment itself yet.</summary>
    PaymentPending,

    /// <summary>A capture or void of it is not answered yet.</summary>
    OperationPending,

    /// <summary>Only an authorized payment can be captured or voided.</summary>
    NotAuthorized,

    /// <summary>A capture of more than was authorized.</summary>
    AboveAuthorized,

    /// <summary>Only captured money can be given back.</summary>
    NotCaptured,

    /// <summary>The money is in the customer's wallet; it is spent, not refunded.</summary>
    TopUpNotRefundable,

    /// <summary>The payment is an order's: its refunds come from the order, which knows the part.</summary>
    RefundByOrder,

    /// <summary>The merchant has no part of the payment.</summary>
    NoSuchPart,

    /// <summary>More than is left: captured minus refunded minus refunds that are not answered.</summary>
    AboveRefundable,
}

/// <summary>Decides operations and their answers. Pure: no clock, no database.</summary>
public static class OperationRules
{
    /// <summary>
    /// Whether the operation is accepted, and if so its amount and the payment with that reserved. Checked in the
    /// order of <see cref="OperationOutcome"/>; refusals change nothing and are not remembered: the same key
    /// may succeed later.
    /// </summary>
    public static (OperationOutcome Outcome, long Amount, Payment Payment) Decide(
        Payment payment, OperationRequest request)
    {
        if (request.Amount is { } asked && asked.Currency != payment.Request.Amount.Currency)
        {
            return (OperationOutcome.CurrencyDiffers, 0, payment);
        }

        if (payment.IsPending)
        {
            return (OperationOutcome.PaymentPending, 0, payment);
        }

        return request.Kind == OperationKind.Refund
            ? DecideRefund(payment, request)
            : DecideOnAuthorization(payment, request.Kind, request.Amount?.AmountMinor);
    }

    /// <summary>The payment after the provider carried the operation out.</summary>
    public static Payment Succeed(Payment payment, Operation operation) =>
        (operation.Request.Kind switch
        {
            OperationKind.Capture => payment with
            {
                State = PaymentState.Captured,
                Captured = operation.Amount,
                Capturing = 0,
            },
            OperationKind.Void => payment with { State = PaymentState.Voided, IsVoiding = false },
            _ => Refund(payment, operation),
        }).Checked();

    /// <summary>The payment after the provider refused the operation: what was reserved is free again.</summary>
    public static Payment Fail(Payment payment, Operation operation) =>
        (operation.Request.Kind switch
        {
            OperationKind.Capture => payment with { Capturing = 0 },
            OperationKind.Void => payment with { IsVoiding = false },
            _ => payment with
            {
                Refunding = payment.Refunding - operation.Amount,
                Parts = payment.Parts?.With(
                    operation.Request.PartMerchantId, p => p with { Refunding = p.Refunding - operation.Amount }),
            },
        }).Checked();

    private static (OperationOutcome Outcome, long Amount, Payment Payment) DecideRefund(
        Payment payment, OperationRequest request)
    {
        if (payment.Captured == 0)
        {
            return (OperationOutcome.NotCaptured, 0, payment);
        }

        if (payment.Request.Purpose == PaymentPurpose.TopUp)
        {
            return (OperationOutcome.TopUpNotRefundable, 0, payment);
        }

        if (payment.IsOfOrder && request.PartMerchantId is null)
        {
            return (OperationOutcome.RefundByOrder, 0, payment);
        }

        if (request.PartMerchantId is { } merchant && RefundableOf(payment, merchant) is null)
        {
            return (OperationOutcome.NoSuchPart, 0, payment);
        }

        var most = Math.Min(RefundableOf(payment, request.PartMerchantId) ?? long.MaxValue, payment.Refundable);
        var amount = request.Amount?.AmountMinor ?? most;
        return amount == 0 || amount > most
            ? (OperationOutcome.AboveRefundable, 0, payment)
            : (OperationOutcome.Accepted, amount, (payment with
            {
                Refunding = payment.Refunding + amount,
                Parts = payment.Parts?.With(request.PartMerchantId, p => p with { Refunding = p.Refunding + amount }),
            }).Checked());
    }

    // What is left of a merchant's part; null when it has none. A payment that is not split is one part.
    private static long? RefundableOf(Payment payment, string? merchantId) => payment.Parts is { } parts
        ? merchantId is null ? null : parts.Find(merchantId)?.Refundable
        : merchantId is null || merchantId == payment.Request.MerchantId ? payment.Refundable : null;

    private static (OperationOutcome Outcome, long Amount, Payment Payment) DecideOnAuthorization(
        Payment payment, OperationKind kind, long? asked)
    {
        if (payment.State != PaymentState.Authorized)
        {
            return (OperationOutcome.NotAuthorized, 0, payment);
        }

        if (payment.Capturing > 0 || payment.IsVoiding)
        {
            return (OperationOutcome.OperationPending, 0, payment);
        }

        if (kind == OperationKind.Void)
        {
            return (OperationOutcome.Accepted, payment.Authorized, payment with { IsVoiding = true });
        }

        var amount = asked ?? payment.Authorized;
        return amount > payment.Authorized
            ? (OperationOutcome.AboveAuthorized, 0, payment)
            : (OperationOutcome.Accepted, amount, (payment with { Capturing = amount }).Checked());
    }

    private static Payment Refund(Payment payment, Operation operation)
    {
        var amount = operation.Amount;
        var refunded = checked(payment.Refunded + amount);
        return payment with
        {
            State = refunded == payment.Captured ? PaymentState.Refunded : PaymentState.PartiallyRefunded,
            Refunded = refunded,
            Refunding = payment.Refunding - amount,
            Parts = payment.Parts?.With(
                operation.Request.PartMerchantId,
                p => p with { Refunding = p.Refunding - amount, Refunded = p.Refunded + amount }),
        };
    }
}
