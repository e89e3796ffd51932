using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Storage.Coordination;

// Goal: nodes that cannot work together are refused at their start, with what to do; a wrong clock is noticed. Method:
// several doors to one PostgreSQL, with and without real Redis, and clocks of the test's own.
public sealed class NodeBookTests(PostgreSqlServer server) : DatabaseContract(server)
{
    private int nodes;

    [Fact]
    public async Task A_database_keeps_the_name_of_its_installation()
    {
        await MigrateAsync();
        Assert.Null(await Node(new(Cluster: "spring")).JoinAsync(CancellationToken.None));
        Assert.Null(await Node(new(Cluster: "spring")).JoinAsync(CancellationToken.None));
        Assert.Contains(
            "Coordination:Cluster is autumn, but the database belongs to spring",
            await Node(new(Cluster: "autumn")).JoinAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Nodes_with_and_without_Redis_do_not_mix_nor_those_of_two()
    {
        await MigrateAsync();
        await using var one = await RedisServer.StartAsync();
        await using var other = await RedisServer.StartAsync();
        await using var ours = Line(one);
        await using var same = Line(one);
        await using var theirs = Line(other);
        Assert.Null(await Node(new(one.Address), ours).JoinAsync(CancellationToken.None));
        Assert.Null(await Node(new(one.Address), same).JoinAsync(CancellationToken.None));
        Assert.Contains("Coordination:Redis is empty, but the node node-1", await RefusedAsync(new(), null));
        Assert.Contains(
            "Coordination:Redis names another Redis than the node node-1",
            await RefusedAsync(new(other.Address), theirs));
    }

    [Theory]
    [InlineData("table", "kafka", "Log:Kafka:BootstrapServers is set, but the node node-1")]
    [InlineData("kafka", "table", "Log:Kafka:BootstrapServers is empty, but the node node-1")]
    public async Task Nodes_with_and_without_Kafka_do_not_mix(string first, string second, string fault)
    {
        await MigrateAsync();
        Assert.Null(await Node(new(), log: first).JoinAsync(CancellationToken.None));
        Assert.Null(await Node(new(), log: first).JoinAsync(CancellationToken.None));
        Assert.Contains(fault, await RefusedAsync(new(), null, second));
    }

    // Goal: a node that was killed is not in the way for ever. Method: its row, older than the limit.
    [Fact]
    public async Task Who_was_not_heard_of_for_long_is_in_nobodys_way()
    {
        await MigrateAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var line = Line(redis);
        Assert.Null(await Node(new(redis.Address), line).JoinAsync(CancellationToken.None));
        Assert.NotNull(await RefusedAsync(new(), null));
        await Db.WriteAsync(tx => tx.QueryAsync(
            new Floodgate.Storage.Database.Statement("update node set seen_ms = seen_ms - 15001 returning 1"),
            Floodgate.Storage.Database.Rows.None,
            _ => 0));
        Assert.Null(await Node(new()).JoinAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1_900, false)]
    [InlineData(3_600_000, true)]
    [InlineData(-3_600_000, true)]
    public async Task A_clock_that_is_off_is_told_and_corrected(int offMs, bool isTold)
    {
        await MigrateAsync();
        var time = new ShiftedTime();
        time.Shift(TimeSpan.FromMilliseconds(offMs));
        var clock = new NodeClock(time);
        var node = Node(new(), null, time, clock);
        Assert.Null(await node.JoinAsync(CancellationToken.None));
        Assert.Equal(isTold, node.ClockFault is not null);
        Assert.InRange(clock.Now.Ms - UtcInstant.Now(TimeProvider.System).Ms, -1_000, 1_000);
    }

    private async Task MigrateAsync() => await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);

    private static Redis Line(RedisServer server) => new(
        new(server.Address), TimeProvider.System, new(NullLogger<CoordinationLog>.Instance));

    private NodeBook Node(
        CoordinationSettings settings,
        Redis? redis = null,
        TimeProvider? time = null,
        NodeClock? clock = null,
        string log = "table") => new(
        Db,
        settings,
        redis,
        clock ?? new(TimeProvider.System),
        new(NullLogger<CoordinationLog>.Instance),
        ($"node-{++nodes}", "all", log, time ?? TimeProvider.System, new(TimeProvider.System)));

    // It waits for whoever may have been killed, by a clock that the test moves.
    private async Task<string?> RefusedAsync(CoordinationSettings settings, Redis? redis, string log = "table")
    {
        var clock = new FakeClock();
        var joining = Node(settings, redis, clock, new(clock), log).JoinAsync(CancellationToken.None).AsTask();
        await clock.RunUntilAsync(joining, TimeSpan.FromMilliseconds(500));
        var fault = await joining;
        Assert.NotNull(fault);
        await Db.WriteAsync(tx => NodeSql.LeaveAsync(tx, $"node-{nodes}"));
        return fault;
    }
}

// Goal: who waits for a lease is woken by a release on another node, and without Redis finds it by asking; the token
// rises all the same. Method: two doors to one PostgreSQL with a clock that stands still, and a Redis that is killed.
public sealed class When_a_lease_is_released_elsewhere(PostgreSqlServer server) : DatabaseContract(server)
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(10);

    private readonly FakeClock clock = new();

    [Fact]
    public async Task It_is_told_with_Redis_and_found_without()
    {
        await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);
        await using var redis = await RedisServer.StartAsync();
        await using var here = await RedisNode.StartAsync(redis.Address);
        await using var there = await RedisNode.StartAsync(redis.Address);
        var (left, right) = (Book(here), Book(there));
        var lease = await TakeAsync(left, "one");
        var waiting = WaitAsync(right);
        await clock.TimerAsync(TimeSpan.FromSeconds(1));
        Assert.True(await left.ReleaseAsync(lease, CancellationToken.None));
        var second = (await waiting.WaitAsync(TimeSpan.FromSeconds(20)))!; // The clock stands still: it was told.
        Assert.True(second.Token > lease.Token);

        await redis.KillAsync();
        await here.IsAsync(away: true);
        await there.IsAsync(away: true);
        Assert.True(await right.ReleaseAsync(second, CancellationToken.None));
        var third = await TakeAsync(left, "one");
        waiting = WaitAsync(right);
        await clock.TimerAsync(TimeSpan.FromMilliseconds(250));
        Assert.True(await left.ReleaseAsync(third, CancellationToken.None));
        await clock.RunUntilAsync(waiting, TimeSpan.FromMilliseconds(250));
        var fourth = (await waiting)!;
        Assert.True(fourth.Token > third.Token && third.Token > second.Token);

        await redis.StartAgainAsync();
        await here.IsAsync(away: false);
        Assert.True(await right.ReleaseAsync(fourth, CancellationToken.None));
        Assert.True((await TakeAsync(left, "one")).Token > fourth.Token);
    }

    private LeaseBook Book(RedisNode node) => new(Place.Open(), new(clock), clock, node.News);

    private static Task<Lease?> WaitAsync(LeaseBook book) => book.TakeAsync(
        "a", "two", Length, TimeSpan.FromHours(1), CancellationToken.None).AsTask();

    private static async Task<Lease> TakeAsync(LeaseBook book, string owner) =>
        (await book.TryTakeAsync("a", owner, Length, CancellationToken.None))!;
}
