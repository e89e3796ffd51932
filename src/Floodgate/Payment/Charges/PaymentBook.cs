using System.Collections.Concurrent;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>What can come of asking for a payment, in the order in which it is checked.</summary>
public enum AcceptOutcome
{
    /// <summary>The same key is being accepted at this moment: ask again.</summary>
    KeyInUse,

    /// <summary>The queue is full: ask again later.</summary>
    Busy,

    /// <summary>The key was used for another payment request.</summary>
    KeyReused,

    /// <summary>Accepted before under the same key with the same request: the first answer again.</summary>
    Replayed,

    /// <summary>Durable; it will reach exactly one final state.</summary>
    Accepted,
}

/// <summary>An outcome, with the payment when it was accepted or replayed.</summary>
public readonly record struct Accepted(AcceptOutcome Outcome, Payment? Payment);

/// <summary>An operation's outcome, with what there is to tell.</summary>
public readonly record struct Asked(OperationOutcome Outcome, Operation? Operation, Payment? Payment);

/// <summary>
/// The intake: accepts payments and operations, each once for its key, with the event that asks for its
/// processing in the same transaction, and answers after the commit.
/// </summary>
public sealed class PaymentBook : IAsyncDisposable
{
    // Set once.
    private readonly Database database;
    private readonly IEventLog log;
    private readonly Ids ids;
    private readonly TimeProvider time;
    private readonly GroupCommit<Payment, Accepted> accepting;
    private readonly GroupCommit<Asking, Asked> asking;

    // Keys between arrival and commit.
    private readonly ConcurrentDictionary<(string MerchantId, string Key, bool IsOperation), bool> inUse = new();

    /// <summary>Starts the two group commits.</summary>
    public PaymentBook(Database database, IEventLog log, ChargesSettings settings, Ids ids, TimeProvider time)
    {
        this.database = database;
        this.log = log;
        this.ids = ids;
        this.time = time;
        GroupCommitLimits Limits(string name) => new(
            name, settings.QueueMax, settings.BatchMax, database.WritersMax, settings.AcceptGiveUpMs);
        accepting = new(database, AcceptAsync, Limits("accept"), time);
        asking = new(database, AskAsync, Limits("operations"), time);
    }

    /// <summary>
    /// Accepts a payment. Appends <c>payment.requested</c>. Idempotent by the merchant's key: N concurrent
    /// calls make one payment.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; the same key may be sent
    /// again.</exception>
    public async ValueTask<Accepted> AcceptAsync(PaymentRequest request)
    {
        var key = (request.MerchantId, request.IdempotencyKey, false);
        if (!inUse.TryAdd(key, true))
        {
            return new(AcceptOutcome.KeyInUse, null);
        }

        try
        {
            var payment = new Payment(ids.Next(), request, UtcInstant.Now(time).Ms);
            var accepted = accepting.TrySubmit(payment);
            return accepted is null ? new(AcceptOutcome.Busy, null) : await accepted;
        }
        finally
        {
            inUse.TryRemove(key, out _);
        }
    }

    /// <summary>
    /// Accepts an operation and reserves its amount. Locks the payment, appends
    /// <c>payment.operation-requested</c>. Idempotent by the merchant's key; a refusal is not remembered.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; the same key may be sent
    /// again.</exception>
    public async ValueTask<Asked> AskAsync(OperationRequest request)
    {
        var key = (request.MerchantId, request.IdempotencyKey, true);
        if (!inUse.TryAdd(key, true))
        {
            return new(OperationOutcome.KeyInUse, null, null);
        }

        try
        {
            var operation = new Operation(ids.Next(), request.PaymentId, request, 0, UtcInstant.Now(time).Ms);
            return asking.TrySubmit(new(operation, null)) is { } asked
                ? await asked
                : new(OperationOutcome.Busy, null, null);
        }
        finally
        {
            inUse.TryRemove(key, out _);
        }
    }

    /// <summary>
    /// Takes up the refund that an order asks for: like <see cref="AskAsync(OperationRequest)"/>, but under the id that
    /// the order made, and without an event: the order's own is in work. Waits for room in the queue. A repeat is
    /// Accepted or Replayed, with the operation as it stands.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; ask again.</exception>
    internal Task<Asked> AskAsync(OrderRefund refund, CancellationToken cancel) =>
        asking.SubmitAsync(new(OrderRequests.OperationOf(refund), refund.OrderId.ToString()), cancel);

    /// <summary>The payment with this id of the merchant (of any with null), or null.</summary>
    public async ValueTask<Payment?> FindAsync(Guid id, string? merchantId, CancellationToken cancel)
    {
        var found = await database.ReadAsync(tx => ChargesSql.SelectAsync(tx, [id]), cancel);
        return found.Find(p => merchantId is null || p.Request.MerchantId == merchantId);
    }

    /// <summary>The operations of a payment in the order of acceptance (at most 1,000).</summary>
    public ValueTask<List<Operation>> OperationsOfAsync(Guid paymentId, CancellationToken cancel) =>
        database.ReadAsync(tx => ChargesSql.SelectOperationsOfAsync(tx, paymentId), cancel);

    /// <summary>The operation with this id, or null.</summary>
    public async ValueTask<Operation?> FindOperationAsync(Guid id, CancellationToken cancel) =>
        (await database.ReadAsync(tx => ChargesSql.SelectOperationsAsync(tx, [id]), cancel)).FirstOrDefault();

    /// <summary>The merchant's payments (everybody's with null) after an id, at most <paramref name="max"/>.</summary>
    public ValueTask<List<Payment>> ListAsync(string? merchantId, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => ChargesSql.SelectPageAsync(tx, merchantId, after, max), cancel);

    /// <summary>
    /// What was captured of these payments, as their events tell it: for readers who meet a refund before its capture.
    /// </summary>
    public static async ValueTask<IReadOnlyList<PaymentFact>> CapturesOfAsync(Tx tx, IReadOnlyList<Guid> ids)
    {
        var facts = new List<PaymentFact>(ids.Count);
        foreach (var payment in (await ChargesSql.SelectAsync(tx, ids)).Where(p => p.Captured > 0))
        {
            var capture = payment.Request.Capture
                ? null
                : (await ChargesSql.SelectOperationsOfAsync(tx, payment.Id)).Find(o =>
                    o is { Request.Kind: OperationKind.Capture, State: OperationState.Succeeded });
            facts.Add(PaymentFact.OfCapture(payment, capture));
        }

        return facts;
    }

    /// <summary>Finishes what was taken in.</summary>
    public async ValueTask DisposeAsync()
    {
        await accepting.DisposeAsync();
        await asking.DisposeAsync();
    }

    private async ValueTask<IReadOnlyList<Accepted>> AcceptAsync(Tx tx, IReadOnlyList<Payment> batch)
    {
        // The insert is the idempotency check: a key that is there, or comes twice in this batch, is not inserted.
        var inserted = (await ChargesSql.InsertAsync(tx, batch)).ToHashSet();
        var stored = new Dictionary<(string, string), Payment>();
        if (inserted.Count < batch.Count)
        {
            var others = batch.Where(p => !inserted.Contains(p.Id)).Select(p => p.Request).ToList();
            foreach (var payment in await ChargesSql.SelectByKeysAsync(tx, others))
            {
                stored[(payment.Request.MerchantId, payment.Request.IdempotencyKey)] = payment;
            }
        }

        await log.AppendAsync(tx, [.. batch.Where(p => inserted.Contains(p.Id)).Select(PaymentEvents.Request)]);
        return [.. batch.Select(p => inserted.Contains(p.Id)
            ? new Accepted(AcceptOutcome.Accepted, p)
            : Answer(p, stored[(p.Request.MerchantId, p.Request.IdempotencyKey)]))];
    }

    private static Accepted Answer(Payment asked, Payment stored)
    {
        if (stored.Request != asked.Request)
        {
            return new(AcceptOutcome.KeyReused, null);
        }

        // The same id: this very command was committed by a try whose answer was lost.
        return new(stored.Id == asked.Id ? AcceptOutcome.Accepted : AcceptOutcome.Replayed, stored);
    }

    private async ValueTask<IReadOnlyList<Asked>> AskAsync(Tx tx, IReadOnlyList<Asking> batch)
    {
        var payments = (await ChargesSql.LockAsync(tx, [.. batch.Select(a => a.Operation.PaymentId).Distinct()]))
            .ToDictionary(p => p.Id);
        // Twice in a batch, a key would be found twice: an order's event that was delivered again.
        var known = (await ChargesSql.SelectByKeysAsync(tx, [.. batch.Select(a => a.Operation.Request)]))
            .DistinctBy(o => o.Id)
            .ToDictionary(o => (o.Request.MerchantId, o.Request.IdempotencyKey));
        var accepted = new List<Operation>();
        var events = new List<Operation>();
        var outcomes = new List<Asked>(batch.Count);
        foreach (var (operation, orderId) in batch)
        {
            var asked = Decide(operation, orderId, payments, known);
            outcomes.Add(asked);
            if (asked.Outcome == OperationOutcome.Accepted && asked.Operation!.Id == operation.Id
                && known.TryAdd((operation.Request.MerchantId, operation.Request.IdempotencyKey), asked.Operation))
            {
                accepted.Add(asked.Operation);
                if (orderId is null)
                {
                    events.Add(asked.Operation);
                }

                payments[operation.PaymentId] = asked.Payment!;
            }
        }

        if (accepted.Count > 0)
        {
            var inserted = await ChargesSql.InsertAsync(tx, accepted);
            if (inserted.Count < accepted.Count)
            {
                throw new DatabaseUnavailableException(
                    "Another node used one of these keys meanwhile: decided again, the batch sees what it did.");
            }

            ChargesSql.Update(tx, [.. accepted.Select(o => payments[o.PaymentId]).DistinctBy(p => p.Id)]);
            await log.AppendAsync(tx, [.. events.Select(o => PaymentEvents.Request(payments[o.PaymentId], o))]);
        }

        return outcomes;
    }

    /// <summary>Checks in the order of <see cref="OperationOutcome"/>: the key first, so that a repeat gets its first
    /// answer whatever has happened since.</summary>
    private static Asked Decide(
        Operation operation,
        string? orderId,
        Dictionary<Guid, Payment> payments,
        Dictionary<(string, string), Operation> known)
    {
        var request = operation.Request;
        var payment = payments.GetValueOrDefault(request.PaymentId);
        if (known.TryGetValue((request.MerchantId, request.IdempotencyKey), out var earlier))
        {
            var outcome = earlier.Request != request ? OperationOutcome.KeyReused
                : earlier.Id == operation.Id ? OperationOutcome.Accepted
                : OperationOutcome.Replayed;
            return new(outcome, earlier, payment);
        }

        if (payment is null || payment.Request.MerchantId != request.MerchantId
            || (orderId is not null && payment.Request.OrderId != orderId))
        {
            return new(OperationOutcome.NotFound, null, null);
        }

        var (decision, amount, reserved) = OperationRules.Decide(payment, request);
        return new(decision, operation with { Amount = amount }, reserved);
    }

    /// <summary>An operation that is asked for; of an order, which, and its event is in the log already.</summary>
    private readonly record struct Asking(Operation Operation, string? OrderId);
}
