using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>The states of an order (DESIGN section 4), stored and shown in upper case with underscores.</summary>
public enum OrderState
{
    /// <summary>Held for the buyer until it expires; not paid.</summary>
    TemporaryAssigned,

    /// <summary>Its payment is asked for; held until the payment's deadline.</summary>
    PaymentPending,

    /// <summary>Paid and sold.</summary>
    Confirmed,

    /// <summary>The payment was refused; what was held is free. Final.</summary>
    PaymentFailed,

    /// <summary>Not paid in time; what was held is free. Money that comes later goes back. Final.</summary>
    Expired,

    /// <summary>Given up before it was paid, or given back after. Final.</summary>
    Cancelled,
}

/// <summary>Where a line stands.</summary>
public enum LineState
{
    /// <summary>Held for the order.</summary>
    Held,

    /// <summary>Sold.</summary>
    Sold,

    /// <summary>Free again without having been sold.</summary>
    Released,

    /// <summary>Given back after it was sold, or with the whole order before.</summary>
    Cancelled,
}

/// <summary>One line of an order.</summary>
/// <param name="Number">From 0.</param>
/// <param name="ProductId">Which product.</param>
/// <param name="MerchantId">Who earns it.</param>
/// <param name="Quantity">How many.</param>
/// <param name="Places">The seats, by their places on the map; empty for stock.</param>
/// <param name="Amount">The price of the line, in minor units.</param>
/// <param name="IsCancelled">True when this line was given back and others of the order were not.</param>
public sealed record OrderLine(
    int Number,
    Guid ProductId,
    string MerchantId,
    int Quantity,
    IReadOnlyList<int> Places,
    long Amount,
    bool IsCancelled);

/// <summary>What never changes of an order.</summary>
/// <param name="Id">Its id.</param>
/// <param name="SaleId">The sale; its currency is the order's.</param>
/// <param name="Buyer">Who buys, as <c>realm/user</c>.</param>
/// <param name="IdempotencyKey">Unique among the buyer's orders.</param>
/// <param name="RequestHash">Tells a repeat from another order under the same key.</param>
/// <param name="Amount">The sum of all lines.</param>
/// <param name="PaymentId">The id that its payment has or would have.</param>
/// <param name="Ticket">The waiting-room ticket it was let in with; empty without a waiting room.</param>
/// <param name="CreatedMs">When it was taken.</param>
public sealed record OrderFacts(
    Guid Id,
    Guid SaleId,
    string Buyer,
    string IdempotencyKey,
    string RequestHash,
    Money Amount,
    Guid PaymentId,
    Guid Ticket,
    long CreatedMs);

/// <summary>
/// An order. Its transitions are here, pure: each gives the next order, or null where the state does not allow it. The
/// statements that write it repeat the guard.
/// </summary>
public sealed record Order(OrderFacts Facts, IReadOnlyList<OrderLine> Lines)
{
    private const string PaymentTimeout = "payment_timeout";

    /// <summary>Where it stands.</summary>
    public OrderState State { get; init; }

    /// <summary><c>GATEWAY</c> or <c>WALLET</c>; null until its payment is asked for.</summary>
    public string? Method { get; init; }

    /// <summary>The key under which its payment was asked for; null until then.</summary>
    public string? PayKey { get; init; }

    /// <summary>When it expires: the end of the hold, then the deadline of the payment.</summary>
    public long ExpiresMs { get; init; }

    /// <summary>When it changed last.</summary>
    public long ChangedMs { get; init; }

    /// <summary>Given back to the buyer, in minor units.</summary>
    public long Refunded { get; init; }

    /// <summary>On its way back, in minor units; not answered yet.</summary>
    public long Refunding { get; init; }

    /// <summary>Why the payment failed, or what is odd about it: a stable code; null otherwise.</summary>
    public string? FailReason { get; init; }

    /// <summary>Its id.</summary>
    public Guid Id => Facts.Id;

    /// <summary>True while something is held for it.</summary>
    public bool IsOpen => State is OrderState.TemporaryAssigned or OrderState.PaymentPending;

    /// <summary>True when all that can come of it has come: also its refunds are answered.</summary>
    public bool IsClosed => !IsOpen && State != OrderState.Confirmed && Refunding == 0;

    /// <summary>Where a line stands.</summary>
    public LineState StateOf(OrderLine line) => State switch
    {
        OrderState.TemporaryAssigned or OrderState.PaymentPending => LineState.Held,
        OrderState.Confirmed => line.IsCancelled ? LineState.Cancelled : LineState.Sold,
        OrderState.Cancelled => LineState.Cancelled,
        _ => LineState.Released,
    };

    /// <summary>
    /// Its payment is asked for; held until the deadline. Only from TemporaryAssigned, before it expires.
    /// </summary>
    public Order? Pay(string method, string key, long deadlineMs, long nowMs) =>
        State != OrderState.TemporaryAssigned || nowMs >= ExpiresMs ? null : this with
        {
            State = OrderState.PaymentPending, Method = method, PayKey = key, ExpiresMs = deadlineMs, ChangedMs = nowMs,
        };

    /// <summary>It is paid. Only while the payment is pending.</summary>
    public Order? Confirm(long nowMs) =>
        State != OrderState.PaymentPending ? null : this with { State = OrderState.Confirmed, ChangedMs = nowMs };

    /// <summary>The payment was refused. Only while it is pending.</summary>
    public Order? Fail(string reason, long nowMs) => State != OrderState.PaymentPending ? null : this with
    {
        State = OrderState.PaymentFailed, FailReason = reason, ChangedMs = nowMs,
    };

    /// <summary>Its time is over. Only while it is open and not before it expires.</summary>
    public Order? Expire(long nowMs) => !IsOpen || nowMs < ExpiresMs ? null : this with
    {
        State = OrderState.Expired,
        FailReason = State == OrderState.PaymentPending ? PaymentTimeout : "hold_timeout",
        ChangedMs = nowMs,
    };

    /// <summary>
    /// Money came for an order that expired while its payment was pending: all of it goes back. Null otherwise, also
    /// when it goes back already.
    /// </summary>
    public Order? ReturnLateMoney(long nowMs) =>
        State != OrderState.Expired || FailReason != PaymentTimeout ? null : this with
        {
            FailReason = "late_success", Refunding = Facts.Amount.AmountMinor, ChangedMs = nowMs,
        };

    /// <summary>
    /// Given up before it was paid, or given back after: all lines, or those of one merchant. Null when the state does
    /// not allow it, or nothing of it is left to give back.
    /// </summary>
    public Order? Cancel(string? merchantId, long nowMs)
    {
        if (State == OrderState.TemporaryAssigned)
        {
            return merchantId is null ? this with { State = OrderState.Cancelled, ChangedMs = nowMs } : null;
        }

        var given = GivenBackBy(merchantId);
        if (State != OrderState.Confirmed || given.Count == 0)
        {
            return null;
        }

        var lines = Lines.Select(l => given.Contains(l) ? l with { IsCancelled = true } : l).ToList();
        return (this with
        {
            Lines = lines,
            State = lines.TrueForAll(l => l.IsCancelled) ? OrderState.Cancelled : OrderState.Confirmed,
            Refunding = checked(Refunding + given.Sum(l => l.Amount)),
            ChangedMs = nowMs,
        }).Checked();
    }

    /// <summary>The lines that a cancellation gives back.</summary>
    public IReadOnlyList<OrderLine> GivenBackBy(string? merchantId) =>
        [.. Lines.Where(l => !l.IsCancelled && (merchantId is null || l.MerchantId == merchantId))];

    /// <summary>A refund was answered.</summary>
    public Order EndRefund(long amount, bool isDone, long nowMs) => (this with
    {
        Refunding = Refunding - amount,
        Refunded = isDone ? checked(Refunded + amount) : Refunded,
        FailReason = isDone ? FailReason : "refund_failed",
        ChangedMs = nowMs,
    }).Checked();

    private Order Checked()
    {
        Invariant.Check(Refunding >= 0 && Refunded >= 0, "refunds of an order are never negative");
        Invariant.Check(
            checked(Refunding + Refunded) <= Facts.Amount.AmountMinor, "no more is given back than was paid");
        return this;
    }
}

/// <summary>Money of an order that is given back: once for each merchant and reason.</summary>
/// <param name="OperationId">Its id as an operation of the payment.</param>
/// <param name="OrderId">The order.</param>
/// <param name="MerchantId">From whose part.</param>
/// <param name="Amount">In minor units.</param>
public sealed record Refund(Guid OperationId, Guid OrderId, string MerchantId, long Amount);
