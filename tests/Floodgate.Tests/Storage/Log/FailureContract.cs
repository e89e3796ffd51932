using System.Collections.Concurrent;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: whatever fails, each event has its effect exactly once or becomes a dead letter, and nobody else waits.
/// Method: failing handlers and preparations, a database with a switch, processes that die at random points.
/// </summary>
public abstract class FailureContract(LogStage stage) : ConsumerContract(stage)
{
    private TimeSpan Poll => TimeSpan.FromMilliseconds(Stage.Settings.PollMs);

    /// <summary>Fixed seeds, and a new one each run that shows in the test's name.</summary>
    public static TheoryData<int> Seeds => [1, 2, 3, 1_000 + Environment.ProcessId];

    // Goal: retry with backoff, then the dead letter with all it needs, and the partition goes on. Method: the clock is
    // moved exactly to each try.
    [Fact]
    public async Task A_failing_event_is_tried_again_after_growing_delays_and_becomes_a_dead_letter()
    {
        var key = KeyIn(0);
        var tries = new Tally<TimeSpan>();
        var handled = new Tally<LoggedEvent>();
        await using var run = ConsumerRun.Start(Stage, (_, e, _) =>
        {
            if (Number(e) == 13)
            {
                tries.Add(Stage.Clock.Elapsed);
                throw new FormatException($"try {tries.Items.Count}");
            }

            handled.Add(e);
            return Task.CompletedTask;
        });
        await Stage.AppendAsync(Numbered(key, 13), Numbered(key, 14));
        await Stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(100)).Soon();
        await Stage.AppendAsync([.. Enumerable.Range(20, 20).Select(n => Numbered($"other-{n}", n))]);
        await handled.ReachesAsync(20); // Others go on between the tries; the key's next event waits.
        Assert.DoesNotContain(handled.Items, e => e.Key == key);

        Stage.Clock.Advance(TimeSpan.FromMilliseconds(100));
        await Stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(200)).Soon();
        Stage.Clock.Advance(TimeSpan.FromMilliseconds(200));
        await handled.ReachesAsync(21);
        await run.StopAsync();

        Assert.Equal([0, 100, 300], tries.Items.Select(t => t.TotalMilliseconds));
        Assert.Equal(14, Number(handled.Items[^1]));
        Assert.Equal(0, await ConsumerRun.LagAsync(Stage));
        var letter = Assert.Single(await LettersAsync("OPEN"));
        Assert.Equal(
            letter with
            {
                Group = ConsumerRun.Group, Topic = Payments.Name, Partition = 0, Key = key, Type = "numbered/1",
                Payload = "13", Error = "try 3", Attempts = 3, State = "OPEN",
                AtMs = Stage.Clock.GetUtcNow().ToUnixTimeMilliseconds(),
            },
            letter);
        Assert.Equal(handled.Items[^1].Offset - 1, letter.Offset);
        Assert.Equal(1, await Stage.DeadLetters.CountOpenAsync(CancellationToken.None));
    }

    // Goal: what no retry can mend is a dead letter at once and spoils nobody. Method: each way to say so.
    [Theory]
    [InlineData("prepared as an error")]
    [InlineData("preparation throws bad event")]
    [InlineData("handler throws bad event")]
    public async Task An_unreadable_event_is_a_dead_letter_at_once(string way)
    {
        var handled = new Tally<LoggedEvent>();
        await Stage.AppendAsync(Numbered("a", 1), Numbered("k", 13), Numbered("k", 14), Numbered("b", 2));
        await using var run = ConsumerRun.Start(
            Stage,
            (_, e, _) =>
            {
                if (way.StartsWith("handler", StringComparison.Ordinal) && Number(e) == 13)
                {
                    throw new BadEventException("unreadable");
                }

                handled.Add(e);
                return Task.CompletedTask;
            },
            new RunOptions(Prepare: (events, _) =>
            {
                if (way.StartsWith("preparation", StringComparison.Ordinal) && events.Any(e => Number(e) == 13))
                {
                    throw new BadEventException("unreadable");
                }

                return ValueTask.FromResult<IReadOnlyList<Prepared<LoggedEvent>>>(
                [
                    .. events.Select(e => way.StartsWith("prepared", StringComparison.Ordinal) && Number(e) == 13
                        ? new Prepared<LoggedEvent>(null, "unreadable")
                        : new Prepared<LoggedEvent>(e, null)),
                ]);
            }));

        await handled.ReachesAsync(3);
        await run.StopAsync();

        Assert.Equal([1, 2, 14], handled.Items.Select(Number).Order());
        var letter = Assert.Single(await LettersAsync("OPEN"));
        Assert.Equal(("k", "13", "unreadable", 1), (letter.Key, letter.Payload, letter.Error, letter.Attempts));
        Assert.Equal(TimeSpan.Zero, Stage.Clock.Elapsed);
        Assert.Equal(0, await ConsumerRun.LagAsync(Stage));
    }

    // Goal: a preparation that fails for one event is tried again for that one alone. Method: it fails twice.
    [Fact]
    public async Task A_preparation_that_throws_is_tried_again_for_its_event_alone()
    {
        var left = 3; // The whole fetch, then twice alone.
        var handled = new Tally<LoggedEvent>();
        await Stage.AppendAsync(Numbered("a", 1), Numbered("k", 13), Numbered("b", 2));
        await using var run = ConsumerRun.Start(
            Stage,
            (_, e, _) =>
            {
                handled.Add(e);
                return Task.CompletedTask;
            },
            new RunOptions(Prepare: (events, _) =>
                events.Any(e => Number(e) == 13) && Interlocked.Decrement(ref left) >= 0
                    ? throw new TimeoutException("not now")
                    : ValueTask.FromResult(ConsumerRun.AsTheyAre(events))));

        await handled.ReachesAsync(2); // Those beside it did not wait.
        await Stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(100)).Soon();
        Stage.Clock.Advance(TimeSpan.FromMilliseconds(100));
        await Stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(200)).Soon();
        Stage.Clock.Advance(TimeSpan.FromMilliseconds(200));
        await handled.ReachesAsync(3);

        Assert.Equal(13, Number(handled.Items[^1]));
        Assert.Empty(await LettersAsync("OPEN"));
    }

    // Goal: replay sends the event once, whoever presses the button how often. Method: 20 concurrent replays.
    [Fact]
    public async Task Twenty_concurrent_replays_append_the_event_once()
    {
        await BuryAsync("k", 13);
        var letter = Assert.Single(await LettersAsync("OPEN"));

        var replays = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
            () => Stage.DeadLetters.ReplayAsync(letter.Id, CancellationToken.None).AsTask())));

        Assert.Equal(letter.Id, Assert.Single(replays, r => r is not null)!.Id);
        Assert.Empty(await LettersAsync("OPEN"));
        Assert.Equal(letter with { State = "REPLAYED" }, Assert.Single(await LettersAsync("REPLAYED")));
        var again = Assert.Single(await HandleAllAsync(1));
        Assert.Equal(("k", "numbered/1", "13"), (again.Key, again.Type, again.Payload));
        Assert.Null(await Stage.DeadLetters.ReplayAsync(Guid.Empty, CancellationToken.None));
    }

    // Goal: giving up settles what the event was about, or nothing happens at all. Method: a callback that fails after
    // its write, then one that does not, then a second discard.
    [Fact]
    public async Task A_discard_settles_in_the_same_transaction()
    {
        await BuryAsync("k", 13);
        var letter = Assert.Single(await LettersAsync("OPEN"));
        var dead = new LoggedEvent(Payments, letter.Partition, letter.Offset, letter.Key, letter.Type, letter.Payload);

        await Assert.ThrowsAsync<FormatException>(() => DiscardAsync((tx, _) =>
        {
            AddEffect(tx, dead);
            throw new FormatException();
        }));
        Assert.Empty(await Stage.EffectsAsync());
        Assert.Single(await LettersAsync("OPEN"));

        Assert.NotNull(await DiscardAsync((tx, given) =>
        {
            Assert.Equal("13", given.Payload);
            AddEffect(tx, dead);
            return ValueTask.CompletedTask;
        }));
        Assert.Null(await DiscardAsync((_, _) => throw new FormatException("called twice")));
        Assert.Equal([("k", 13)], await Stage.EffectsAsync());
        Assert.Single(await LettersAsync("DISCARDED"));
        Assert.Equal(0, await ConsumerRun.LagAsync(Stage)); // And it was not appended again.

        Task<DeadLetter?> DiscardAsync(Func<Tx, DeadLetter, ValueTask> settle) =>
            Stage.DeadLetters.DiscardAsync(letter.Id, settle, CancellationToken.None).AsTask();
    }

    // Goal: an unreachable database makes no dead letters, however long it is away. Method: preparation and handler
    // use it; it goes away five times, each time for more refusals than there are tries.
    [Fact]
    public async Task The_database_goes_away_and_comes_back_and_every_effect_is_there_once()
    {
        var started = new Tally<LoggedEvent>();
        var done = new Tally<LoggedEvent>();
        await Stage.AppendAsync([.. Enumerable.Range(0, 200).Select(n => Numbered($"k{n % 50}", n))]);
        await using var run = ConsumerRun.Start(
            Stage,
            async (r, e, _) =>
            {
                started.Add(e);
                await (Number(e) % 2 == 0 ? r.CommitAsync(e) : r.WriteEffectAsync(e));
                done.Add(e);
            },
            new RunOptions(
                Stage.Settings with { InFlightMax = 40, FetchMax = 10 },
                async (events, _) =>
                {
                    await Stage.EffectsAsync();
                    return ConsumerRun.AsTheyAre(events);
                }));

        for (var outage = 1; outage <= 5; outage++)
        {
            await Stage.Clock.RunUntilAsync(started.ReachesAsync(outage * 30), Poll);
            Stage.Database.IsAway = true;
            await Stage.Clock.RunUntilAsync(Stage.Database.RefusedAsync(10 * Stage.Settings.AttemptsMax), Poll).Soon();
            Stage.Database.IsAway = false;
        }

        await Stage.Clock.RunUntilAsync(done.ReachesAsync(200), Poll);
        await run.StopAsync();

        Assert.Equal(200, (await Stage.EffectsAsync()).Count);
        Assert.Empty(await LettersAsync("OPEN"));
        Assert.Equal(0, await ConsumerRun.LagAsync(Stage));
    }

    // Goal: a dead letter is not lost because the database is away when it is written. Method: take it away there.
    [Fact]
    public async Task A_dead_letter_waits_for_the_database()
    {
        await Stage.AppendAsync(Numbered("k", 13));
        await using var run = ConsumerRun.Start(Stage, (_, _, _) =>
        {
            Stage.Database.IsAway = true;
            throw new BadEventException("unreadable");
        });
        await Stage.Clock.RunUntilAsync(Stage.Database.RefusedAsync(5), Poll).Soon();
        Stage.Database.IsAway = false;
        await Stage.Clock.RunUntilAsync(WhenIdleAsync(run), Poll).Soon();
        await run.StopAsync();

        Assert.Single(await LettersAsync("OPEN"));
        Assert.Equal(0, await ConsumerRun.LagAsync(Stage));
    }

    // Goal: a dead letter that could not be written before the stop is not forgotten. Method: stop while the database
    // is away; the next consumer gets the event.
    [Fact]
    public async Task An_event_whose_dead_letter_was_not_written_is_delivered_again()
    {
        await Stage.AppendAsync(Numbered("k", 13));
        await using (var run = ConsumerRun.Start(Stage, (_, _, _) =>
        {
            Stage.Database.IsAway = true;
            throw new BadEventException("unreadable");
        }))
        {
            await Stage.Clock.RunUntilAsync(Stage.Database.RefusedAsync(2), Poll).Soon();
            run.RequestStop();
            await Stage.Clock.RunUntilAsync(run.Ended, Poll).Soon();
            Assert.Null(run.Consumer.Failure);
        }

        Stage.Database.IsAway = false;
        Assert.Empty(await LettersAsync("OPEN"));
        Assert.Equal(13, Number(Assert.Single(await HandleAllAsync(1))));
    }

    // Goal: any crash point recovers: at least once delivered, exactly once effective, in order. Method: processes
    // whose database goes away for good at a random moment, before or after the effect of an event; the next one goes
    // on. A handler that starts on an event before its predecessor of the same key is done fails the test.
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Processes_that_die_at_random_points_lose_nothing_and_repeat_no_effect(int seed)
    {
        const int keys = 20;
        var events = Stage.EventsOfCrashes;
        var random = new Random(seed);
        var done = new ConcurrentDictionary<(string Key, long N), bool>();
        var wrong = new ConcurrentQueue<string>();
        await Stage.AppendAsync(
            [.. Enumerable.Range(0, events).Select(i => Numbered($"k{i % keys}", i / keys))]);

        var lives = 0;
        while (done.Count < events || await ConsumerRun.LagAsync(Stage) > 0)
        {
            Assert.True(++lives < 200, $"seed {seed}: no progress, {done.Count} of {events} done");
            await LiveAndDieAsync(random.Next(), done, wrong);
        }

        Assert.Empty(wrong);
        Assert.Equal(events, (await Stage.EffectsAsync()).Count);
        Assert.Empty(await LettersAsync("OPEN"));
    }

    private async Task LiveAndDieAsync(
        int seed, ConcurrentDictionary<(string Key, long N), bool> done, ConcurrentQueue<string> wrong)
    {
        var random = new Random(seed);
        var calls = 0;
        var diesAt = random.Next(1, 120);
        var diesAfterEffect = random.Next(2) == 0;
        using var database = new MortalDatabase(Stage.Database);
        await using var run = ConsumerRun.Start(
            Stage,
            async (r, e, cancel) =>
            {
                var (key, n) = (e.Key, Number(e));
                if (n > 0 && !done.ContainsKey((key, n - 1)))
                {
                    wrong.Enqueue($"{key}/{n} before {n - 1}");
                }

                var call = Interlocked.Increment(ref calls);
                if (call == diesAt && !diesAfterEffect)
                {
                    database.Die();
                }

                await (call % 3 == 0 ? r.WriteEffectAsync(e) : r.CommitAsync(e));
                done.TryAdd((key, n), true);
                if (call == diesAt)
                {
                    database.Die();
                    // tidy: sleep: lasts until it is cancelled, not for a time.
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancel); // Its answer never arrives.
                }
            },
            new RunOptions(
                Stage.Settings with { StopWithinMs = 0, InFlightMax = 60, FetchMax = 25 },
                Database: database.Switch,
                Log: await Stage.OpenLogAsync()));

        await Stage.Clock.RunUntilAsync(Task.WhenAny(database.Died, WhenIdleAsync(run)), Poll).Soon();
        run.RequestStop();
        await Stage.Clock.RunUntilAsync(run.Ended, Poll).Soon();
        Assert.Null(run.Consumer.Failure);
    }

    private async Task BuryAsync(string key, long n)
    {
        await Stage.AppendAsync(Numbered(key, n));
        await using var run = ConsumerRun.Start(Stage, (_, _, _) => throw new BadEventException("unreadable"));
        await WhenIdleAsync(run).Soon();
        await run.StopAsync();
    }

    private Task WhenIdleAsync(ConsumerRun run) => Fixtures.Eventually.HoldsAsync(
        async () => run.Ended.IsCompleted || (!Stage.Database.IsAway && await ConsumerRun.LagAsync(Stage) == 0),
        () => "the group has no lag");

    /// <summary>One process's way to the shared database, cut for good when it dies.</summary>
    private sealed class MortalDatabase(Database shared) : IDisposable
    {
        private readonly TaskCompletionSource died = Gate();

        public SwitchedDatabase Switch { get; } = new(shared);

        public Task Died => died.Task;

        public void Die()
        {
            Switch.IsAway = true;
            died.TrySetResult();
        }

        public void Dispose() => Die();
    }
}

/// <summary>The consumer on the embedded log on SQLite.</summary>
public sealed class ConsumerOnSqliteTests() : FailureContract(new SqliteStage());

/// <summary>The consumer on the embedded log on PostgreSQL.</summary>
public sealed class ConsumerOnPostgreSqlTests(Fixtures.PostgreSqlServer server)
    : FailureContract(new PostgreSqlStage(server));
