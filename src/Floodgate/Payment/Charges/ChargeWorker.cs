using System.Collections.Concurrent;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Hosting;

namespace Floodgate.Payment.Charges;

/// <summary>
/// Carries accepted payments and operations, and what orders ask for, to their provider and its answers back. Two
/// loops: the consumer of <c>payment-requests</c>, and the due loop of each provider for what was put off (not reached,
/// breaker open, outcome unknown). Idempotent by the id of the payment or operation.
/// </summary>
/// <remarks>
/// An order's payment is in one hand at a time: the event's until it is stored, the due loop's from then on. So a
/// charge that is declined because its order has expired has no call under way.
/// </remarks>
internal sealed class ChargeWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "charges";

    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(1);

    // How far the clock of the node that took the order may be ahead.
    private const long ClockSkewMsMax = 60_000;

    private readonly Database database;
    private readonly PaymentBook book;
    private readonly ProviderGates gates;
    private readonly AnswerBook answers;
    private readonly ChargesLog log;
    private readonly TimeProvider time;
    private volatile bool isPaused;

    // Orders' payments whose provider was called and whose answer is not recorded; a dead letter leaves its own behind.
    private readonly ConcurrentDictionary<Guid, bool> unrecorded = new();
    private readonly long startedAtMs;

    // Whether other processes consume the same log.
    private readonly bool isShared;

    public ChargeWorker(
        Database database,
        IEventLog eventLog,
        PaymentBook book,
        ProviderGates gates,
        AnswerBook answers,
        ChargeWorkerTools tools)
    {
        this.database = database;
        this.book = book;
        this.gates = gates;
        this.answers = answers;
        log = tools.Log;
        time = tools.Consumer.Time;
        startedAtMs = UtcInstant.Now(time).Ms;
        isShared = tools.LogSettings.Kafka is not null;
        Consumer = new Consumer<ChargeMessage>(
            database,
            eventLog,
            new ConsumerPlan<ChargeMessage>(Group, [PaymentEvents.Requests], PrepareAsync, HandleAsync),
            tools.LogSettings,
            tools.Consumer);
    }

    /// <summary>The consumer, for the desk: pause, lag, failure.</summary>
    public Consumer<ChargeMessage> Consumer { get; }

    /// <summary>Stops taking up work, new and put off; what is in work is finished.</summary>
    public void Pause()
    {
        Consumer.Pause();
        isPaused = true;
    }

    /// <summary>Takes up work again.</summary>
    public void Resume()
    {
        isPaused = false;
        Consumer.Resume();
    }

    /// <summary>Why the due loops stopped by themselves; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Consumer.Started += offsets => answers.Offsets = offsets;
        if (isShared)
        {
            await Task.WhenAll(Consumer.RunAsync(stoppingToken), RunDuesAsOwnerAsync(stoppingToken));
            return;
        }

        await LoseSightAsync(stoppingToken);
        await Task.WhenAll(Consumer.RunAsync(stoppingToken), RunDuesAsync(stoppingToken));
    }

    private async ValueTask<IReadOnlyList<Prepared<ChargeMessage>>> PrepareAsync(
        IReadOnlyList<LoggedEvent> events, CancellationToken cancel)
    {
        var requests = events.Select(e => PaymentEvents.Parse(e.Type, e.Payload)).ToList();
        var named = requests.Where(r => r.Ids is not null).Select(r => r.Ids!).ToList();
        var tasks = await LoadAsync(named, cancel);
        return [.. requests.Select(r => r.Ids is null ? new(null, r.Error) : PreparedOf(tasks, r))];
    }

    private static Prepared<ChargeMessage> PreparedOf(Dictionary<Guid, ChargeTask> tasks, Requested request)
    {
        var isStored = tasks.TryGetValue(request.Id, out var task);
        return (isStored, request) switch
        {
            // What of it is pending is put off, with its row: the due loop's.
            (true, { Payment: { } payment }) => task!.Payment.Request.OrderId == payment.Request.OrderId
                ? default
                : new(null, "the payment's id is the one of another order's"),
            (true, _) => new(task!.IsPending ? new(task, null) : null, null),
            (_, { Payment: { } payment }) => new(new(new ChargeTask(payment, null) { IsNew = true }, null), null),
            (_, { Refund: { } refund }) => new(new(null, refund), null),
            _ => new(null, "no payment or operation of this id is stored here"),
        };
    }

    private async Task HandleAsync(Delivery<ChargeMessage> delivery, CancellationToken cancel)
    {
        var task = delivery.Message.Refund is { } refund
            ? await TakeUpAsync(refund, cancel)
            : delivery.Message.Task!;
        if (task.IsPending)
        {
            await answers.RecordAsync(await AskAsync(task, 0, delivery.Event, cancel), cancel);
            unrecorded.TryRemove(task.Id, out _);
        }
    }

    /// <summary>The operation of an order's refund: durable before the provider is called.</summary>
    private async Task<ChargeTask> TakeUpAsync(OrderRefund refund, CancellationToken cancel)
    {
        var (outcome, operation, payment) = await book.AskAsync(refund, cancel);
        if (outcome is OperationOutcome.Accepted or OperationOutcome.Replayed)
        {
            return new ChargeTask(payment!, operation);
        }

        var fault = PaymentRequests.FaultOf(outcome, OrderRequests.OperationOf(refund).Request, payment);
        throw new BadEventException($"the refund is refused: {fault.Kind.Code}: {fault.Detail}");
    }

    private Task<Answered> AskAsync(ChargeTask task, int attempts, LoggedEvent? e, CancellationToken cancel)
    {
        if (task.Operation is not null || !task.Payment.IsOfOrder || task.Provider == WalletProvider.WalletName)
        {
            return gates.AskAsync(task, attempts, e, cancel);
        }

        var isFirst = unrecorded.TryAdd(task.Id, true)
            && e is not { MayBeRepeated: true }
            && (!task.IsNew || task.Payment.RequestedAtMs > startedAtMs + ClockSkewMsMax);
        return gates.AskAsync(task with { MayBeKnown = task.MayBeKnown || !isFirst }, attempts, e, cancel);
    }

    private async Task LoseSightAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await database.WriteAsync(
                    tx =>
                    {
                        ChargesSql.LoseSight(tx);
                        return ValueTask.FromResult(0);
                    },
                    stop);
                return;
            }
            catch (DatabaseUnavailableException error)
            {
                log.DuePaused(WalletProvider.WalletName, error.Message);
                await Task.Delay(LongestNap, time, stop);
            }
        }
    }

    private Task RunDuesAsync(CancellationToken stop) => Task.WhenAll(gates.All.Select(g => RunDueAsync(g, stop)));

    /// <summary>
    /// Of several workers one carries out what was put off: the one that owns the log, for as long as its session with
    /// the database lasts. Two would not know of each other's calls: one could give up an order's payment as never
    /// asked for while the other's call is on its way.
    /// </summary>
    private async Task RunDuesAsOwnerAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                if (await OwnsLogAsync(stop))
                {
                    using var owning = CancellationTokenSource.CreateLinkedTokenSource(stop);
                    await LoseSightAsync(stop);
                    var running = RunDuesAsync(owning.Token);
                    try
                    {
                        while (await OwnsLogAsync(stop))
                        {
                            await Task.Delay(LongestNap, time, stop);
                        }
                    }
                    finally
                    {
                        await owning.CancelAsync();
                        await running;
                    }
                }

                await Task.Delay(LongestNap, time, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The normal end.
        }
    }

    private async ValueTask<bool> OwnsLogAsync(CancellationToken stop)
    {
        try
        {
            return await database.TryOwnLogAsync(stop);
        }
        catch (DatabaseUnavailableException error)
        {
            log.DuePaused(WalletProvider.WalletName, error.Message);
            return false;
        }
    }

    private async Task RunDueAsync(ProviderGate gate, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var mayEnter = gate.Breaker.WhenMayEnterAsync(stop);
                await Task.WhenAny(mayEnter, Task.Delay(mayEnter.IsCompleted ? TimeSpan.Zero : LongestNap, time, stop));
                if (isPaused || !await TakeDueAsync(gate, mayEnter.IsCompletedSuccessfully, stop))
                {
                    await NapAsync(gate.Provider.Name, stop);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The normal end; what was put off stands in its table.
        }
        catch (Exception error) // The edge of the loop: readiness tells that it stands still.
        {
            Failure = error;
            log.DueStopped(error);
        }
    }

    /// <summary>
    /// Takes up a page of what is due, in parallel; while no call may pass, of what needs none because its order has
    /// expired. False when there is nothing to do now.
    /// </summary>
    private async Task<bool> TakeDueAsync(ProviderGate gate, bool mayCall, CancellationToken stop)
    {
        try
        {
            var (name, nowMs) = (gate.Provider.Name, UtcInstant.Now(time).Ms);
            var due = await database.ReadAsync(
                tx => mayCall
                    ? ChargesSql.SelectDueAsync(tx, name, nowMs)
                    : ChargesSql.SelectEndedAsync(tx, name, nowMs),
                stop);
            var tasks = await LoadAsync([.. due.Select(EventIdsOf)], stop);
            var gone = due.FindAll(d => !tasks.TryGetValue(d.Id, out var task) || !task.IsPending);
            await ForgetAsync(gone, stop);
            var ready = due.Except(gone).ToLookup(d => tasks[d.Id].IsUnknown);
            // Half-open, more calls than trials would only be put off again; questions are not the breaker's to judge.
            var calls = gate.Breaker.State == BreakerState.HalfOpen
                ? ready[false].Take(gate.Breaker.TrialCalls)
                : ready[false];
            await Task.WhenAll(ready[true].Concat(calls).Select(d => TakeAsync(tasks[d.Id], d.Attempts, stop)));
            return due.Count > 0;
        }
        catch (DatabaseUnavailableException error)
        {
            log.DuePaused(gate.Provider.Name, error.Message);
            return false;
        }
    }

    private async Task TakeAsync(ChargeTask task, int attempts, CancellationToken stop)
    {
        var answered = await AskAsync(task, attempts, null, stop);
        try
        {
            await answers.RecordAsync(answered, stop);
            unrecorded.TryRemove(task.Id, out _);
        }
        catch (Exception error) when (error is not (OperationCanceledException or InvariantViolatedException))
        {
            // The edge of one task: an answer that cannot be recorded waits longer each time, and holds up no other.
            log.DueFailed(error, task.Id, answered.Attempts);
            await database.WriteAsync(
                tx =>
                {
                    ChargesSql.Upsert(tx, [AnswerBook.DueOf(answered)]);
                    return ValueTask.FromResult(0);
                },
                stop);
        }
    }

    private async ValueTask ForgetAsync(List<DueCharge> gone, CancellationToken stop)
    {
        if (gone.Count > 0)
        {
            await database.WriteAsync(
                tx =>
                {
                    ChargesSql.DeleteDues(tx, [.. gone.Select(d => d.Id)]);
                    return ValueTask.FromResult(0);
                },
                stop);
        }
    }

    private async Task NapAsync(string provider, CancellationToken stop)
    {
        var nap = LongestNap;
        try
        {
            var nextMs = isPaused
                ? null
                : await database.ReadAsync(tx => ChargesSql.NextDueMsAsync(tx, provider), stop);
            var untilMs = (nextMs ?? long.MaxValue) - UtcInstant.Now(time).Ms;
            nap = TimeSpan.FromMilliseconds(Math.Clamp(untilMs, 10, (long)LongestNap.TotalMilliseconds));
        }
        catch (DatabaseUnavailableException error)
        {
            log.DuePaused(provider, error.Message);
        }

        await Task.Delay(nap, time, stop);
    }

    private static EventIds EventIdsOf(DueCharge due) => new(due.PaymentId, due.Id == due.PaymentId ? null : due.Id);

    /// <summary>Loads payments and operations in bulk: two reads, however many there are.</summary>
    private async ValueTask<Dictionary<Guid, ChargeTask>> LoadAsync(List<EventIds> ids, CancellationToken cancel)
    {
        if (ids.Count == 0)
        {
            return [];
        }

        var operationIds = ids.Where(i => i.OperationId is not null).Select(i => i.OperationId!.Value).ToList();
        var (payments, operations) = await database.ReadAsync(
            async tx => (
                await ChargesSql.SelectAsync(tx, [.. ids.Select(i => i.PaymentId).Distinct()]),
                await ChargesSql.SelectOperationsAsync(tx, operationIds)),
            cancel);
        var byId = payments.ToDictionary(p => p.Id);
        var tasks = payments.ToDictionary(p => p.Id, p => new ChargeTask(p, null));
        foreach (var operation in operations)
        {
            // An event that names an operation beside another payment finds neither, and becomes a dead letter.
            if (byId.TryGetValue(operation.PaymentId, out var payment))
            {
                tasks[operation.Id] = new ChargeTask(payment, operation);
            }
        }

        return tasks;
    }
}

/// <summary>
/// What is to be carried out: something stored, an order's payment that is not, or an order's refund.
/// </summary>
internal sealed record ChargeMessage(ChargeTask? Task, OrderRefund? Refund);

/// <summary>What the worker needs besides its stores.</summary>
internal sealed record ChargeWorkerTools(LogSettings LogSettings, ConsumerTools Consumer, ChargesLog Log);
