using Floodgate.Payment.Charges.Providers;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Hosting;

namespace Floodgate.Payment.Charges;

/// <summary>
/// Carries accepted payments and operations to their provider and its answers back. Two loops: the consumer of
/// <c>payment-requests</c>, and the due loop of each provider for what was put off (not reached, breaker open,
/// outcome unknown). Idempotent by the id of the payment or operation.
/// </summary>
internal sealed class ChargeWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "charges";

    private static readonly TimeSpan LongestNap = TimeSpan.FromSeconds(1);

    private readonly Database database;
    private readonly ProviderGates gates;
    private readonly AnswerBook answers;
    private readonly ChargesLog log;
    private readonly TimeProvider time;
    private volatile bool isPaused;

    public ChargeWorker(
        Database database,
        IEventLog eventLog,
        ProviderGates gates,
        AnswerBook answers,
        ChargeWorkerTools tools)
    {
        this.database = database;
        this.gates = gates;
        this.answers = answers;
        log = tools.Log;
        time = tools.Consumer.Time;
        Consumer = new Consumer<ChargeTask>(
            database,
            eventLog,
            new ConsumerPlan<ChargeTask>(Group, [PaymentEvents.Requests], PrepareAsync, HandleAsync),
            tools.LogSettings,
            tools.Consumer);
    }

    /// <summary>The consumer, for the desk: pause, lag, failure.</summary>
    public Consumer<ChargeTask> Consumer { get; }

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
        await Task.WhenAll(
            [Consumer.RunAsync(stoppingToken), .. gates.All.Select(g => RunDueAsync(g, stoppingToken))]);
    }

    private async ValueTask<IReadOnlyList<Prepared<ChargeTask>>> PrepareAsync(
        IReadOnlyList<LoggedEvent> events, CancellationToken cancel)
    {
        var parsed = events.Select(PaymentEvents.Parse).ToList();
        var named = parsed.Where(p => p.Ids is not null).Select(p => p.Ids!).ToList();
        var tasks = await LoadAsync(named, cancel);
        return [.. parsed.Select(p => p.Ids is null ? new(null, p.Error) : PreparedOf(tasks, p.Ids))];
    }

    private static Prepared<ChargeTask> PreparedOf(Dictionary<Guid, ChargeTask> tasks, EventIds ids) =>
        !tasks.TryGetValue(ids.OperationId ?? ids.PaymentId, out var task)
            ? new(null, "no payment or operation of this id is stored here")
            : new(task.IsPending ? task : null, null);

    private async Task HandleAsync(Delivery<ChargeTask> delivery, CancellationToken cancel)
    {
        var answered = await gates.AskAsync(delivery.Message, 0, delivery.Event, cancel);
        await answers.RecordAsync(answered, cancel);
    }

    private async Task RunDueAsync(ProviderGate gate, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                await gate.Breaker.WhenMayEnterAsync(stop);
                if (isPaused || !await TakeDueAsync(gate, stop))
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

    /// <summary>Takes up a page of what is due, in parallel; false when there is nothing to do now.</summary>
    private async Task<bool> TakeDueAsync(ProviderGate gate, CancellationToken stop)
    {
        try
        {
            var nowMs = UtcInstant.Now(time).Ms;
            var due = await database.ReadAsync(tx => ChargesSql.SelectDueAsync(tx, gate.Provider.Name, nowMs), stop);
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
        var answered = await gates.AskAsync(task, attempts, null, stop);
        try
        {
            await answers.RecordAsync(answered, stop);
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

/// <summary>What the worker needs besides its stores.</summary>
internal sealed record ChargeWorkerTools(LogSettings LogSettings, ConsumerTools Consumer, ChargesLog Log);
