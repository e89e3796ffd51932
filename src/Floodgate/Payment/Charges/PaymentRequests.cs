using Floodgate.Access;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>The refusals of payment routes; clients branch on the codes.</summary>
internal static class PaymentProblems
{
    public static readonly ProblemKind AmountOutOfRange = new(
        400, "amount_out_of_range", "The amount is not one that can be paid.");

    public static readonly ProblemKind MerchantMismatch = new(
        403, "merchant_mismatch", "The key is not one of this merchant.");

    public static readonly ProblemKind KeyInUse = new(
        409, "idempotency_key_in_use", "The first request with this key is still running.");

    public static readonly ProblemKind PaymentNotFound = new(404, "payment_not_found", "There is no such payment.");

    public static readonly ProblemKind CurrencyDiffers = new(
        422, "currency_differs", "The payment is in another currency.");

    public static readonly ProblemKind PaymentPending = new(
        409, "payment_pending", "The provider has not answered the payment yet.");

    public static readonly ProblemKind OperationPending = new(
        409, "operation_pending", "A capture or void of the payment is not answered yet.");

    public static readonly ProblemKind NotAuthorized = new(
        409, "payment_not_authorized", "The payment has no open authorization.");

    public static readonly ProblemKind AboveAuthorized = new(
        422, "amount_above_authorized", "The amount is more than was authorized.");

    public static readonly ProblemKind NotCaptured = new(
        409, "payment_not_captured", "No money was taken with the payment.");

    public static readonly ProblemKind TopUpNotRefundable = new(
        409, "top_up_not_refundable", "The money is in the customer's wallet.");

    public static readonly ProblemKind RefundByOrder = new(
        409, "refund_by_order", "The payment is an order's; its refunds come from the order.");

    public static readonly ProblemKind AboveRefundable = new(
        422, "amount_above_refundable", "The amount is more than is left to give back.");
}

/// <summary>From bodies to requests: every check that needs no stored state, each with its own answer.</summary>
internal static class PaymentRequests
{
    private const int TextLengthMax = 64;

    /// <summary>A refusal, or null: then the value is good.</summary>
    public readonly record struct Fault(ProblemKind Kind, string Detail);

    /// <summary>The payment asked for by a body.</summary>
    public static Fault? Read(
        PaymentBody body, string merchantId, string key, out PaymentRequest? request)
    {
        request = null;
        if (Read(body.Amount, "amount", out var amount) is { } amountFault)
        {
            return amountFault;
        }

        if ((FaultOf("userId", body.UserId) ?? FaultOf("orderId", body.OrderId)) is { } textFault)
        {
            return textFault;
        }

        if (body.Method is not ("GATEWAY" or "WALLET"))
        {
            return new(Problems.InvalidField, "method must be GATEWAY or WALLET.");
        }

        var method = Words.Method(body.Method);
        if (method == PaymentMethod.Wallet && body.UserId is null)
        {
            return new(Problems.InvalidField, "userId is needed with method WALLET: it names whose wallet.");
        }

        if (method == PaymentMethod.Wallet && FaultOfWallet(body.UserId) is { } walletFault)
        {
            return walletFault;
        }

        request = new PaymentRequest(
            merchantId, key, body.UserId, body.OrderId, amount, method, PaymentPurpose.Sale, body.Capture);
        return null;
    }

    /// <summary>Money from a body.</summary>
    public static Fault? Read(MoneyBody body, string field, out Money money)
    {
        money = default;
        if (body.Amount is < 1 or > Money.PaymentMinorMax)
        {
            return new(
                PaymentProblems.AmountOutOfRange,
                $"{field}.amount is {body.Amount}; it must be from 1 to {Money.PaymentMinorMax}, in minor units.");
        }

        if (!Currency.TryParse(body.Currency, out var currency))
        {
            return new(
                Problems.UnknownCurrency,
                $"{field}.currency must be a code of ISO 4217 in upper case, such as KRW or EUR.");
        }

        money = new Money(body.Amount, currency);
        return null;
    }

    /// <summary>
    /// A name that a merchant gives: short and printable, so that it is safe in keys and logs of others.
    /// </summary>
    public static Fault? FaultOf(string field, string? text) =>
        text is null || (text.Length is > 0 and <= TextLengthMax && !text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            ? null
            : new(
                Problems.InvalidField,
                $"{field} must be 1 to {TextLengthMax} printable ASCII characters without spaces.");

    /// <summary>
    /// Whose wallet: a name that a path carries as it is. An encoded slash stays encoded in a path, so that money
    /// would go to a wallet of another name than the one that payments spend from.
    /// </summary>
    public static Fault? FaultOfWallet(string? user) => FaultOf("userId", user)
        ?? (user is not null && (user.Contains('/') || user.Contains("%2F", StringComparison.OrdinalIgnoreCase))
            ? new(Problems.InvalidField, "userId must not contain a slash where it names a wallet.")
            : user == "me" ? new(Problems.InvalidField, "userId me names the caller's own wallet; take another name.")
            : null);

    /// <summary>How an operation's refusal is answered.</summary>
    public static Fault FaultOf(OperationOutcome outcome, OperationRequest request, Payment? payment) => outcome switch
    {
        OperationOutcome.KeyReused => new(
            Problems.IdempotencyKeyReused,
            $"This {IdempotencyKey.Header} was used for another operation. Send a new key for a new intent."),
        OperationOutcome.CurrencyDiffers => new(
            PaymentProblems.CurrencyDiffers,
            $"amount.currency must be {payment?.Request.Amount.Currency.Code}, the currency of the payment."),
        OperationOutcome.PaymentPending => new(
            PaymentProblems.PaymentPending, "Wait until its status is no longer REQUESTED or UNKNOWN, and ask again."),
        OperationOutcome.OperationPending => new(
            PaymentProblems.OperationPending, "Look at its operations, wait for their answer, and ask again."),
        OperationOutcome.NotAuthorized => new(
            PaymentProblems.NotAuthorized,
            $"The payment is {StateOf(payment)}; only an AUTHORIZED one can be captured or voided."),
        OperationOutcome.AboveAuthorized => new(
            PaymentProblems.AboveAuthorized,
            $"The amount is {request.Amount}; at most {payment?.Authorized} was authorized."),
        OperationOutcome.NotCaptured => new(
            PaymentProblems.NotCaptured, $"The payment is {StateOf(payment)}; only captured money can be given back."),
        OperationOutcome.TopUpNotRefundable => new(
            PaymentProblems.TopUpNotRefundable, "A top-up is spent from the wallet; it cannot be refunded."),
        OperationOutcome.RefundByOrder => new(
            PaymentProblems.RefundByOrder, "Cancel the order or its part instead: the order gives the money back."),
        OperationOutcome.NoSuchPart => new(
            PaymentProblems.PaymentNotFound, $"Merchant {request.PartMerchantId} has no part of this payment."),
        OperationOutcome.AboveRefundable => new(
            PaymentProblems.AboveRefundable,
            payment?.Parts?.Find(request.PartMerchantId ?? "") is { } part
                ? $"At most {part.Refundable} is left of this part: {part.Amount}, refunded {part.Refunded}, "
                    + $"in work {part.Refunding}."
                : $"At most {payment?.Refundable} is left: captured {payment?.Captured}, refunded "
                    + $"{payment?.Refunded}, in work {payment?.Refunding}."),
        _ => new(
            PaymentProblems.PaymentNotFound, $"Your merchant has no payment {request.PaymentId}. Check the id."),
    };

    private static string StateOf(Payment? payment) => payment is null ? "unknown" : Words.Of(payment.State);
}
