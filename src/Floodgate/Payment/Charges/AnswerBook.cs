using Floodgate.Access;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Ledger;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>A charge, or an operation on one, as it was when it was taken up.</summary>
internal sealed record ChargeTask(Payment Payment, Operation? Operation)
{
    /// <summary>
    /// True for an order's payment that is stored together with its first answer. The recording that finds it stored
    /// clears it and decides again.
    /// </summary>
    public bool IsNew { get; set; }

    /// <summary>
    /// True for an order's payment whose provider may have seen it although no answer says so: a call of which no
    /// answer was recorded, here or before the start.
    /// </summary>
    public bool MayBeKnown { get; init; } =
        Operation is null && Payment is { IsOfOrder: true, State: PaymentState.Unknown };

    /// <summary>The id towards the provider, and of its postings.</summary>
    public Guid Id => Operation?.Id ?? Payment.Id;

    /// <summary>Whom to ask.</summary>
    public string Provider => Words.Of(Payment.Request.Method);

    /// <summary>True while an answer is outstanding.</summary>
    public bool IsPending => Operation?.IsPending ?? Payment.IsPending;

    /// <summary>True when the provider must be asked what became of it before anything else.</summary>
    public bool IsUnknown => Operation is { } o
        ? o.State == OperationState.Unknown
        : Payment.State == PaymentState.Unknown;

    /// <summary>For how long a charge must not be called any more, in milliseconds; negative while it may be.</summary>
    public long ExpiredForMs(long nowMs) =>
        Operation is null && Payment.NotAfterMs > 0 ? nowMs - Payment.NotAfterMs - 1 : -1;
}

/// <summary>What the provider said to a task, and where the task came from.</summary>
/// <param name="Task">The task.</param>
/// <param name="Answer">The answer; NotReached and Unknown put the task off until <paramref name="DueMs"/>.</param>
/// <param name="DueMs">When to try again.</param>
/// <param name="Attempts">Tries so far.</param>
/// <param name="Event">The event in work; null for a task that had been put off.</param>
internal sealed record Answered(ChargeTask Task, ProviderAnswer Answer, long DueMs, int Attempts, LoggedEvent? Event);

/// <summary>
/// Records providers' answers: state, postings, results, facts, put-off tasks and the group's offsets, all in one
/// transaction for a whole batch. Idempotent: only what is pending changes, so a second answer to the same
/// task has no effect. Rows are locked in one order: payments, accounts, heads of the log, offsets.
/// </summary>
internal sealed class AnswerBook : IAsyncDisposable
{
    private readonly Journal journal;
    private readonly IEventLog log;
    private readonly ChangeWatch watch;
    private readonly TimeProvider time;
    private readonly ChargesLog chargesLog;
    private readonly GroupCommit<Answered, bool> recording;

    public AnswerBook(
        Database database,
        IEventLog log,
        Journal journal,
        ChangeWatch watch,
        AnswerTools tools)
    {
        this.journal = journal;
        this.log = log;
        this.watch = watch;
        var settings = tools.Settings;
        time = tools.Time;
        chargesLog = tools.Log;
        recording = new GroupCommit<Answered, bool>(
            database,
            RecordAsync,
            new("answers", settings.QueueMax, settings.OutcomeBatchMax, database.WritersMax, long.MaxValue),
            time);
    }

    /// <summary>How far the events of the batch are, given by the worker when it runs.</summary>
    public Offsets? Offsets { get; set; }

    /// <summary>Records the answer; completes when it is durable, however long the database takes.</summary>
    public Task RecordAsync(Answered answered, CancellationToken cancel) => recording.SubmitAsync(answered, cancel);

    public ValueTask DisposeAsync() => recording.DisposeAsync();

    /// <summary>The task as it waits for its next try.</summary>
    public static DueCharge DueOf(Answered answered)
    {
        var (task, payment) = (answered.Task, answered.Task.Payment);
        var endMs = task.Operation is null && !task.MayBeKnown && answered.Answer.Verdict == ProviderVerdict.NotReached
            ? payment.NotAfterMs
            : 0;
        return new(task.Id, payment.Id, task.Provider, answered.DueMs, answered.Attempts, endMs);
    }

    private async ValueTask<IReadOnlyList<bool>> RecordAsync(Tx tx, IReadOnlyList<Answered> batch)
    {
        // One answer for each task: a redelivered event and a put-off task may meet here. One that knows wins.
        var answers = batch.OrderBy(a => a.Answer.Verdict).DistinctBy(a => a.Task.Id).OrderBy(a => a.Task.Id).ToList();
        var changes = new Changes();
        await SettleChargesAsync(tx, answers.FindAll(a => !a.Task.IsNew && !NeedsLock(a)), changes);
        await SettleLockedAsync(tx, answers.FindAll(a => a.Task.IsNew || NeedsLock(a)), changes);

        ChargesSql.Upsert(tx, [.. answers.Where(a => !IsKnown(a)).Select(DueOf)]);
        ChargesSql.DeleteDues(tx, [.. answers.Where(a => IsKnown(a) && a.Event is null).Select(a => a.Task.Id)]);
        await journal.PostAsync(tx, changes.Postings, changes.Locked);
        await log.AppendAsync(tx, changes.Events);
        if (Offsets is { } offsets)
        {
            offsets.CommitWith(tx, batch.Where(a => a.Event is not null).Select(a => a.Event!));
        }

        tx.OnCommitted(() =>
        {
            watch.Changed(changes.PaymentIds);
            chargesLog.Recorded(batch);
        });
        return new bool[batch.Count];
    }

    /// <summary>
    /// A charge at a gateway needs no lock: all it moves is known from the request, and the guarded update
    /// tells whether the answer is the first.
    /// </summary>
    private async ValueTask SettleChargesAsync(Tx tx, List<Answered> answers, Changes changes)
    {
        var next = new Dictionary<Guid, Payment>(answers.Count);
        foreach (var answered in answers)
        {
            if (Settle(answered.Task.Payment, answered.Answer) is { } payment)
            {
                next.Add(payment.Id, payment);
            }
        }

        foreach (var id in await ChargesSql.SettleAsync(tx, [.. next.Values]))
        {
            changes.AddCharge(next[id]);
        }
    }

    /// <summary>
    /// Wallets and operations are decided on the locked rows and balances, in the order of their ids; payments of
    /// orders are stored as they were decided.
    /// </summary>
    private async ValueTask SettleLockedAsync(Tx tx, List<Answered> answers, Changes changes)
    {
        if (answers.Count == 0)
        {
            return;
        }

        var stored = answers.Where(a => !a.Task.IsNew).Select(a => a.Task.Payment.Id).Distinct().ToList();
        var payments = (await ChargesSql.LockAsync(tx, stored)).ToDictionary(p => p.Id);
        foreach (var task in answers.Select(a => a.Task).Where(t => t.IsNew))
        {
            task.IsNew = payments.TryAdd(task.Id, task.Payment);
        }

        var operations = (await ChargesSql.SelectOperationsAsync(
            tx, [.. answers.Where(a => a.Task.Operation is not null).Select(a => a.Task.Id)])).ToDictionary(o => o.Id);
        changes.Locked = await journal.LockAsync(
            tx, payments.Values.SelectMany(p => Postings.CustomerAccounts(p.Request)).ToHashSet());
        var wallets = changes.Locked.ToDictionary(a => a.Key, a => a.Value.Balance);

        var fresh = answers.Select(a => a.Task).Where(t => t.IsNew).ToList();
        var charged = new List<Payment>();
        var moved = new Dictionary<Guid, Payment>();
        var answered = new List<Operation>();
        foreach (var answer in answers)
        {
            var payment = payments[answer.Task.Payment.Id];
            if (answer.Task.Operation is null)
            {
                if (Settle(payment, Funded(payment, answer.Answer, wallets)) is { } next)
                {
                    payments[payment.Id] = next;
                    if (!answer.Task.IsNew)
                    {
                        charged.Add(next);
                    }

                    Move(wallets, changes.AddCharge(next));
                }
            }
            else if (Settle(operations[answer.Task.Id], answer.Answer) is { } operation)
            {
                answered.Add(operation);
                var next = Apply(payment, operation);
                moved[payment.Id] = payments[payment.Id] = next;
                Move(wallets, changes.AddOperation(next, operation));
            }
        }

        await StoreAsync(tx, fresh, payments);
        await ChargesSql.SettleAsync(tx, charged);
        ChargesSql.Update(tx, answered);
        ChargesSql.Update(tx, moved.Values);
    }

    /// <summary>
    /// Inserts payments as they stand after their first answer. One that is there already, by the same event delivered
    /// twice, was decided on money that it does not move: the batch is decided again, knowing it.
    /// </summary>
    private static async ValueTask StoreAsync(
        Tx tx, List<ChargeTask> tasks, Dictionary<Guid, Payment> payments)
    {
        var inserted = (await ChargesSql.InsertAnsweredAsync(tx, [.. tasks.Select(t => payments[t.Id].Checked())]))
            .ToHashSet();
        if (inserted.Count == tasks.Count)
        {
            return;
        }

        var others = tasks.FindAll(t => !inserted.Contains(t.Id));
        var stored = (await ChargesSql.SelectStoredAsync(tx, others.ConvertAll(t => t.Id))).ToHashSet();
        if (stored.Count > 0)
        {
            others.FindAll(t => stored.Contains(t.Id)).ForEach(t => t.IsNew = false);
            throw new DatabaseUnavailableException(
                "Payments of this batch are stored already: decided again, it sees them.");
        }

        // Their key was used by another payment.
        var renamed = others.ConvertAll(t => payments[t.Id].WithOwnKey());
        inserted = [.. await ChargesSql.InsertAnsweredAsync(tx, renamed)];
        Invariant.Check(inserted.Count == renamed.Count, "an order's payment is stored with its first answer");
    }

    private Payment? Settle(Payment payment, ProviderAnswer answer) => answer.Verdict switch
    {
        ProviderVerdict.Approved => payment.Approve(NowMs)?.Checked(),
        ProviderVerdict.Declined => payment.Decline(answer.Reason ?? "declined", NowMs),
        ProviderVerdict.Unknown => payment.LoseSight(),
        _ => null,
    };

    private Operation? Settle(Operation operation, ProviderAnswer answer) => !operation.IsPending ? null
        : answer.Verdict switch
        {
            ProviderVerdict.Approved => operation with { State = OperationState.Succeeded, ProcessedAtMs = NowMs },
            ProviderVerdict.Declined => operation with
            {
                State = OperationState.Failed, FailReason = answer.Reason ?? "declined", ProcessedAtMs = NowMs,
            },
            ProviderVerdict.Unknown when operation.State == OperationState.Requested =>
                operation with { State = OperationState.Unknown },
            _ => null,
        };

    private Payment Apply(Payment payment, Operation operation) => operation.State switch
    {
        OperationState.Succeeded => OperationRules.Succeed(payment, operation),
        OperationState.Failed => OperationRules.Fail(payment, operation),
        _ => payment,
    };

    private long NowMs => UtcInstant.Now(time).Ms;

    /// <summary>A wallet approves as far as its balance goes; the balance counts what this batch has moved.</summary>
    private static ProviderAnswer Funded(
        Payment payment, ProviderAnswer answer, Dictionary<AccountName, long> wallets)
    {
        if (answer.Verdict != ProviderVerdict.Approved || payment.Request.Method != PaymentMethod.Wallet)
        {
            return answer;
        }

        var (request, amount) = (payment.Request, payment.Request.Amount);
        var wallet = AccountName.Wallet(request.MerchantId, request.UserId!, amount.Currency);
        return wallets[wallet] >= amount.AmountMinor
            ? answer
            : new ProviderAnswer(ProviderVerdict.Declined, "insufficient_funds");
    }

    private static void Move(Dictionary<AccountName, long> wallets, IEnumerable<Posting> postings)
    {
        foreach (var posting in postings)
        {
            if (wallets.TryGetValue(posting.Debit, out var debited))
            {
                wallets[posting.Debit] = debited - posting.Amount.AmountMinor;
            }

            if (wallets.TryGetValue(posting.Credit, out var credited))
            {
                wallets[posting.Credit] = credited + posting.Amount.AmountMinor;
            }
        }
    }

    private static bool IsKnown(Answered answered) =>
        answered.Answer.Verdict is ProviderVerdict.Approved or ProviderVerdict.Declined;

    private static bool NeedsLock(Answered answered) => answered.Task.Operation is not null
        || answered.Task.Payment.Request is { Method: PaymentMethod.Wallet } or { Purpose: PaymentPurpose.TopUp };

    /// <summary>What a batch changes besides the rows of payments.</summary>
    private sealed class Changes
    {
        public List<Posting> Postings { get; } = [];

        /// <summary>The customers' accounts, which are locked already.</summary>
        public Dictionary<AccountName, Account> Locked { get; set; } = [];

        public List<NewEvent> Events { get; } = [];

        public List<Guid> PaymentIds { get; } = [];

        public List<Posting> AddCharge(Payment payment)
        {
            var moved = payment.State is PaymentState.Authorized or PaymentState.Captured
                ? Charges.Postings.OfCharge(payment).ToList()
                : [];
            return Add(payment, null, !payment.IsPending, moved);
        }

        public List<Posting> AddOperation(Payment after, Operation operation)
        {
            var moved = operation.State == OperationState.Succeeded
                ? Charges.Postings.OfOperation(after, operation).ToList()
                : [];
            return Add(after, operation, !operation.IsPending, moved);
        }

        private List<Posting> Add(Payment payment, Operation? operation, bool isFinal, List<Posting> moved)
        {
            Postings.AddRange(moved);
            PaymentIds.Add(payment.Id);
            if (isFinal)
            {
                PaymentEvents.AddAnswer(Events, payment, operation);
            }

            return moved;
        }
    }
}

/// <summary>What recording needs besides its stores.</summary>
internal sealed record AnswerTools(ChargesSettings Settings, TimeProvider Time, ChargesLog Log);
