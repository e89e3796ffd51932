using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: the consumer is parallel by key, ordered within a key, bounded, and stops and pauses as told, on every
/// log. Method: handlers that wait at gates; a clock that stands still unless a test moves it.
/// </summary>
public abstract class ConsumerContract(LogStage stage) : IAsyncLifetime
{
    protected LogStage Stage => stage;

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await stage.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    // Goal: one at a time for each key, all keys at once. Method: nobody passes the gate before all 1,000 keys are in
    // work, so it passes only when they are in parallel; the order of each key is compared at the end.
    [Fact]
    public async Task A_thousand_keys_run_at_once_and_each_in_its_order()
    {
        const int keys = 1_000;
        var gate = Gate();
        var started = new Tally<LoggedEvent>();
        var handled = new Tally<LoggedEvent>();
        var inWork = new ConcurrentDictionary<string, bool>();
        await stage.AppendAsync([.. Enumerable.Range(0, 3 * keys).Select(i => Numbered($"k{i % keys}", i / keys))]);
        await using var run = ConsumerRun.Start(stage, async (_, e, _) =>
        {
            Assert.True(inWork.TryAdd(e.Key, true), "a key has one event in work");
            started.Add(e);
            await gate.Task;
            inWork.TryRemove(e.Key, out var _);
            handled.Add(e);
        });

        await started.ReachesAsync(keys);
        Assert.All(started.Items, e => Assert.Equal(0, Number(e)));
        gate.SetResult();
        await handled.ReachesAsync(3 * keys);

        Assert.All(
            handled.Items.GroupBy(e => e.Key),
            key => Assert.Equal([0, 1, 2], key.Select(Number)));
        await run.StopAsync();
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
        Assert.Empty(await LettersAsync("OPEN"));
    }

    // Goal: a slow key delays itself only, and fetching goes on. Method: one key is held; other events of its
    // partition, appended before and after, are handled; then the key goes on in its order.
    [Fact]
    public async Task A_slow_key_holds_up_nobody_else()
    {
        var gate = Gate();
        var handled = new Tally<LoggedEvent>();
        var slow = KeyIn(0);
        await stage.AppendAsync([.. Enumerable.Range(0, 3).Select(n => Numbered(slow, n)), .. InPartition0("a", 50)]);
        await using var run = ConsumerRun.Start(stage, async (_, e, _) =>
        {
            await (e.Key == slow ? gate.Task : Task.CompletedTask);
            handled.Add(e);
        });

        await handled.ReachesAsync(50);
        await stage.AppendAsync(InPartition0("b", 50));
        await handled.ReachesAsync(100);
        Assert.DoesNotContain(handled.Items, e => e.Key == slow);
        Assert.Equal(3, await WhenInFlightAsync(run, 3));

        gate.SetResult();
        await handled.ReachesAsync(103);
        Assert.Equal([0, 1, 2], handled.Items.Where(e => e.Key == slow).Select(Number));
    }

    // Goal: where order does not matter a hot key is as parallel as many, and nothing is lost by it. Method: nobody
    // passes the gate before all events of one key are in work; the later ones finish, the first is given up by the
    // stop: the next consumer begins with it.
    [Fact]
    public async Task Without_an_order_the_events_of_a_key_run_at_once_and_offsets_stay_below_the_first_unfinished()
    {
        const int events = 100;
        var started = new Tally<LoggedEvent>();
        var handled = new Tally<LoggedEvent>();
        var gate = Gate();
        await stage.AppendAsync([.. Enumerable.Range(0, events).Select(n => Numbered("k", n))]);
        await using var run = ConsumerRun.Start(
            stage,
            async (_, e, cancel) =>
            {
                started.Add(e);
                await gate.Task;
                if (Number(e) == 0)
                {
                    // tidy: sleep: lasts until it is cancelled, not for a time.
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
                }

                handled.Add(e);
            },
            new RunOptions(IsOrdered: false));

        await started.ReachesAsync(events);
        gate.SetResult();
        await handled.ReachesAsync(events - 1);
        Assert.Equal(1, await WhenInFlightAsync(run, 1));
        run.RequestStop();
        var bound = TimeSpan.FromMilliseconds(stage.Settings.StopWithinMs);
        await stage.Clock.TimerAsync(bound).Soon();
        stage.Clock.Advance(bound);
        await run.Ended.Soon();

        Assert.Null(run.Consumer.Failure);
        Assert.Equal(Enumerable.Range(0, events).Select(n => (long)n), (await HandleAllAsync(events)).Select(Number));
    }

    // Goal: a process that stops makes no dead letters. Method: what records the effect is closed, as at the end of a
    // process, while events come; the consumer that follows handles them.
    [Fact]
    public async Task An_event_whose_recorder_is_closing_is_delivered_again_and_no_dead_letter()
    {
        var tries = new Tally<LoggedEvent>();
        var recorder = Channel.CreateUnbounded<LoggedEvent>();
        recorder.Writer.Complete();
        await stage.AppendAsync([.. Enumerable.Range(0, 5).Select(n => Numbered($"k{n}", n))]);
        await using var run = ConsumerRun.Start(stage, async (_, e, cancel) =>
        {
            tries.Add(e);
            await recorder.Writer.WriteAsync(e, cancel);
        });
        await tries.ReachesAsync(5);
        Assert.Equal(0, await WhenInFlightAsync(run, 0));
        await run.StopAsync();

        Assert.Equal(5, tries.Items.Count); // It was not tried again in vain.
        Assert.Empty(await LettersAsync("OPEN"));
        Assert.Equal(5, await ConsumerRun.LagAsync(stage));
        Assert.Equal([0, 1, 2, 3, 4], (await HandleAllAsync(5)).Select(Number).Order());
    }

    // Goal: memory and provider are bounded. Method: 300 events, room for 50; handlers go one by one.
    [Fact]
    public async Task No_more_events_are_in_work_than_allowed()
    {
        var turns = new SemaphoreSlim(0);
        var started = new Tally<int>();
        var handled = new Tally<LoggedEvent>();
        await stage.AppendAsync([.. Enumerable.Range(0, 300).Select(n => Numbered($"k{n}", n))]);
        await using var run = ConsumerRun.Start(
            stage,
            async (r, e, cancel) =>
            {
                started.Add(r.Consumer.InFlight);
                await turns.WaitAsync(cancel);
                handled.Add(e);
            },
            new RunOptions(stage.Settings with { InFlightMax = 50, FetchMax = 20 }));

        await started.ReachesAsync(31); // More than room minus one gulp: it has filled up.
        turns.Release(300);
        await handled.ReachesAsync(300);

        Assert.InRange(started.Items.Max(), 31, 50);
    }

    // Goal: the smallest setting works. Method: one in work, one fetched, several partitions.
    [Fact]
    public async Task One_at_a_time_is_possible()
    {
        var handled = new Tally<int>();
        await stage.AppendAsync([.. Enumerable.Range(0, 20).Select(n => Numbered($"k{n}", n))]);
        await using var run = ConsumerRun.Start(
            stage,
            (r, _, _) =>
            {
                handled.Add(r.Consumer.InFlight);
                return Task.CompletedTask;
            },
            new RunOptions(stage.Settings with { InFlightMax = 1, FetchMax = 10 }));

        await handled.ReachesAsync(20);
        Assert.All(handled.Items, inFlight => Assert.Equal(1, inFlight));
    }

    // Goal: pausing holds events back, also for a fetch that waits already, and pausing twice is pausing once. Method:
    // append while paused; a reader of another group shows that the events can be read; 20 rounds, because the second
    // pause has to come at different points of the consumer's loop.
    [Fact]
    public async Task A_paused_consumer_takes_nothing_until_it_is_resumed()
    {
        const int rounds = 20;
        var handled = new Tally<LoggedEvent>();
        await using var run = ConsumerRun.Start(stage, (_, e, _) =>
        {
            handled.Add(e);
            return Task.CompletedTask;
        });
        var marker = await stage.SubscribeAsync("marker", Payments);
        for (var round = 1; round <= rounds; round++)
        {
            run.Consumer.Pause();
            await stage.AppendAsync(Numbered("k", 2 * round), Numbered("k", (2 * round) + 1));
            await FetchAsync(marker, 2);
            run.Consumer.Pause();
            Assert.True(run.Consumer.IsPaused);
            Assert.Equal(0, await WhenInFlightAsync(run, 0));
            Assert.Equal(2 * (round - 1), handled.Items.Count);

            run.Consumer.Resume();
            Assert.False(run.Consumer.IsPaused);
            await handled.ReachesAsync(2 * round);
        }

        Assert.Equal(Enumerable.Range(2, 2 * rounds).Select(n => (long)n), handled.Items.Select(Number));
    }

    // Goal: a paused consumer can be stopped. Method: pause, append, stop; the next consumer takes the event.
    [Fact]
    public async Task A_paused_consumer_stops_and_leaves_its_events_to_the_next()
    {
        await using var run = ConsumerRun.Start(stage, (_, _, _) => Task.CompletedTask);
        run.Consumer.Pause();
        await stage.AppendAsync(Numbered("k", 1));
        await run.StopAsync();

        Assert.Equal(1, await ConsumerRun.LagAsync(stage));
        await HandleAllAsync(1);
    }

    // Goal: a stop finishes what is in work and keeps its offsets. Method: stop while two handlers wait at a gate.
    [Fact]
    public async Task A_stop_finishes_what_is_in_work()
    {
        var gate = Gate();
        var started = new Tally<LoggedEvent>();
        await stage.AppendAsync(Numbered("a", 1), Numbered("b", 2));
        await using var run = ConsumerRun.Start(stage, async (r, e, _) =>
        {
            started.Add(e);
            await gate.Task;
            await r.CommitAsync(e);
        });
        await started.ReachesAsync(2);

        run.RequestStop();
        await stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(stage.Settings.StopWithinMs)).Soon();
        Assert.False(run.Ended.IsCompleted);
        gate.SetResult();
        await run.Ended.Soon();

        Assert.Null(run.Consumer.Failure);
        Assert.Equal([("a", 1), ("b", 2)], await stage.EffectsAsync());
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
    }

    // Goal: a stop is bounded. Method: a handler that ends only when it is given up; the clock moves to the bound.
    [Fact]
    public async Task A_stop_gives_up_after_its_bound_and_the_event_is_delivered_again()
    {
        var started = new Tally<LoggedEvent>();
        await stage.AppendAsync(Numbered("k", 1), Numbered("k", 2));
        await using var run = ConsumerRun.Start(stage, async (_, e, cancel) =>
        {
            started.Add(e);
            // tidy: sleep: lasts until it is cancelled, not for a time.
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        });
        await started.ReachesAsync(1);

        var bound = TimeSpan.FromMilliseconds(stage.Settings.StopWithinMs);
        run.RequestStop();
        await stage.Clock.TimerAsync(bound).Soon();
        stage.Clock.Advance(bound - TimeSpan.FromMilliseconds(1));
        Assert.False(run.Ended.IsCompleted);
        stage.Clock.Advance(TimeSpan.FromMilliseconds(1));
        await run.Ended.Soon();

        Assert.Null(run.Consumer.Failure);
        Assert.Single(started.Items); // The key's second event was not started.
        Assert.Equal([1, 2], (await HandleAllAsync(2)).Select(Number));
    }

    // Goal: a broken invariant stops the worker and says why. Method: one of three events breaks it, another is in
    // work; it ends by itself, its offsets stay below the event, and the next consumer gets that event.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_violated_invariant_stops_the_consumer(bool isPaused)
    {
        var started = new Tally<LoggedEvent>();
        var gate = Gate();
        await stage.AppendAsync(Numbered("bad", 1), Numbered("bad", 2), Numbered("waiting", 3));
        await using var run = ConsumerRun.Start(stage, async (_, e, cancel) =>
        {
            started.Add(e);
            await gate.Task;
            Floodgate.Vocabulary.Invariant.Check(e.Key != "bad", "the test's books balance");
            // tidy: sleep: lasts until it is cancelled, not for a time.
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        });
        await started.ReachesAsync(2);
        if (isPaused)
        {
            run.Consumer.Pause();
        }

        gate.SetResult();
        await run.Ended.Soon();

        Assert.Contains("the test's books balance", Assert.IsType<Vocabulary.InvariantViolatedException>(
            run.Consumer.Failure).Message);
        Assert.Equal(3, await ConsumerRun.LagAsync(stage));
        Assert.Equal(2, started.Items.Count);
        Assert.Equal([1, 2, 3], (await HandleAllAsync(3)).Select(Number).Order());
    }

    // Goal: a plan that loses events is a bug that stops the consumer. Method: a preparation that is too short.
    [Fact]
    public async Task A_preparation_that_forgets_an_event_stops_the_consumer()
    {
        await stage.AppendAsync(Numbered("k", 1));
        await using var run = ConsumerRun.Start(
            stage,
            (_, _, _) => Task.CompletedTask,
            new RunOptions(Prepare: (_, _) => ValueTask.FromResult<IReadOnlyList<Prepared<LoggedEvent>>>([])));

        await run.Ended.Soon();

        Assert.Contains("each event of a fetch is prepared", run.Consumer.Failure!.Message);
        Assert.Equal(1, await ConsumerRun.LagAsync(stage));
    }

    // Goal: events without work cost no handler, and an idle group has no lag. Method: skip all; the clock stands
    // still, so no poll can have committed the offsets.
    [Fact]
    public async Task Skipped_events_are_committed_as_soon_as_nothing_is_in_work()
    {
        var skip = new Prepared<LoggedEvent>(null, null);
        await stage.AppendAsync([.. Enumerable.Range(0, 50).Select(n => Numbered($"k{n}", n))]);
        await using var run = ConsumerRun.Start(
            stage,
            (_, e, _) => throw new InvalidOperationException($"{e.Key} was to be skipped"),
            new RunOptions(Prepare: (events, _) => ValueTask.FromResult<IReadOnlyList<Prepared<LoggedEvent>>>(
                [.. events.Select(_ => skip)])));

        await Eventually.HoldsAsync(
            async () => await ConsumerRun.LagAsync(stage) == 0, () => "the lag is 0");
        Assert.Equal(TimeSpan.Zero, stage.Clock.Elapsed);
    }

    protected static long Number(LoggedEvent e) => long.Parse(e.Payload, CultureInfo.InvariantCulture);

    protected static TaskCompletionSource Gate() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    protected async Task<List<DeadLetter>> LettersAsync(string state) =>
        await stage.DeadLetters.ListAsync(state, Guid.Empty, CancellationToken.None);

    /// <summary>Runs a consumer that handles everything until so many events came; nothing is left behind.</summary>
    protected async Task<IReadOnlyList<LoggedEvent>> HandleAllAsync(int count)
    {
        var handled = new Tally<LoggedEvent>();
        await using var run = ConsumerRun.Start(stage, (_, e, _) =>
        {
            handled.Add(e);
            return Task.CompletedTask;
        });
        await handled.ReachesAsync(count);
        await run.StopAsync();
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
        Assert.Equal(count, handled.Items.Count);
        return handled.Items;
    }

    // Leaving the lane comes right after the handler, in another thread.
    private static async Task<int> WhenInFlightAsync(ConsumerRun run, int count)
    {
        await Eventually.HoldsAsync(
            () => Task.FromResult(run.Consumer.InFlight == count), () => $"{count} are in work");
        return run.Consumer.InFlight;
    }

    private static NewEvent[] InPartition0(string prefix, int count) =>
    [
        .. Enumerable.Range(0, 100_000).Select(i => $"{prefix}{i}").Where(k => Payments.PartitionOf(k) == 0)
            .Take(count).Select((k, n) => Numbered(k, n)),
    ];
}
