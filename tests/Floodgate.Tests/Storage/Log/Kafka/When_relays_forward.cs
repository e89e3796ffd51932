using Floodgate.Storage.Coordination.Shared;
using System.Globalization;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log.Kafka;

/// <summary>
/// Goal: whatever happens to relays and brokers, a reader gets each event once and a key's events in their order; what
/// stands in Kafka more than once is an old event. Method: real relays on three brokers over PostgreSQL; what a crash
/// leaves behind is written into the relays' progress.
/// </summary>
public sealed class When_relays_forward(PostgreSqlServer server) : IAsyncLifetime
{
    private const int Events = 400;

    private static readonly Statement SetProgress = new(
        """
        update log_group_offset set next_offset = (select rows.next_offset from {rows})
        where group_name = (select rows.group_name from {rows})
        """,
        Column.Text("group_name"), Column.Long("next_offset"));

    private static readonly Statement SelectProgress = new(
        """
        select p.next_offset - o.next_offset from log_group_offset o join log_partition p on p.id = o.partition_id
        where o.group_name = (select rows.group_name from {rows})
        """,
        Column.Text("group_name"));

    private readonly KafkaStage stage = new(server) { StartsRelay = false };

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: several relays work side by side. Method: two, while events are appended.
    [Fact]
    public async Task Two_relays_share_the_partitions_and_send_each_event_in_order()
    {
        await stage.StartRelayAsync("a");
        await stage.StartRelayAsync("b");
        await AppendAsync(0, Events);

        await AllOnceInOrderAsync("g");
        var raw = await RawKafka.ReadAsync(stage.Cluster, Payments, Events);
        Assert.All(
            raw.GroupBy(m => m.Partition),
            p => Assert.Equal(p.Select(m => m.SourceOffset).Distinct().Order(), FirstSeen(p)));
        Assert.All(raw, m => Assert.Equal("numbered/1", m.Headers[KafkaMessages.Type]));
        Assert.All(raw, m => Assert.Equal(Payments.PartitionOf(m.Key), m.Partition));
    }

    // Goal: even two relays that both believe to be alone do no harm. Method: the second's leases are in another
    // database, so both forward everything.
    [Fact]
    public async Task Two_relays_on_the_same_partitions_by_mistake_repeat_and_readers_notice_nothing()
    {
        var elsewhere = new SqliteStage();
        await elsewhere.InitializeAsync();
        await stage.StartRelayAsync("a");
        await stage.StartRelayAsync("b", leases: LeasesOf(elsewhere.Database));
        await AppendAsync(0, Events);

        await AllOnceInOrderAsync("g");
        await ForwardedAsync();
        Assert.NotEqual(Events, (await RawKafka.ReadAsync(stage.Cluster, Payments, Events + 1)).Count);
        await elsewhere.DisposeAsync();
    }

    // Goal: a relay that died after the brokers' answer and before its commit costs repeats only. Method: a relay
    // forwards and stops; its progress is set back, as if it had never been committed; another relay comes, while one
    // group reads and another begins later.
    [Fact]
    public async Task What_a_dead_relay_had_sent_and_not_committed_is_sent_again_and_read_once()
    {
        var relay = await stage.StartRelayAsync("a");
        await AppendAsync(0, Events / 2);
        var reader = await stage.SubscribeAsync("g", Payments);
        Assert.Equal(Events / 2, (await FetchAsync(reader, Events / 2)).Count);
        await ForwardedAsync();
        await relay.StopAsync(CancellationToken.None);

        await SetProgressAsync(0);
        await stage.StartRelayAsync("b");
        await AppendAsync(Events / 2, Events / 2);

        Assert.Equal(
            Enumerable.Range(Events / 2, Events / 2).Select(n => (long)n),
            (await FetchAsync(reader, Events / 2)).Select(Number).Order());
        await AllOnceInOrderAsync("late");
        Assert.Equal(Events + (Events / 2), (await RawKafka.ReadAsync(stage.Cluster, Payments, Events * 3 / 2)).Count);
    }

    // Goal: what Kafka does not have is read from the table. Method: the relays' progress says that the first events
    // were forwarded; they never were.
    [Fact]
    public async Task Events_that_Kafka_lost_are_read_from_the_table_in_their_place()
    {
        await AppendAsync(0, Events);
        await MakeProgressAsync();
        await SetProgressAsync(5);
        await stage.StartRelayAsync("a");

        await AllOnceInOrderAsync("g");
        Assert.DoesNotContain(
            await RawKafka.ReadAsync(stage.Cluster, Payments, Events - (5 * Payments.Partitions)),
            m => m.SourceOffset < 5);
    }

    // Goal: also when nothing comes after what was lost, as with a new cluster. Method: all is forwarded, by the books;
    // the clock is moved to two looks for standstills.
    [Fact]
    public async Task Events_that_Kafka_lost_at_the_end_are_read_from_the_table_after_a_while()
    {
        await AppendAsync(0, 40);
        await MakeProgressAsync();
        await SetProgressAsync(null);
        await stage.StartRelayAsync("a");
        var reader = await stage.SubscribeAsync("g", Payments);

        var fetching = FetchAsync(reader, 40);
        await stage.Clock.RunUntilAsync(fetching, TimeSpan.FromSeconds(1)).Soon();

        Assert.Equal(Enumerable.Range(0, 40).Select(n => (long)n), (await fetching).Select(Number).Order());
    }

    // Goal: an outage of all brokers holds nothing up but the forwarding. Method: down, append, up.
    [Fact]
    public async Task Brokers_that_were_away_get_what_was_appended_meanwhile()
    {
        await stage.StartRelayAsync("a");
        await AppendAsync(0, Events / 2);
        await ForwardedAsync();

        stage.Cluster.TakeDown();
        await AppendAsync(Events / 2, Events / 2);
        stage.Cluster.BringUp();

        await AllOnceInOrderAsync("g");
    }

    // Goal: the sweep spares what is not forwarded. Method: all is old and read by its group, nothing is forwarded.
    [Fact]
    public async Task The_sweep_deletes_nothing_that_is_not_forwarded()
    {
        await AppendAsync(0, 20);
        await MakeProgressAsync();
        stage.Clock.Advance(TimeSpan.FromDays(Payments.RetentionDays + 1));
        var table = new EmbeddedLog(stage.Database, stage.Settings, stage.Clock);
        Assert.Equal(0, await table.SweepAsync([Payments], CancellationToken.None));

        await stage.StartRelayAsync("a");
        await ForwardedAsync();
        Assert.Equal(20, await table.SweepAsync([Payments], CancellationToken.None));
    }

    private static List<long> FirstSeen(IEnumerable<RawMessage> messages) =>
        [.. messages.Select(m => m.SourceOffset).Distinct()];

    private static long Number(LoggedEvent e) => long.Parse(e.Payload, CultureInfo.InvariantCulture);

    private Task AppendAsync(int first, int count) => stage.AppendAsync(
        [.. Enumerable.Range(first, count).Select(n => Numbered($"k{n % 40}", n))]);

    private async Task AllOnceInOrderAsync(string group)
    {
        var events = await FetchAsync(await stage.SubscribeAsync(group, Payments), Events, max: 37);
        Assert.Equal(Enumerable.Range(0, Events).Select(n => (long)n), events.Select(Number).Order());
        Assert.All(events.GroupBy(e => e.Key), key => Assert.Equal(key.Select(Number).Order(), key.Select(Number)));
    }

    // As a relay makes it, at the beginning.
    private Task MakeProgressAsync() => stage.WriteAsync(tx =>
    {
        LogSql.CreateGroup(
            tx, KafkaRelay.Group, [.. Enumerable.Range(0, Payments.Partitions).Select(Payments.PartitionId)]);
        return ValueTask.FromResult(0);
    }).AsTask();

    /// <summary>Sets the relays' progress in every partition of the topic; null is its end.</summary>
    private async Task SetProgressAsync(long? offset)
    {
        if (offset is { } to)
        {
            await stage.WriteAsync(tx =>
            {
                tx.Queue(SetProgress, Rows.One(to).Text(_ => KafkaRelay.Group).Long(o => o));
                return ValueTask.FromResult(0);
            });
            return;
        }

        var heads = await stage.Inner.ReadAsync(KafkaSql.SelectHeadsAsync);
        await stage.WriteAsync(tx =>
        {
            LogSql.CommitOffsets(
                tx,
                KafkaRelay.Group,
                [
                    .. Enumerable.Range(0, Payments.Partitions).Select(p => new GroupOffset(
                        Payments, p, heads.Single(h => h.Partition == Payments.PartitionId(p)).Next)),
                ]);
            return ValueTask.FromResult(0);
        });
    }

    private Task ForwardedAsync() => Eventually.HoldsAsync(
        async () => (await stage.Inner.ReadAsync(
            tx => tx.QueryAsync(SelectProgress, Rows.One(KafkaRelay.Group).Text(g => g), r => r.Long(0))))
            .All(behind => behind == 0),
        () => "all is forwarded and the progress committed");

    private static LeaseBook LeasesOf(Database database) =>
        new(database, new(TimeProvider.System), TimeProvider.System, News.Alone());
}
