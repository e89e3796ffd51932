using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>
/// The key-parallel consumer: thousands of events in work at once, one at a time for each key, in the key's order.
/// It fetches whole ranges, never waits for a handler before it fetches again, and stops fetching only when
/// <see cref="LogSettings.InFlightMax"/> are in work. A failing event is tried again by the
/// <see cref="RetryPolicy"/>, then becomes a dead letter; its partition goes on all the while.
/// </summary>
public sealed class Consumer<TMessage>
    where TMessage : class
{
    // Set once.
    private readonly Database.Database database;
    private readonly IEventLog log;
    private readonly ConsumerPlan<TMessage> plan;
    private readonly LogSettings settings;
    private readonly RetryPolicy retry;
    private readonly ConsumerTools tools;
    private readonly CancellationTokenSource giveUp = new();

    // Under the lanes' lock: for each key in work, what waits behind it.
    private readonly Dictionary<string, Queue<Delivery<TMessage>>?> lanes = [];
    private TaskCompletionSource? room;
    private int inFlight;

    // Swapped by the operator.
    private volatile TaskCompletionSource resumed = new();
    private volatile bool isPaused;
    private volatile Offsets? offsets;

    /// <summary>Makes the consumer; <see cref="RunAsync"/> starts it.</summary>
    public Consumer(
        Database.Database database,
        IEventLog log,
        ConsumerPlan<TMessage> plan,
        LogSettings settings,
        ConsumerTools tools)
    {
        this.database = database;
        this.log = log;
        this.plan = plan;
        this.settings = settings;
        this.tools = tools;
        retry = new RetryPolicy(settings.AttemptsMax, settings.RetryDelayMsFirst, settings.RetryDelayMsMax);
    }

    /// <summary>Events in work now, waiting ones of the same key included.</summary>
    public int InFlight => Volatile.Read(ref inFlight);

    /// <summary>Why it stopped by itself: a violated invariant or a bug. Null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Events in the log that the group has not committed, also when another process is the one that reads.</summary>
    public ValueTask<long> LagAsync(Tx tx) => offsets?.LagAsync(tx) ?? LogSql.LagAsync(tx, plan.Group, plan.Topics);

    /// <summary>True between <see cref="Pause"/> and <see cref="Resume"/>.</summary>
    public bool IsPaused => isPaused;

    /// <summary>Raised once, before the first event: the group's offsets, to be committed with the effects.</summary>
    public event Action<Offsets>? Started;

    /// <summary>Stops fetching; what is in work is finished.</summary>
    public void Pause()
    {
        resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        isPaused = true;
    }

    /// <summary>Fetches again.</summary>
    public void Resume()
    {
        isPaused = false;
        resumed.TrySetResult();
    }

    /// <summary>
    /// Reads and hands out until cancelled; then waits up to <see cref="LogSettings.StopWithinMs"/> for what
    /// is in work. What is not finished by then is delivered again at the next start.
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var reader = await log.SubscribeAsync(plan.Group, plan.Topics, stop);
        offsets = new Offsets(reader, database);
        Started?.Invoke(offsets);
        var flushing = FlushAsync(stop);
        try
        {
            while (!stop.IsCancellationRequested && Failure is null)
            {
                await FetchOnceAsync(reader, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The normal end.
        }
        catch (Exception error) // The edge of the loop: readiness tells that this consumer stands still.
        {
            Stop(error);
        }

        await DrainAsync();
        await flushing;
    }

    private async Task FetchOnceAsync(ILogReader reader, CancellationToken stop)
    {
        try
        {
            if (isPaused)
            {
                await resumed.Task.WaitAsync(stop);
            }

            await WaitForRoomAsync(stop);
            var free = settings.InFlightMax - InFlight;
            var events = await reader.FetchAsync(Math.Min(free, settings.FetchMax), stop);
            offsets!.Start(events);
            Interlocked.Add(ref inFlight, events.Count);
            await PrepareAsync(events, stop);
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.DatabaseAway(plan.Group, error.Message);
            await Task.Delay(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, stop);
        }
    }

    private async Task PrepareAsync(IReadOnlyList<LoggedEvent> events, CancellationToken stop)
    {
        IReadOnlyList<Prepared<TMessage>>? prepared = null;
        while (prepared is null)
        {
            try
            {
                prepared = await plan.PrepareAsync(events, stop);
            }
            catch (DatabaseUnavailableException error)
            {
                // The events are started and must not be fetched again: wait here for the database.
                tools.Log.DatabaseAway(plan.Group, error.Message);
                await Task.Delay(retry.DelayAfter(1, tools.Chance()) ?? TimeSpan.Zero, tools.Time, stop);
            }
        }

        for (var i = 0; i < events.Count; i++)
        {
            if (prepared[i].Message is { } message)
            {
                Dispatch(new Delivery<TMessage>(events[i], message));
            }
            else
            {
                _ = SettleAsync(events[i], prepared[i].Error);
            }
        }
    }

    private async Task SettleAsync(LoggedEvent e, string? error)
    {
        if (error is not null)
        {
            await BuryAsync(e, error, attempts: 1);
        }

        offsets!.Finish(e);
        Leave();
    }

    private void Dispatch(Delivery<TMessage> delivery)
    {
        lock (lanes)
        {
            if (lanes.TryGetValue(delivery.Event.Key, out var waiting))
            {
                (lanes[delivery.Event.Key] = waiting ?? new()).Enqueue(delivery);
                return;
            }

            lanes.Add(delivery.Event.Key, null);
        }

        _ = RunLaneAsync(delivery);
    }

    private async Task RunLaneAsync(Delivery<TMessage> delivery)
    {
        var key = delivery.Event.Key;
        for (Delivery<TMessage>? next = delivery; next is not null; next = NextOf(key))
        {
            var isDone = await HandleAsync(next);
            if (isDone)
            {
                offsets!.Finish(next.Event);
            }

            Leave();
        }
    }

    private Delivery<TMessage>? NextOf(string key)
    {
        lock (lanes)
        {
            if (lanes[key] is { Count: > 0 } waiting)
            {
                return waiting.Dequeue();
            }

            lanes.Remove(key);
            return null;
        }
    }

    /// <summary>True when the event is finished, by its effect or as a dead letter; false when the process stops.</summary>
    private async Task<bool> HandleAsync(Delivery<TMessage> delivery)
    {
        var delay = TimeSpan.Zero;
        for (var attempts = 1; ; attempts++)
        {
            try
            {
                await Task.Delay(delay, tools.Time, giveUp.Token);
                await plan.HandleAsync(delivery, giveUp.Token);
                return true;
            }
            catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
            {
                return false;
            }
            catch (InvariantViolatedException error)
            {
                Stop(error);
                return false;
            }
            catch (Exception error) // The edge of a handler: counted, logged, tried again, then dead-lettered.
            {
                tools.Log.HandlerFailed(plan.Group, delivery.Event, attempts, error);
                if (retry.DelayAfter(attempts, tools.Chance()) is not { } longer)
                {
                    return await BuryAsync(delivery.Event, error.Message, attempts);
                }

                delay = longer;
            }
        }
    }

    /// <summary>Writes the dead letter, however long the database takes to come back; false when the process stops.</summary>
    private async Task<bool> BuryAsync(LoggedEvent e, string error, int attempts)
    {
        var letter = new DeadLetter(
            tools.Ids.Next(), plan.Group, e.Topic.Name, e.Partition, e.Offset, e.Key, e.Type, e.Payload, error,
            attempts, "OPEN", UtcInstant.Now(tools.Time).Ms);
        while (!giveUp.IsCancellationRequested)
        {
            try
            {
                await database.WriteAsync(tx =>
                {
                    LogSql.Insert(tx, [letter]);
                    return ValueTask.FromResult(0);
                });
                tools.Log.Buried(plan.Group, e, error);
                return true;
            }
            catch (DatabaseUnavailableException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, CancellationToken.None);
            }
        }

        return false;
    }

    private void Stop(Exception error)
    {
        Failure = error;
        tools.Log.Stopped(plan.Group, error);
        giveUp.Cancel();
    }

    private void Leave()
    {
        TaskCompletionSource? waiting;
        lock (lanes)
        {
            inFlight--;
            waiting = room;
            room = null;
        }

        waiting?.TrySetResult();
    }

    // Refills in gulps: a fetch for every finished event would be a query for every event.
    private async Task WaitForRoomAsync(CancellationToken stop)
    {
        var gulp = Math.Min(settings.FetchMax, Math.Max(1, settings.InFlightMax / 4));
        while (true)
        {
            Task wait;
            lock (lanes)
            {
                if (settings.InFlightMax - inFlight >= gulp)
                {
                    return;
                }

                room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = room.Task;
            }

            await wait.WaitAsync(stop);
        }
    }

    private async Task DrainAsync()
    {
        var startedAt = tools.Time.GetTimestamp();
        while (InFlight > 0 && tools.Time.GetElapsedTime(startedAt).TotalMilliseconds < settings.StopWithinMs)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), tools.Time);
        }

        await giveUp.CancelAsync();
        await offsets!.FlushAsync(CancellationToken.None);
    }

    /// <summary>Offsets of events without an effect of their own are made durable once a second.</summary>
    private async Task FlushAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, stop);
                await offsets!.FlushAsync(stop);
            }
            catch (DatabaseUnavailableException error)
            {
                tools.Log.DatabaseAway(plan.Group, error.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
