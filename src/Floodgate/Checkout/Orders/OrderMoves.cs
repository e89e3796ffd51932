using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>What can be asked of an order that was placed.</summary>
public enum OrderChangeKind
{
    /// <summary>Ask for its payment.</summary>
    Pay,

    /// <summary>Give it up, or give back what was sold.</summary>
    Cancel,
}

/// <summary>Who asks: what is not theirs is not there for them.</summary>
/// <param name="Buyer">The buyer by token; null for others.</param>
/// <param name="MerchantId">The merchant; null for others. With both null it is an operator.</param>
public readonly record struct Asker(Buyer? Buyer, string? MerchantId)
{
    /// <summary>
    /// True when all of the order is theirs: the buyer's own, a customer's of the merchant, an operator's.
    /// </summary>
    public bool Owns(Order order) => Buyer is { } buyer ? order.Facts.Buyer == buyer.ToString()
        : MerchantId is null || Access.Buyer.FromStored(order.Facts.Buyer).Realm == MerchantId;

    /// <summary>True when they may look at it: also a merchant who earns some of it.</summary>
    public bool Sees(Order order)
    {
        var merchant = MerchantId;
        return Owns(order) || (Buyer is null && order.Lines.Any(l => l.MerchantId == merchant));
    }
}

/// <summary>A change that is asked for.</summary>
/// <param name="OrderId">Of which order.</param>
/// <param name="Asker">By whom.</param>
/// <param name="Kind">What.</param>
/// <param name="Method">To pay: how.</param>
/// <param name="Key">To pay: the idempotency key.</param>
/// <param name="MerchantId">To cancel: only the lines of this merchant; null for all.</param>
public sealed record OrderChange(
    Guid OrderId, Asker Asker, OrderChangeKind Kind, string? Method, string? Key, string? MerchantId);

/// <summary>What can come of a change, in the order in which it is checked.</summary>
public enum ChangeOutcome
{
    /// <summary>There is no such order, or it is not the asker's.</summary>
    NotFound,

    /// <summary>It was asked for before, with the same key or to the same end: the order as it is.</summary>
    Replayed,

    /// <summary>It is paid already, on its way to be, or over.</summary>
    NotPayable,

    /// <summary>The waiting-room ticket that it was let in with is not active any more.</summary>
    TicketNotActive,

    /// <summary>Its payment is on the way: wait for its outcome.</summary>
    PaymentPending,

    /// <summary>It is over, or the lines are not the asker's to give back.</summary>
    NotCancellable,

    /// <summary>Done.</summary>
    Done,
}

/// <summary>An outcome, and the order as it is after it; null when there is none to show.</summary>
public readonly record struct Changed(ChangeOutcome Outcome, Order? Order);

/// <summary>What became of a payment, or of a refund, of an order.</summary>
/// <param name="OrderId">The order.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="RefundId">The operation, when it is the answer to a refund.</param>
/// <param name="IsDone">The money moved.</param>
/// <param name="Reason">Why not; a stable code.</param>
public sealed record PaymentOutcome(Guid OrderId, Guid PaymentId, Guid? RefundId, bool IsDone, string? Reason);

/// <summary>
/// Moves orders from state to state, many in one transaction, with all that follows: what is held, refunds, events.
/// Every way out of a state goes through here, so a hold is released once and money is given back once: orders are
/// locked by id first, then pools, tickets and the log.
/// </summary>
public sealed class OrderMoves
{
    private readonly HoldBook holds;
    private readonly ChangeWatch watch;
    private readonly OrderTools tools;

    internal OrderMoves(HoldBook holds, ChangeWatch watch, OrderTools tools)
    {
        this.holds = holds;
        this.watch = watch;
        this.tools = tools;
    }

    /// <summary>
    /// Confirms what was paid and releases what was not, for a whole batch. Money that came too late goes back by
    /// itself. Idempotent: what an order's state does not wait for changes nothing. Locks orders and pools, appends
    /// facts and refund requests; call it as the last but the offsets.
    /// </summary>
    public async ValueTask SettleAsync(Tx tx, IReadOnlyList<PaymentOutcome> outcomes)
    {
        var orders = await LockAsync(tx, outcomes.Select(o => o.OrderId));
        var refunds = outcomes.Where(o => o.RefundId is not null).DistinctBy(o => o.RefundId).ToList();
        var ended = refunds.Count == 0
            ? []
            : (await OrdersSql.EndAsync(tx, [.. refunds.Select(o => (o.RefundId!.Value, o.IsDone))]))
                .ToDictionary(r => r.OperationId);
        var batch = new Batch(orders, NowMs);
        foreach (var outcome in outcomes)
        {
            if (orders.TryGetValue(outcome.OrderId, out var order) && order.Facts.PaymentId == outcome.PaymentId)
            {
                Settle(batch, order, outcome, ended);
            }
        }

        await WriteAsync(tx, batch);
    }

    /// <summary>Decides changes in their order; a later one sees what an earlier one did.</summary>
    internal async ValueTask<IReadOnlyList<Changed>> DecideAsync(Tx tx, IReadOnlyList<OrderChange> changes)
    {
        var orders = await LockAsync(tx, changes.Select(c => c.OrderId));
        var tickets = changes.Where(c => c.Kind == OrderChangeKind.Pay && orders.ContainsKey(c.OrderId))
            .Select(c => orders[c.OrderId].Facts.Ticket).Where(t => t != Guid.Empty).ToList();
        var batch = new Batch(orders, NowMs)
        {
            ActiveTickets = tickets.Count == 0 ? [] : (await tools.Rooms.ActiveAsync(tx, tickets)).ToHashSet(),
        };
        var outcomes = changes.Select(change => Decide(batch, change)).ToList();
        await WriteAsync(tx, batch);
        return outcomes;
    }

    /// <summary>
    /// Uses up the tickets of orders whose payment is asked for. Another transaction that used one first makes this one
    /// be decided again.
    /// </summary>
    internal static async ValueTask UseTicketsAsync(Tx tx, WaitingRooms rooms, IEnumerable<Order> orders)
    {
        var tickets = orders.Where(o => o.State == OrderState.PaymentPending && o.Facts.Ticket != Guid.Empty)
            .Select(o => o.Facts.Ticket).ToList();
        if (tickets.Count > 0 && (await rooms.UseAsync(tx, tickets)).Count < tickets.Count)
        {
            throw new DatabaseUnavailableException(
                "Another order used one of these tickets meanwhile: decided again, the batch sees that.");
        }
    }

    /// <summary>Expires what is due: at most a page; false when nothing was due.</summary>
    internal async ValueTask<bool> ExpireAsync(Tx tx, int page)
    {
        var nowMs = NowMs;
        var due = await OrdersSql.SelectDueAsync(tx, nowMs, page);
        if (due.Count == 0)
        {
            return false;
        }

        var orders = await LockAsync(tx, due.Select(d => d.OrderId));
        var batch = new Batch(orders, nowMs);
        foreach (var order in orders.Values.ToList())
        {
            batch.Take(order, order.Expire(nowMs));
        }

        OrdersSql.Delete(tx, due);
        await WriteAsync(tx, batch);
        return true;
    }

    /// <summary>The request for an order's payment.</summary>
    internal static NewEvent PaymentOf(Order order)
    {
        var (facts, buyer) = (order.Facts, Buyer.FromStored(order.Facts.Buyer));
        return OrderEvents.Of(new OrderPayment(
            facts.PaymentId, facts.Id, buyer.Realm, buyer.UserId, facts.Amount.AmountMinor, facts.Amount.Currency.Code,
            order.Method!, facts.Id.ToString(), PartsOf(order.Lines), order.ExpiresMs, order.ChangedMs));
    }

    private long NowMs => UtcInstant.Now(tools.Time).Ms;

    private static async ValueTask<Dictionary<Guid, Order>> LockAsync(Tx tx, IEnumerable<Guid> ids) =>
        (await OrdersSql.LockAsync(tx, [.. ids.Distinct()])).ToDictionary(o => o.Id);

    private static void Settle(
        Batch batch, Order order, PaymentOutcome outcome, Dictionary<Guid, Refund> ended)
    {
        if (outcome.RefundId is { } refundId)
        {
            // Removed: of two answers to one refund in this batch, one counts.
            if (ended.Remove(refundId, out var refund))
            {
                batch.Take(order, order.EndRefund(refund.Amount, outcome.IsDone, batch.NowMs));
            }
        }
        else if (!outcome.IsDone)
        {
            batch.Take(order, order.Fail(outcome.Reason ?? "declined", batch.NowMs));
        }
        else
        {
            batch.Take(order, order.Confirm(batch.NowMs) ?? order.ReturnLateMoney(batch.NowMs));
        }
    }

    private Changed Decide(Batch batch, OrderChange change)
    {
        if (!batch.Orders.TryGetValue(change.OrderId, out var order) || !change.Asker.Sees(order))
        {
            return new(ChangeOutcome.NotFound, null);
        }

        var (outcome, next) = change.Kind == OrderChangeKind.Pay
            ? DecidePay(batch, order, change)
            : DecideCancel(order, change, batch.NowMs);
        batch.Take(order, next);
        return new(outcome, next ?? order);
    }

    private (ChangeOutcome Outcome, Order? Next) DecidePay(Batch batch, Order order, OrderChange change)
    {
        if (!change.Asker.Owns(order))
        {
            return (ChangeOutcome.NotFound, null);
        }

        if (order.PayKey is not null)
        {
            var isSame = order.PayKey == change.Key && order.Method == change.Method;
            return (isSame ? ChangeOutcome.Replayed : ChangeOutcome.NotPayable, null);
        }

        var deadlineMs = batch.NowMs + (tools.Settings.PaymentSeconds * 1_000L);
        if (order.Pay(change.Method!, change.Key!, deadlineMs, batch.NowMs) is not { } paid)
        {
            return (ChangeOutcome.NotPayable, null);
        }

        return order.Facts.Ticket == Guid.Empty || batch.ActiveTickets.Remove(order.Facts.Ticket)
            ? (ChangeOutcome.Done, paid)
            : (ChangeOutcome.TicketNotActive, null);
    }

    private static (ChangeOutcome Outcome, Order? Next) DecideCancel(Order order, OrderChange change, long nowMs)
    {
        // A merchant who only earns some of it gives back that and no more.
        var merchant = change.Asker.Owns(order) ? change.MerchantId : change.Asker.MerchantId;
        if (change.MerchantId is not null && change.MerchantId != merchant)
        {
            return (ChangeOutcome.NotCancellable, null);
        }

        if (order.State == OrderState.PaymentPending)
        {
            return (ChangeOutcome.PaymentPending, null);
        }

        var isGivenBack = order.State == OrderState.Cancelled
            || (order.State == OrderState.Confirmed
                && order.GivenBackBy(merchant).Count == 0
                && order.Lines.Any(l => l.MerchantId == merchant));
        return isGivenBack ? (ChangeOutcome.Replayed, null)
            : order.Cancel(merchant, nowMs) is { } next ? (ChangeOutcome.Done, next)
            : (ChangeOutcome.NotCancellable, null);
    }

    private async ValueTask WriteAsync(Tx tx, Batch batch)
    {
        var changes = batch.Changes();
        if (changes.Count == 0)
        {
            return;
        }

        OrdersSql.Update(tx, changes);
        OrdersSql.InsertDue(tx, [.. changes.Where(c => IsNewlyPending(c.Before, c.After)).Select(c => c.After)]);
        var refunds = changes.SelectMany(c => RefundsOf(c.Before, c.After).Select(r => (c.After, Refund: r))).ToList();
        OrdersSql.Insert(tx, [.. refunds.Select(r => r.Refund)]);
        await holds.MoveAsync(tx, [.. changes.SelectMany(c => MovesOf(c.Before, c.After))]);
        await UseTicketsAsync(
            tx, tools.Rooms, changes.Where(c => IsNewlyPending(c.Before, c.After)).Select(c => c.After));
        await tools.Log.AppendAsync(
            tx,
            [
                .. changes.SelectMany(c => EventsOf(c.Before, c.After)),
                .. refunds.Select(r => EventOf(r.After, r.Refund)),
            ]);
        tx.OnCommitted(() =>
        {
            watch.Changed([.. changes.Select(c => c.After.Id)]);
            OrdersLog.CountMoved(changes);
        });
    }

    private static bool IsNewlyPending(Order before, Order after) =>
        after.State == OrderState.PaymentPending && before.State != OrderState.PaymentPending;

    private static IEnumerable<HoldMove> MovesOf(Order before, Order after) =>
        from line in before.Lines
        let kind = (before.StateOf(line), after.StateOf(after.Lines[line.Number])) switch
        {
            (LineState.Held, LineState.Sold) => MoveKind.Confirm,
            (LineState.Held, LineState.Released or LineState.Cancelled) => MoveKind.Release,
            (LineState.Sold, LineState.Cancelled) => MoveKind.Return,
            _ => (MoveKind?)null,
        }
        where kind is not null
        select new HoldMove(
            kind.Value, after.Id, after.Facts.Buyer, line.ProductId, line.Quantity, line.Places);

    /// <summary>
    /// New refunds: for each merchant what of its lines is given back, or all of it when it came late.
    /// </summary>
    private IEnumerable<Refund> RefundsOf(Order before, Order after)
    {
        if (after.Refunding <= before.Refunding)
        {
            return [];
        }

        var given = after.State == OrderState.Expired
            ? after.Lines
            : before.Lines.Where(l => !l.IsCancelled && after.StateOf(after.Lines[l.Number]) == LineState.Cancelled);
        var refunds = PartsOf(given)
            .Select(part => new Refund(tools.Ids.Next(), after.Id, part.MerchantId, part.Amount)).ToList();
        Invariant.Check(
            refunds.Sum(r => r.Amount) == after.Refunding - before.Refunding, "refunds are the sum of their parts");
        return refunds;
    }

    private static IEnumerable<NewEvent> EventsOf(Order before, Order after)
    {
        if (IsNewlyPending(before, after))
        {
            yield return PaymentOf(after);
        }

        if (before.State != OrderState.Confirmed && after.State == OrderState.Confirmed)
        {
            yield return FactOf(OrderEvents.Confirmed, after, after.Lines);
        }

        var returned = before.Lines.Where(l => before.StateOf(l) == LineState.Sold
            && after.StateOf(after.Lines[l.Number]) == LineState.Cancelled).ToList();
        if (returned.Count > 0)
        {
            yield return FactOf(OrderEvents.Cancelled, after, returned);
        }
    }

    private static NewEvent FactOf(string type, Order order, IEnumerable<OrderLine> lines)
    {
        var buyer = Buyer.FromStored(order.Facts.Buyer);
        return OrderEvents.Of(type, new OrderFact(
            order.Id, order.Facts.SaleId, buyer.Realm, buyer.UserId, order.Facts.Amount.Currency.Code,
            [.. lines.Select(l => new OrderFactLine(l.ProductId, l.MerchantId, l.Quantity, l.Amount))],
            order.ChangedMs));
    }

    private static NewEvent EventOf(Order order, Refund refund)
    {
        var buyer = Buyer.FromStored(order.Facts.Buyer);
        return OrderEvents.Of(new OrderRefund(
            refund.OperationId, order.Facts.PaymentId, order.Id, buyer.Realm, buyer.UserId, refund.MerchantId,
            refund.Amount, order.Facts.Amount.Currency.Code, refund.OperationId.ToString(),
            order.State == OrderState.Expired ? "late_success" : "cancelled", order.ChangedMs));
    }

    private static List<OrderPart> PartsOf(IEnumerable<OrderLine> lines) =>
        [.. lines.GroupBy(l => l.MerchantId).Select(g => new OrderPart(g.Key, checked(g.Sum(l => l.Amount))))];

    /// <summary>Orders of a transaction as they were locked, and as they are after what was decided so far.</summary>
    private sealed class Batch(Dictionary<Guid, Order> orders, long nowMs)
    {
        private readonly Dictionary<Guid, Order> locked = [];

        public IReadOnlyDictionary<Guid, Order> Orders => orders;

        public long NowMs => nowMs;

        /// <summary>Tickets of orders that are to be paid; one is used once.</summary>
        public HashSet<Guid> ActiveTickets { get; init; } = [];

        /// <summary>Takes the next state of an order; null changes nothing.</summary>
        public void Take(Order order, Order? next)
        {
            if (next is not null)
            {
                locked.TryAdd(order.Id, order);
                orders[order.Id] = next;
            }
        }

        /// <summary>Each order that changed, once, in the order of ids.</summary>
        public List<(Order Before, Order After)> Changes() =>
            [.. locked.Values.OrderBy(o => o.Id).Select(before => (before, orders[before.Id]))];
    }
}
