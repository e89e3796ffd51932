using System.Threading.Channels;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>
/// The key-parallel consumer: thousands of events in work at once, one at a time for each key, in the key's order.
/// It fetches whole ranges, never waits for a handler before it fetches again, and stops fetching only when
/// <see cref="LogSettings.InFlightMax"/> are in work. A failing event is tried again by the
/// <see cref="RetryPolicy"/>, then becomes a dead letter; its partition goes on all the while. An unavailable
/// database is waited for, however long, and never makes a dead letter.
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

    // Shared by the loops and the lanes; each is thread-safe.
    private readonly Lanes<Work> lanes = new();
    private readonly Signal idle = new();
    private readonly CancellationTokenSource giveUp = new();
    private volatile Offsets? offsets;
    private Exception? failure;

    // Swapped by the operator under the gate; null while it runs.
    private readonly Lock gate = new();
    private volatile TaskCompletionSource? resumed;

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
    public int InFlight => lanes.Count;

    /// <summary>Why it stopped by itself: a violated invariant or a bug. Null while all is well.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>True between <see cref="Pause"/> and <see cref="Resume"/>.</summary>
    public bool IsPaused => resumed is not null;

    /// <summary>Raised once, before the first event: the group's offsets, to be committed with the effects.</summary>
    public event Action<Offsets>? Started;

    /// <summary>Events in the log that the group has not committed, also where another process reads them.</summary>
    public ValueTask<long> LagAsync(Tx tx) => offsets?.LagAsync(tx) ?? LogSql.LagAsync(tx, plan.Group, plan.Topics);

    /// <summary>Hands out no more events; what is in work is finished. Twice is harmless.</summary>
    public void Pause()
    {
        lock (gate)
        {
            resumed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Hands out events again.</summary>
    public void Resume()
    {
        lock (gate)
        {
            resumed?.TrySetResult();
            resumed = null;
        }
    }

    /// <summary>
    /// Reads and hands out until cancelled, or until it fails (<see cref="Failure"/>); then waits up to
    /// <see cref="LogSettings.StopWithinMs"/> for what is in work. What is not finished by then is delivered again
    /// to the next consumer of the group. Runs once.
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        Invariant.Check(offsets is null, "a consumer runs once");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop, giveUp.Token);
        ILogReader? reader = null;
        var flushing = Task.CompletedTask;
        try
        {
            reader = await SubscribeAsync(ending.Token);
            reader.WhenRevoked(GiveUpAsync);
            offsets = new Offsets(reader, database);
            Started?.Invoke(offsets);
            flushing = FlushAsync(ending.Token);
            while (!ending.IsCancellationRequested)
            {
                await FetchOnceAsync(reader, ending.Token);
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The normal end.
        }
        catch (Exception error) // The edge of the loop: readiness tells that this consumer stands still.
        {
            Stop(error);
        }

        if (reader is not null)
        {
            await DrainAsync();
            await flushing;
            await reader.DisposeAsync();
        }
    }

    private async Task<ILogReader> SubscribeAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return await log.SubscribeAsync(plan.Group, plan.Topics, stop);
            }
            catch (DatabaseUnavailableException error)
            {
                await AwayAsync(error, stop);
            }
        }
    }

    private async Task FetchOnceAsync(ILogReader reader, CancellationToken stop)
    {
        // Refills in gulps: a fetch for every finished event would be a query for every event.
        var gulp = Math.Min(settings.FetchMax, Math.Max(1, settings.InFlightMax / 4));
        await lanes.WhenAtMostAsync(settings.InFlightMax - gulp).WaitAsync(stop);
        IReadOnlyList<LoggedEvent> events;
        try
        {
            events = await reader.FetchAsync(Math.Min(settings.InFlightMax - InFlight, settings.FetchMax), stop);
        }
        catch (DatabaseUnavailableException error)
        {
            await AwayAsync(error, stop);
            return;
        }

        // A pause may have come while the fetch waited: its events are held back, not in work.
        while (resumed is { } pause)
        {
            await pause.Task.WaitAsync(stop);
        }

        var items = (await PrepareAsync(events, stop)).FindAll(item => reader.Holds(item.Event));
        var started = offsets!.Start(items.ConvertAll(item => item.Event));
        for (var i = 0; i < items.Count; i++)
        {
            if (reader.Holds(items[i].Event))
            {
                HandOut(items[i] with { Partition = started[i] });
            }
            else
            {
                offsets.Drop(started[i]); // Gone between the two looks.
            }
        }
    }

    /// <summary>
    /// Partitions go to another member of the group: what is in work has a while to finish and to be committed, with
    /// what waits before it. What is not finished by then is repeated there.
    /// </summary>
    private async Task GiveUpAsync(IReadOnlyList<(Topic Topic, int Partition)> gone, bool areLost)
    {
        var left = offsets!.GiveUp(gone, areLost);
        if (!giveUp.IsCancellationRequested)
        {
            try
            {
                var bound = TimeSpan.FromMilliseconds(settings.Kafka?.RevokeWithinMs ?? 0);
                await Task.WhenAll(left.Select(p => p.Ended)).WaitAsync(bound, tools.Time, giveUp.Token);
            }
            catch (Exception error) when (error is TimeoutException or OperationCanceledException)
            {
                tools.Log.LeftUnfinished(plan.Group, InFlight);
            }

            try
            {
                await offsets.FlushAsync(CancellationToken.None);
            }
            catch (DatabaseUnavailableException error)
            {
                tools.Log.DatabaseAway(plan.Group, error.Message); // Repeated there, that is all.
            }
        }

        offsets.Forget(left);
    }

    private async Task<List<Work>> PrepareAsync(IReadOnlyList<LoggedEvent> events, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                var prepared = await plan.PrepareAsync(events, stop);
                Invariant.Check(prepared.Count == events.Count, "each event of a fetch is prepared");
                return [.. events.Select((e, i) => new Work(e, prepared[i]))];
            }
            catch (DatabaseUnavailableException error)
            {
                await AwayAsync(error, stop); // The events were fetched and will not be again: wait here.
            }
            catch (Exception error) // The edge of a plan: one event must not hold up the others of its fetch.
                when (error is not InvariantViolatedException
                    && !(error is OperationCanceledException && stop.IsCancellationRequested))
            {
                tools.Log.PreparedAlone(plan.Group, events.Count, error);
                return [.. events.Select(e => new Work(e, null))];
            }
        }
    }

    private void HandOut(Work item)
    {
        if (item.Prepared is { IsDone: true })
        {
            offsets!.Finish(item.Event);
            offsets.Leave(item.Partition!);
            SetIdle();
        }
        else if (lanes.Enter(LaneOf(item.Event), item))
        {
            // On the pool, so that a handler that is busy before its first await does not hold up the fetching.
            _ = Task.Run(() => RunLaneAsync(item));
        }
    }

    private async Task RunLaneAsync(Work first)
    {
        for (var item = first; item is not null;)
        {
            try
            {
                if (offsets!.Begin(item.Partition!, item.Event) && await HandleAsync(item))
                {
                    offsets.Finish(item.Event);
                }
            }
            catch (Exception error) // The edge of a lane: nobody awaits it, a lost error would block its key.
            {
                Stop(error);
            }

            offsets!.Leave(item.Partition!);
            lanes.Leave(LaneOf(item.Event), out item);
        }

        SetIdle();
    }

    private string LaneOf(LoggedEvent e) => plan.IsOrdered ? e.Key : $"{e.PartitionId}/{e.Offset}";

    // Nothing in work: what is finished and not committed goes now, so that an idle log has no lag.
    private void SetIdle()
    {
        if (lanes.Count == 0)
        {
            idle.Set();
        }
    }

    /// <summary>True when the event is finished, by its effect or a dead letter; false when it is given up.</summary>
    private async Task<bool> HandleAsync(Work item)
    {
        var attempts = 0;
        var delay = TimeSpan.Zero;
        while (true)
        {
            try
            {
                if (delay > TimeSpan.Zero && !await WaitAsync(delay, item.Partition!))
                {
                    return false;
                }

                giveUp.Token.ThrowIfCancellationRequested();
                await TryAsync(item);
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
            catch (ChannelClosedException)
            {
                return false; // What records it is closing, so the process stops: it is delivered again.
            }
            catch (DatabaseUnavailableException)
            {
                // Not the event's fault, so not counted. Thousands may come here: the loops log it once a poll.
                tools.Log.HandlerWaits(plan.Group);
                delay = TimeSpan.FromMilliseconds(settings.PollMs * (0.5 + (tools.Chance() / 2)));
            }
            catch (Exception error) // The edge of a handler: counted, logged, tried again, then dead-lettered.
            {
                attempts++;
                tools.Log.HandlerFailed(plan.Group, item.Event, attempts, error);
                if (error is BadEventException || retry.DelayAfter(attempts, tools.Chance()) is not { } longer)
                {
                    return await BuryAsync(item.Event, DeadLetter.Storable(error.Message), attempts);
                }

                delay = longer;
            }
        }
    }

    /// <summary>Waits before a try; false when its partition goes to another member meanwhile.</summary>
    private async Task<bool> WaitAsync(TimeSpan delay, OffsetsPartition partition)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(giveUp.Token, partition.Gone);
        await Task.Delay(delay, tools.Time, ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        giveUp.Token.ThrowIfCancellationRequested();
        return !partition.IsGone;
    }

    private async Task TryAsync(Work item)
    {
        var prepared = item.Prepared ?? (await plan.PrepareAsync([item.Event], giveUp.Token))[0];
        if (prepared.Error is { } error)
        {
            throw new BadEventException(error);
        }

        if (prepared.Message is { } message)
        {
            await plan.HandleAsync(new Delivery<TMessage>(item.Event, message), giveUp.Token);
        }
    }

    /// <summary>Writes the dead letter, however long the database is away; false when it is given up.</summary>
    private async Task<bool> BuryAsync(LoggedEvent e, string error, int attempts)
    {
        var letter = new DeadLetter(
            tools.Ids.Next(), plan.Group, e.Topic.Name, e.Partition, e.Offset, e.Key, e.Type, e.Payload, error,
            attempts, "OPEN", UtcInstant.Now(tools.Time).Ms);
        while (!giveUp.IsCancellationRequested)
        {
            try
            {
                await database.WriteAsync(async tx =>
                {
                    LogSql.Insert(tx, [letter]);
                    await log.BuriedAsync(tx, e.Topic, letter);
                    offsets!.CommitWith(tx, [e]);
                    return true;
                });
                tools.Log.Buried(plan.Group, e, error);
                return true;
            }
            catch (DatabaseUnavailableException)
            {
                // Giving up ends the wait and then the loop, without an exception.
                await Task.Delay(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, giveUp.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return false;
    }

    private void Stop(Exception error)
    {
        if (Interlocked.CompareExchange(ref failure, error, null) is null)
        {
            tools.Log.Stopped(plan.Group, error);
            _ = giveUp.CancelAsync(); // Not awaited: it ends thousands of waits, each of which may come here.
        }
    }

    private Task AwayAsync(DatabaseUnavailableException error, CancellationToken stop)
    {
        tools.Log.DatabaseAway(plan.Group, error.Message);
        return Task.Delay(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, stop);
    }

    private async Task DrainAsync()
    {
        try
        {
            await lanes.WhenAtMostAsync(0).WaitAsync(TimeSpan.FromMilliseconds(settings.StopWithinMs), tools.Time);
        }
        catch (TimeoutException)
        {
            tools.Log.LeftUnfinished(plan.Group, InFlight);
        }

        _ = giveUp.CancelAsync(); // Not awaited: what it cancels must not delay the stop.
        try
        {
            await offsets!.FlushAsync(CancellationToken.None);
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.DatabaseAway(plan.Group, error.Message); // The events are delivered again, that is all.
        }
    }

    /// <summary>
    /// Makes durable the offsets that no effect took along: once a poll, and at once when nothing is in work.
    /// </summary>
    private async Task FlushAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await idle.WaitAsync(TimeSpan.FromMilliseconds(settings.PollMs), tools.Time, stop);
                await offsets!.FlushAsync(stop);
            }
            catch (DatabaseUnavailableException error)
            {
                tools.Log.DatabaseAway(plan.Group, error.Message);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) // The edge of the loop: offsets that stand still would hide behind good health.
            {
                Stop(error);
            }
        }
    }

    /// <summary>An event in work; not prepared when its fetch could not be prepared as a whole.</summary>
    private sealed record Work(LoggedEvent Event, Prepared<TMessage>? Prepared)
    {
        /// <summary>The partition it was started in; null before.</summary>
        public OffsetsPartition? Partition { get; init; }
    }
}
