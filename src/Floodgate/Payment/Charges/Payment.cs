using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>The states of a payment (DESIGN section 4). Stored and shown in upper case.</summary>
public enum PaymentState
{
    /// <summary>Accepted and durable; the provider has not answered.</summary>
    Requested,

    /// <summary>The provider may or may not have acted; the resolver asks until it knows.</summary>
    Unknown,

    /// <summary>The amount is reserved.</summary>
    Authorized,

    /// <summary>Money was taken: the amount, or the part of it that was captured.</summary>
    Captured,

    /// <summary>A part of what was captured was given back.</summary>
    PartiallyRefunded,

    /// <summary>All of what was captured was given back. Final.</summary>
    Refunded,

    /// <summary>The authorization was given up. Final.</summary>
    Voided,

    /// <summary>No money was or will be taken. Final.</summary>
    Failed,
}

/// <summary>Who is asked for the money.</summary>
public enum PaymentMethod
{
    /// <summary>The payment gateway.</summary>
    Gateway,

    /// <summary>The customer's wallet with this merchant.</summary>
    Wallet,
}

/// <summary>What the money is for.</summary>
public enum PaymentPurpose
{
    /// <summary>A customer pays the merchant.</summary>
    Sale,

    /// <summary>A customer fills the wallet.</summary>
    TopUp,
}

/// <summary>What is asked of a payment after its authorization.</summary>
public enum OperationKind
{
    /// <summary>Take the authorized amount or a part; the rest is released.</summary>
    Capture,

    /// <summary>Give the authorization up.</summary>
    Void,

    /// <summary>Give back captured money, all or a part.</summary>
    Refund,
}

/// <summary>The states of an operation.</summary>
public enum OperationState
{
    /// <summary>Accepted; the provider has not answered.</summary>
    Requested,

    /// <summary>The provider may or may not have acted.</summary>
    Unknown,

    /// <summary>Done. Final.</summary>
    Succeeded,

    /// <summary>Refused; its amount is free again. Final.</summary>
    Failed,
}

/// <summary>What a merchant asks for: everything about a payment that never changes.</summary>
/// <param name="MerchantId">Whose payment.</param>
/// <param name="IdempotencyKey">Unique among the merchant's payments.</param>
/// <param name="UserId">The merchant's customer, if named: the payments of one customer are handled in order.</param>
/// <param name="OrderId">The merchant's order, if named.</param>
/// <param name="Amount">More than zero.</param>
/// <param name="Method">Who is asked.</param>
/// <param name="Purpose">What for.</param>
/// <param name="Capture">True: authorize and take in one step.</param>
public sealed record PaymentRequest(
    string MerchantId,
    string IdempotencyKey,
    string? UserId,
    string? OrderId,
    Money Amount,
    PaymentMethod Method,
    PaymentPurpose Purpose,
    bool Capture);

/// <summary>
/// A payment. Amounts in minor units of its currency. What operations have asked for and providers have not
/// answered is reserved in <see cref="Capturing"/>, <see cref="Refunding"/> and <see cref="IsVoiding"/>, so that no
/// number of concurrent requests can take or give back more than there is.
/// </summary>
public sealed record Payment(Guid Id, PaymentRequest Request, long RequestedAtMs)
{
    /// <summary>Where it stands.</summary>
    public PaymentState State { get; init; } = PaymentState.Requested;

    /// <summary>What the provider reserved, at most the amount.</summary>
    public long Authorized { get; init; }

    /// <summary>What the provider took, at most <see cref="Authorized"/>.</summary>
    public long Captured { get; init; }

    /// <summary>What was given back, at most <see cref="Captured"/>.</summary>
    public long Refunded { get; init; }

    /// <summary>What a capture has asked for and no answer has settled.</summary>
    public long Capturing { get; init; }

    /// <summary>What refunds have asked for and no answer has settled.</summary>
    public long Refunding { get; init; }

    /// <summary>True while a void is asked for and not answered.</summary>
    public bool IsVoiding { get; init; }

    /// <summary>
    /// Why it failed: a stable code. While it is unknown: why it will have failed if the provider has never seen it.
    /// </summary>
    public string? FailReason { get; init; }

    /// <summary>When the provider's answer was recorded; 0 before.</summary>
    public long ProcessedAtMs { get; init; }

    /// <summary>
    /// Of an order's payment: no provider is called for it after this moment, because the order has expired. 0 for
    /// others.
    /// </summary>
    public long NotAfterMs { get; init; }

    /// <summary>Who earns how much of it; null when all of it is of the request's merchant.</summary>
    public PaymentParts? Parts { get; init; }

    /// <summary>
    /// True when an order asked for it: its refunds come from the order too, or the two would differ.
    /// </summary>
    public bool IsOfOrder => NotAfterMs > 0;

    /// <summary>The key of its events: a customer's payments are handled in order.</summary>
    public string Key => Request.UserId is { } user ? $"{Request.MerchantId}/{user}" : Id.ToString();

    /// <summary>True while the first answer of the provider is outstanding.</summary>
    public bool IsPending => State is PaymentState.Requested or PaymentState.Unknown;

    /// <summary>True when nothing can change it any more.</summary>
    public bool IsClosed => State is PaymentState.Failed or PaymentState.Voided or PaymentState.Refunded;

    /// <summary>What a refund could still ask for.</summary>
    public long Refundable => Captured - Refunded - Refunding;

    /// <summary>
    /// The payment after the provider approved it. Only a pending one changes; null otherwise, so that a
    /// second answer has no effect.
    /// </summary>
    public Payment? Approve(long nowMs) => !IsPending ? null : this with
    {
        State = Request.Capture ? PaymentState.Captured : PaymentState.Authorized,
        Authorized = Request.Amount.AmountMinor,
        Captured = Request.Capture ? Request.Amount.AmountMinor : 0,
        FailReason = null,
        ProcessedAtMs = nowMs,
    };

    /// <summary>The payment after the provider refused it; null when it was not pending.</summary>
    public Payment? Decline(string reason, long nowMs) => !IsPending ? null : this with
    {
        State = PaymentState.Failed,
        FailReason = reason,
        ProcessedAtMs = nowMs,
    };

    /// <summary>The payment when nobody knows whether the provider acted; null when it was not requested.</summary>
    public Payment? LoseSight() => State != PaymentState.Requested ? null : this with { State = PaymentState.Unknown };

    /// <summary>
    /// The payment under a key that nobody can send: another has its own, and what a provider did must not be lost.
    /// </summary>
    public Payment WithOwnKey() => this with
    {
        Request = Request with { IdempotencyKey = $"{Request.IdempotencyKey}\t{Id}" },
    };

    /// <summary>Checks what holds for every payment in every state.</summary>
    public Payment Checked()
    {
        Invariant.Check(Refunded + Refunding <= Captured, "refunded and refunding are at most captured");
        Invariant.Check(Captured + Capturing <= Authorized, "captured and capturing are at most authorized");
        Invariant.Check(Authorized <= Request.Amount.AmountMinor, "authorized is at most the amount");
        Invariant.Check(Refunded >= 0 && Refunding >= 0 && Capturing >= 0, "amounts are never negative");
        Parts?.Check(this);
        return this;
    }
}

/// <summary>A capture, void or refund of a payment: a row of its own with a key of its own.</summary>
/// <param name="Id">Its id, also towards the provider.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="Request">What was asked.</param>
/// <param name="Amount">What it moves, in minor units.</param>
/// <param name="RequestedAtMs">When it was accepted.</param>
public sealed record Operation(Guid Id, Guid PaymentId, OperationRequest Request, long Amount, long RequestedAtMs)
{
    /// <summary>Where it stands.</summary>
    public OperationState State { get; init; } = OperationState.Requested;

    /// <summary>Why it failed; null unless it failed.</summary>
    public string? FailReason { get; init; }

    /// <summary>When the provider's answer was recorded; 0 before.</summary>
    public long ProcessedAtMs { get; init; }

    /// <summary>True while the provider's answer is outstanding.</summary>
    public bool IsPending => State is OperationState.Requested or OperationState.Unknown;
}

/// <summary>What a merchant asks of a payment.</summary>
/// <param name="MerchantId">Who asks.</param>
/// <param name="IdempotencyKey">Unique among the merchant's operations.</param>
/// <param name="PaymentId">Of which payment.</param>
/// <param name="Kind">What.</param>
/// <param name="Amount">How much; null for all there is.</param>
/// <param name="PartMerchantId">Whose part a refund gives back: named by orders, and only by them.</param>
public sealed record OperationRequest(
    string MerchantId,
    string IdempotencyKey,
    Guid PaymentId,
    OperationKind Kind,
    Money? Amount,
    string? PartMerchantId = null);
