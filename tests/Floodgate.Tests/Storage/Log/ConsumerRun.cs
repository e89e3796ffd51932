using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Xunit;

namespace Floodgate.Tests.Storage.Log;

/// <summary>A consumer that runs, on the stage's log, until the test stops it.</summary>
public sealed class ConsumerRun : IAsyncDisposable
{
    public const string Group = "group";

    private readonly LogStage stage;
    private readonly Database database;
    private readonly CancellationTokenSource stop = new();

    private ConsumerRun(LogStage stage, Database database, Consumer<LoggedEvent> consumer)
    {
        this.stage = stage;
        this.database = database;
        Consumer = consumer;
        Consumer.Started += offsets => Offsets = offsets;
        Ended = Task.Run(() => consumer.RunAsync(stop.Token));
    }

    public Consumer<LoggedEvent> Consumer { get; }

    public Offsets? Offsets { get; private set; }

    /// <summary>Completes when the consumer has ended, for whatever reason.</summary>
    public Task Ended { get; }

    /// <summary>Starts a consumer of both topics.</summary>
    public static ConsumerRun Start(LogStage stage, HandleAsync handle, RunOptions? options = null)
    {
        var database = options?.Database ?? stage.Database;
        ConsumerRun? run = null;
        var made = new TaskCompletionSource();
        var plan = new ConsumerPlan<LoggedEvent>(
            Group,
            [LogStage.Payments, LogStage.Results],
            options?.Prepare ?? ((events, _) => ValueTask.FromResult(AsTheyAre(events))),
            async (delivery, cancel) =>
            {
                await made.Task;
                await handle(run!, delivery.Event, cancel);
            })
        {
            IsOrdered = options?.IsOrdered ?? true,
        };
        run = new ConsumerRun(
            stage,
            database,
            new Consumer<LoggedEvent>(
                database, options?.Log ?? stage.Log, plan, options?.Settings ?? stage.Settings, stage.Tools));
        made.SetResult();
        return run;
    }

    /// <summary>The usual preparation: the event is its own message.</summary>
    public static IReadOnlyList<Prepared<LoggedEvent>> AsTheyAre(IReadOnlyList<LoggedEvent> events) =>
        [.. events.Select(e => new Prepared<LoggedEvent>(e, null))];

    /// <summary>The effect of the event and its offset, in one transaction, once.</summary>
    public async Task CommitAsync(LoggedEvent e) => await database.WriteAsync(tx =>
    {
        LogStage.AddEffectOnce(tx, e);
        Offsets!.CommitWith(tx, [e]);
        return ValueTask.FromResult(true);
    });

    /// <summary>The effect alone; the offset goes when the handler has returned.</summary>
    public async Task WriteEffectAsync(LoggedEvent e) => await database.WriteAsync(tx =>
    {
        LogStage.AddEffectOnce(tx, e);
        return ValueTask.FromResult(true);
    });

    /// <summary>Asks it to stop; <see cref="Ended"/> tells when it has.</summary>
    public void RequestStop() => stop.Cancel();

    /// <summary>Stops and waits; nothing may have gone wrong.</summary>
    public async Task StopAsync()
    {
        RequestStop();
        await Ended.Soon();
        Assert.Null(Consumer.Failure);
    }

    /// <summary>How far the group is behind, asked through a reader of its own.</summary>
    public static async Task<long> LagAsync(LogStage stage)
    {
        await using var reader = await stage.SubscribeAsync(Group, LogStage.Payments, LogStage.Results);
        return await stage.LagAsync(reader);
    }

    public async ValueTask DisposeAsync()
    {
        RequestStop();
        await stage.Clock.RunUntilAsync(Ended, TimeSpan.FromSeconds(1)).Soon();
        stop.Dispose();
    }
}

/// <summary>Handles one event of a run.</summary>
public delegate Task HandleAsync(ConsumerRun run, LoggedEvent e, CancellationToken cancel);

/// <summary>What a run has that is not the stage's.</summary>
public sealed record RunOptions(
    LogSettings? Settings = null,
    Func<IReadOnlyList<LoggedEvent>, CancellationToken, ValueTask<IReadOnlyList<Prepared<LoggedEvent>>>>? Prepare =
        null,
    Database? Database = null,
    IEventLog? Log = null,
    bool IsOrdered = true);

/// <summary>Collects what happened, in its order, and tells when so much has.</summary>
public sealed class Tally<T>
{
    private readonly Lock gate = new();
    private readonly List<T> items = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> waits = [];

    public IReadOnlyList<T> Items
    {
        get
        {
            lock (gate)
            {
                return [.. items];
            }
        }
    }

    public void Add(T item)
    {
        lock (gate)
        {
            items.Add(item);
            waits.Where(w => w.Count <= items.Count).ToList().ForEach(w => w.Reached.TrySetResult());
        }
    }

    /// <summary>Completes when so many have been added in all.</summary>
    public Task ReachesAsync(int count)
    {
        lock (gate)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waits.Add((count, reached));
            if (items.Count >= count)
            {
                reached.SetResult();
            }

            return reached.Task.Soon();
        }
    }
}
