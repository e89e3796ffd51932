using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: the next member begins behind all that was begun here, and at nothing that was not. Method: a reader that
/// loses its partition at an event that the test names, between the two looks of the consumer or later.
/// </summary>
public sealed class When_a_partition_goes_to_another_member : IAsyncLifetime
{
    private const int Partition = 2;
    private const int Free = 1_000;

    private static readonly IEnumerable<string> Keys = Enumerable.Range(0, 10_000).Select(i => $"key-{i}")
        .Where(key => Payments.PartitionOf(key) == Partition);

    private readonly SqliteStage stage = new();
    private readonly Tally<LoggedEvent> started = new();
    private readonly Tally<LoggedEvent> handled = new();
    private readonly TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: the next member begins behind what was in work here. Method: two of four are in work when it goes.
    [Fact]
    public async Task What_is_in_work_is_waited_for_and_committed()
    {
        await AppendAsync(0, 4);
        var log = new GoingLog(stage.Log) { GoesAt = 2 };
        await using var run = Start(log);
        await started.ReachesAsync(2);
        await log.RefusesAsync(2);

        var given = log.GiveBackAsync();
        Assert.False(given.IsCompleted);
        gate.SetResult();
        await given.Soon();

        Assert.Equal([0, 1], handled.Items.Select(e => e.Offset).Order());
        Assert.Equal(2, await ConsumerRun.LagAsync(stage));
        await run.StopAsync();
    }

    // Goal: what is done behind an event that waits is not repeated, so that event is done too; what waits behind all
    // is left to the next member. Method: two keys, of which one is held at its first of three events.
    [Fact]
    public async Task What_waits_before_something_done_is_done_first()
    {
        var log = await WithOneKeyHeldAsync();
        await using var run = Start(log);
        await handled.ReachesAsync(1);

        var given = log.GiveBackAsync();
        Assert.False(given.IsCompleted);
        gate.SetResult();
        await given.Soon();

        Assert.Equal([0, 1, 2], handled.Items.Select(e => e.Offset).Order());
        Assert.Equal(1, await ConsumerRun.LagAsync(stage));
        await run.StopAsync();
    }

    // Goal: nothing is begun of a partition that is another's already. Method: the same, and it is lost.
    [Fact]
    public async Task What_waits_is_left_when_the_partition_is_lost()
    {
        var log = await WithOneKeyHeldAsync();
        await using var run = Start(log);
        await handled.ReachesAsync(1);

        var given = log.GiveBackAsync(areLost: true);
        gate.SetResult();
        await given.Soon();

        Assert.Equal([0, 2], handled.Items.Select(e => e.Offset).Order());
        Assert.Equal(3, await ConsumerRun.LagAsync(stage));
        await run.StopAsync();
    }

    // Goal: offsets go on when it comes again behind what was dropped. Method: it goes, and is given back, before any
    // event of the fetch is in work; other events come next.
    [Fact]
    public async Task What_was_never_in_work_holds_up_no_offset()
    {
        await AppendAsync(0, 4);
        var log = new GoingLog(stage.Log) { GoesAt = 0, IsGivenBackBefore = true };
        gate.SetResult();
        await using var run = Start(log);
        await log.RefusesAsync(4);

        log.ComeAgain();
        await AppendAsync(4, 4);
        await handled.ReachesAsync(4);

        await run.StopAsync();
        Assert.Equal([4, 5, 6, 7], handled.Items.Select(e => e.Offset).Order());
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
    }

    private Task AppendAsync(int first, int count) =>
        stage.AppendAsync([.. Keys.Skip(first).Take(count).Select((key, i) => Numbered(key, first + i))]);

    private async Task<GoingLog> WithOneKeyHeldAsync()
    {
        var (held, free) = (Keys.First(), Keys.Skip(1).First());
        await stage.AppendAsync(Numbered(held, 0), Numbered(held, 1), Numbered(free, Free), Numbered(held, 3));
        return new GoingLog(stage.Log) { GoesAt = 4 };
    }

    private ConsumerRun Start(GoingLog log) => ConsumerRun.Start(
        stage,
        async (run, e, _) =>
        {
            started.Add(e);
            await (e.Payload == $"{Free}" ? Task.CompletedTask : gate.Task);
            await run.WriteEffectAsync(e);
            handled.Add(e);
        },
        new RunOptions(stage.Settings with { Kafka = new KafkaSettings("none") }, Log: log));

    /// <summary>A log with one reader, which loses the partition at the second look at an event.</summary>
    private sealed class GoingLog(IEventLog inner) : IEventLog, ILogReader
    {
        private readonly Tally<LoggedEvent> refused = new();
        private readonly HashSet<long> seen = [];
        private ILogReader? reader;
        private GiveUpPartitions? giveUp;
        private volatile bool isGone;

        public required long GoesAt { get; init; }

        /// <summary>Whether it was given back already when the consumer looks for the second time.</summary>
        public bool IsGivenBackBefore { get; init; }

        /// <summary>Completes when so many events were refused.</summary>
        public Task RefusesAsync(int count) => refused.ReachesAsync(count);

        public Task GiveBackAsync(bool areLost = false) => giveUp!([(Payments, Partition)], areLost);

        public void ComeAgain() => isGone = false;

        public bool Holds(LoggedEvent e)
        {
            var isSecond = !seen.Add(e.Offset);
            if (isSecond && e.Offset == GoesAt)
            {
                isGone = true;
            }
            else if (!isSecond && e.Offset == GoesAt && IsGivenBackBefore)
            {
                Assert.True(GiveBackAsync().IsCompletedSuccessfully);
            }

            if (isGone)
            {
                refused.Add(e);
            }

            return !isGone;
        }

        public void WhenRevoked(GiveUpPartitions giveUp) => this.giveUp = giveUp;

        public ValueTask AppendAsync(Tx tx, IReadOnlyList<NewEvent> events) => inner.AppendAsync(tx, events);

        public ValueTask BuriedAsync(Tx tx, Topic topic, DeadLetter letter) => inner.BuriedAsync(tx, topic, letter);

        public async ValueTask<ILogReader> SubscribeAsync(
            string group, IReadOnlyList<Topic> topics, CancellationToken cancel)
        {
            reader = await inner.SubscribeAsync(group, topics, cancel);
            return this;
        }

        public ValueTask<IReadOnlyList<LoggedEvent>> FetchAsync(int max, CancellationToken cancel) =>
            reader!.FetchAsync(max, cancel);

        public void CommitOffsets(Tx tx, IReadOnlyList<GroupOffset> offsets) => reader!.CommitOffsets(tx, offsets);

        public ValueTask<long> LagAsync(Tx tx) => reader!.LagAsync(tx);

        public ValueTask DisposeAsync() => reader!.DisposeAsync();
    }
}
