using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: the contract, and what only the embedded log promises: the wake-up by the commit, fixed topics, the
/// retention sweep. Method: a clock that stands still, so nothing happens by polling unless the test says so.
/// </summary>
public abstract class EmbeddedLogContract(EmbeddedStage stage) : EventLogContract(stage)
{
    private static readonly Statement CountEvents = new("select count(*) from log_event");

    private TimeSpan Poll => TimeSpan.FromMilliseconds(stage.Settings.PollMs);

    // Goal: latency is the commit's, not the poll's. Method: the clock never moves, so only the commit can wake.
    [Fact]
    public async Task A_waiting_reader_is_woken_by_the_commit_without_the_poll()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        for (var n = 0; n < 20; n++)
        {
            var fetching = FetchAsync(reader, 1);
            await stage.Clock.TimerAsync(Poll).Soon(); // It has found nothing and waits.

            await stage.AppendAsync(Numbered($"k{n}", n));

            Assert.Equal(n, Number(Assert.Single(await fetching.Soon())));
        }

        Assert.Equal(TimeSpan.Zero, stage.Clock.Elapsed);
    }

    // Goal: a wake-up that nobody hears costs one poll interval. Method: append through another instance, as another
    // process does; the reader gets the event exactly when the clock reaches the poll.
    [Fact]
    public async Task An_append_by_another_process_is_found_by_the_poll()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        var fetching = FetchAsync(reader, 1);
        await stage.Clock.TimerAsync(Poll).Soon();

        await stage.AppendAsync(await stage.OpenLogAsync(), Numbered("k", 1));
        stage.Clock.Advance(Poll - TimeSpan.FromTicks(1));
        Assert.False(fetching.IsCompleted);

        stage.Clock.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(1, Number(Assert.Single(await fetching.Soon())));
    }

    // Goal: a wake-up taken by a read that fails is not lost. Method: the database is away for the read alone; the
    // clock stands still, so the next fetch can be woken by nothing else.
    [Fact]
    public async Task A_fetch_that_fails_has_taken_nothing()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        await stage.AppendAsync(Numbered("k", 1));

        stage.Database.IsAway = true;
        await Assert.ThrowsAsync<DatabaseUnavailableException>(
            () => reader.FetchAsync(10, CancellationToken.None).AsTask());
        stage.Database.IsAway = false;

        Assert.Equal(["1"], (await FetchAsync(reader, 1).Soon()).Select(e => e.Payload));
    }

    // Goal: readers that left are forgotten. Method: one leaves, appends still wake the other.
    [Fact]
    public async Task A_reader_that_left_does_not_disturb_the_others()
    {
        var gone = await stage.SubscribeAsync("g", Payments);
        var reader = await stage.SubscribeAsync("g", Payments);
        await gone.DisposeAsync();
        var fetching = FetchAsync(reader, 1);
        await stage.Clock.TimerAsync(Poll).Soon();

        await stage.AppendAsync(Numbered("k", 1));

        Assert.Single(await fetching.Soon());
    }

    // Goal: keys never change partition. Method: more, fewer, another number, another name; then the stored one.
    [Fact]
    public async Task A_topic_that_is_stored_otherwise_is_refused_and_nothing_changes()
    {
        var log = new EmbeddedLog(stage.Database, stage.Settings, stage.Clock);
        Topic[] others =
        [
            Payments with { Partitions = 5 },
            Payments with { Partitions = 3 },
            Payments with { Number = 9 },
            Payments with { Name = "renamed" },
        ];
        foreach (var other in others)
        {
            var refusal = await Assert.ThrowsAsync<InvariantViolatedException>(
                () => log.CreateTopicsAsync([other], CancellationToken.None).AsTask());
            Assert.Contains($"topic {other.Name}", refusal.Message);
            Assert.Contains("is stored as payments (number 1, 4 partitions)", refusal.Message);
            Assert.Contains("keep what is stored or choose a new name and number", refusal.Message);
        }

        await log.CreateTopicsAsync([Payments, Results], CancellationToken.None);
        await stage.AppendAsync([.. Enumerable.Range(0, 9).Select(n => Numbered($"k{n}", n))]);
        Assert.Equal(9, (await FetchAsync(await stage.SubscribeAsync("g", Payments), 9)).Count);
    }

    // Goal: a number of partitions that cannot be stored is told at once. Method: both bounds.
    [Theory]
    [InlineData(0)]
    [InlineData(1_001)]
    public async Task A_topic_has_1_to_1000_partitions(int partitions)
    {
        var log = new EmbeddedLog(stage.Database, stage.Settings, stage.Clock);
        var refusal = await Assert.ThrowsAsync<InvariantViolatedException>(
            () => log.CreateTopicsAsync([new Topic(3, "odd", partitions, 1)], CancellationToken.None).AsTask());
        Assert.Contains($"topic odd has 1 to 1000 partitions, not {partitions}", refusal.Message);
    }

    // Goal: using a topic nobody created says so. Method: append and subscribe.
    [Fact]
    public async Task A_topic_that_was_not_created_is_named()
    {
        var unknown = new Topic(7, "unknown", 2, 1);
        var append = await Assert.ThrowsAsync<InvariantViolatedException>(
            () => stage.AppendAsync(Numbered("k", 1, unknown)));
        Assert.Contains("topics are created before events are appended", append.Message);

        var subscribe = await Assert.ThrowsAsync<InvariantViolatedException>(
            () => stage.SubscribeAsync("g", unknown));
        Assert.Contains("topic unknown is created before it is read", subscribe.Message);
    }

    // Goal: the sweep takes only what is old and read by all. Method: two groups, one slower; old and young events.
    [Fact]
    public async Task The_sweep_deletes_only_events_that_are_old_and_read_by_every_group()
    {
        var key = KeyIn(0);
        var log = (EmbeddedLog)stage.Log;
        var fast = await stage.SubscribeAsync("fast", Payments);
        var slow = await stage.SubscribeAsync("slow", Payments);
        await stage.AppendAsync([.. Enumerable.Range(0, 10).Select(n => Numbered(key, n))]);
        await stage.CommitAsync(fast, new GroupOffset(Payments, 0, 10));

        stage.Clock.Advance(TimeSpan.FromDays(Payments.RetentionDays));
        await stage.AppendAsync(Numbered(key, 10));
        await stage.CommitAsync(slow, new GroupOffset(Payments, 0, 4));
        Assert.Equal(0, await log.SweepAsync([Payments], CancellationToken.None)); // Not a moment older than allowed.

        stage.Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(4, await log.SweepAsync([Payments], CancellationToken.None)); // The slow group's 4.
        Assert.Equal(0, await log.SweepAsync([Payments], CancellationToken.None));

        await stage.CommitAsync(fast, new GroupOffset(Payments, 0, 11));
        await stage.CommitAsync(slow, new GroupOffset(Payments, 0, 11));
        Assert.Equal(6, await log.SweepAsync([Payments], CancellationToken.None)); // The eleventh is young.
        Assert.Equal(1, await CountAsync());
        Assert.Equal([10], (await FetchAsync(await stage.SubscribeAsync("new", Payments), 1)).Select(Number));
    }

    // Goal: many old events go in several steps, and a group that comes later neither stalls nor lags behind what
    // is gone. Method: more than two steps' worth; a new group before and after the next append.
    [Fact]
    public async Task A_group_that_begins_after_a_sweep_begins_with_the_oldest_event_left()
    {
        var key = KeyIn(1);
        for (var n = 0; n < 2_500; n += 500)
        {
            await stage.AppendAsync([.. Enumerable.Range(n, 500).Select(i => Numbered(key, i))]);
        }

        stage.Clock.Advance(TimeSpan.FromDays(30));
        Assert.Equal(2_500, await ((EmbeddedLog)stage.Log).SweepAsync([Payments], CancellationToken.None));

        var reader = await stage.SubscribeAsync("late", Payments);
        Assert.Equal(0, await stage.LagAsync(reader));
        await stage.AppendAsync(Numbered(key, 2_500));
        Assert.Equal(1, await stage.LagAsync(reader));
        Assert.Equal(2_500, Number(Assert.Single(await FetchAsync(reader, 1))));
    }

    // Goal: an operator sees which group is behind, and in what. Method: two groups with different topics and offsets.
    [Fact]
    public async Task Lags_are_told_by_group_and_topic()
    {
        var reader = await stage.SubscribeAsync("b", Payments, Results);
        await stage.SubscribeAsync("a", Payments);
        await stage.AppendAsync([.. Enumerable.Range(0, 40).Select(n => Numbered($"k{n}", n))]);
        await stage.AppendAsync(Numbered("k", 1, Results));
        var read = (await FetchAsync(reader, 41)).First(e => e.Topic == Results);
        await stage.CommitAsync(reader, new GroupOffset(Results, read.Partition, read.Offset + 1));

        Assert.Equal(
            [new("a", Payments.Name, 40), new("b", Payments.Name, 40), new("b", Results.Name, 0)],
            (await stage.Database.ReadAsync(EmbeddedLog.LagsAsync, default))
                .OrderBy(lag => lag.Group).ThenBy(lag => lag.Topic != Payments.Name));
    }

    private ValueTask<long> CountAsync() => stage.Database.ReadAsync(
        async tx => (await tx.QueryAsync(CountEvents, Rows.None, r => r.Long(0)))[0], default);
}

/// <summary>The contract on SQLite.</summary>
public sealed class EmbeddedLogOnSqliteTests() : EmbeddedLogContract(new SqliteStage());

/// <summary>The contract on PostgreSQL, and what only a database with several writers can get wrong.</summary>
public sealed class EmbeddedLogOnPostgreSqlTests(PostgreSqlServer server)
    : EmbeddedLogContract(new PostgreSqlStage(server));
