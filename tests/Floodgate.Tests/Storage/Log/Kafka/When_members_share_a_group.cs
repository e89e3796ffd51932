using System.Diagnostics;
using System.Globalization;
using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log.Kafka;

/// <summary>
/// Goal: members of a group share the work, also while they come and go, and nobody is evicted for being slow; what
/// does not belong into a topic holds up nobody. Method: real consumers on three brokers over PostgreSQL.
/// </summary>
public sealed class When_members_share_a_group(PostgreSqlServer server) : IAsyncLifetime
{
    private readonly KafkaStage stage = new(server);

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: a rebalance under load repeats no effect and loses none. Method: a second member comes while the first is
    // at work, and the first leaves; an effect that is written twice fails its transaction and with it the test.
    [Fact]
    public async Task A_rebalance_under_load_repeats_no_effect()
    {
        var (first, second) = (new Tally<LoggedEvent>(), new Tally<LoggedEvent>());
        var stop = false;
        var n = 0;
        var loading = Task.Run(async () =>
        {
            while (!Volatile.Read(ref stop))
            {
                await stage.AppendAsync([.. Enumerable.Range(n, 20).Select(i => Numbered($"k{i % 60}", i))]);
                n += 20;
                while (first.Items.Count + second.Items.Count < n - 400)
                {
                    // tidy: sleep: a load that ran ahead would only be a backlog to wait for at the end.
                    await Task.Delay(5);
                }
            }
        });
        var a = ConsumerRun.Start(stage, Effect(first));
        await first.ReachesAsync(200);
        await using var b = ConsumerRun.Start(stage, Effect(second), new RunOptions(Log: await stage.OpenLogAsync()));
        await second.ReachesAsync(200);
        var (alone, shared) = (first.Items.Count, second.Items.Count);
        await Eventually.HoldsAsync(
            () => Task.FromResult(first.Items.Count > alone + 50 && second.Items.Count > shared + 50),
            () => "both are at work");
        await a.StopAsync();
        Volatile.Write(ref stop, true);
        await loading;

        await Eventually.HoldsAsync(
            async () => await ConsumerRun.LagAsync(stage) == 0, () => "the one that is left finishes");
        var events = first.Items.Concat(second.Items).ToList();
        Assert.Equal(Enumerable.Range(0, n).Select(i => (long)i), events.Select(Number).Order());
        Assert.Equal(n, (await stage.EffectsAsync()).Count);
        await b.StopAsync();
        await a.DisposeAsync();
        Assert.Empty(await stage.DeadLetters.ListAsync("OPEN", Guid.Empty, CancellationToken.None));
    }

    // Goal: a handler may take longer than the session. Method: one is held for twice the session while others go on;
    // it would begin again after an eviction.
    [Fact]
    public async Task A_handler_that_is_slower_than_the_session_is_not_evicted()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = new Tally<LoggedEvent>();
        await stage.AppendAsync([.. Enumerable.Range(0, 8).Select(i => Numbered($"slow-{i}", i))]);
        await using var run = ConsumerRun.Start(stage, async (_, e, _) =>
        {
            started.Add(e);
            await (Number(e) < 8 ? gate.Task : Task.CompletedTask);
        });
        await started.ReachesAsync(8);

        var session = TimeSpan.FromMilliseconds(
            int.Parse(stage.Settings.Kafka!.Client["session.timeout.ms"], CultureInfo.InvariantCulture));
        var watch = Stopwatch.StartNew();
        for (var n = 8; watch.Elapsed < 2 * session; n++)
        {
            await stage.AppendAsync(Numbered($"quick-{n}", n));
            await started.ReachesAsync(n + 1);
        }

        gate.SetResult();
        await Eventually.HoldsAsync(
            async () => await ConsumerRun.LagAsync(stage) == 0, () => "all is finished");
        Assert.Equal(started.Items.Count, started.Items.Select(Number).Distinct().Count());
    }

    // Goal: the brokers may go away while a consumer is at work. Method: down, append, up.
    [Fact]
    public async Task An_outage_of_the_brokers_is_waited_for()
    {
        var handled = new Tally<LoggedEvent>();
        await using var run = ConsumerRun.Start(stage, Effect(handled));
        await stage.AppendAsync([.. Enumerable.Range(0, 50).Select(i => Numbered($"k{i}", i))]);
        await handled.ReachesAsync(50);

        stage.Cluster.TakeDown();
        await stage.AppendAsync([.. Enumerable.Range(50, 50).Select(i => Numbered($"k{i}", i))]);
        stage.Cluster.BringUp();
        await handled.ReachesAsync(100);

        Assert.Equal(100, (await stage.EffectsAsync()).Count);
        await run.StopAsync();
    }

    // Goal: what somebody else put into a topic is a dead letter, and its partition goes on. Method: no JSON, and JSON
    // without the relay's header, between events.
    [Fact]
    public async Task A_foreign_message_becomes_a_dead_letter_and_the_partition_goes_on()
    {
        var handled = new Tally<LoggedEvent>();
        var key = KeyIn(2);
        await stage.AppendAsync(Numbered(key, 1));
        await using var run = ConsumerRun.Start(stage, Effect(handled));
        await handled.ReachesAsync(1);
        await RawKafka.SendAsync(stage.Cluster, Payments.Name, 2, "stranger", "not { json \0");
        await RawKafka.SendAsync(stage.Cluster, Payments.Name, 2, "stranger", "{\"amount\":1}");
        await stage.AppendAsync(Numbered(key, 2));
        await handled.ReachesAsync(2);

        List<DeadLetter> letters = [];
        await Eventually.HoldsAsync(
            async () => (letters = await stage.DeadLetters.ListAsync("OPEN", Guid.Empty, default)).Count == 2,
            () => "both are dead letters");
        Assert.Equal(["not { json \uFFFD", "{\"amount\":1}"], letters.OrderBy(l => -l.Offset).Select(l => l.Payload));
        Assert.All(letters, l => Assert.Equal(("stranger", 2, "payments"), (l.Key, l.Partition, l.Topic)));
        Assert.All(letters, l => Assert.Contains("no relay sent this message", l.Error));
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
        await run.StopAsync();
    }

    // Goal: dead letters are a topic too. Method: an event that cannot be handled, read from outside.
    [Fact]
    public async Task A_dead_letter_stands_in_the_topic_of_dead_letters_with_its_origin()
    {
        await stage.AppendAsync(Numbered("k", 13));
        await using var run = ConsumerRun.Start(stage, (_, _, _) => throw new BadEventException("cannot be read"));
        var letters = KafkaMessages.LettersOf(Payments);

        var copy = Assert.Single(await RawKafka.ReadAsync(stage.Cluster, letters, 1));

        Assert.Equal((letters.PartitionOf("k"), "k", "13"), (copy.Partition, copy.Key, copy.Value));
        Assert.Equal(
            ("payments", $"{Payments.PartitionOf("k")}", "0", "cannot be read", "1", "numbered/1", ConsumerRun.Group),
            (copy.Headers["origin-topic"], copy.Headers["origin-partition"], copy.Headers["origin-offset"],
                copy.Headers["origin-error"], copy.Headers["origin-attempts"], copy.Headers["origin-type"],
                copy.Headers["origin-group"]));
        Assert.Single(await stage.DeadLetters.ListAsync("OPEN", Guid.Empty, default));
        await run.StopAsync();
    }

    private HandleAsync Effect(Tally<LoggedEvent> handled) => async (run, e, _) =>
    {
        await stage.WriteAsync(tx =>
        {
            AddEffect(tx, e);
            run.Offsets!.CommitWith(tx, [e]);
            return ValueTask.FromResult(true);
        });
        handled.Add(e);
    };

    private static long Number(LoggedEvent e) => long.Parse(e.Payload, CultureInfo.InvariantCulture);
}
