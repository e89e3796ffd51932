using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Storage.Coordination;

/// <summary>Nodes as the parts of Coordination see them: each with a connection of its own to one Redis.</summary>
internal sealed class RedisNode : IAsyncDisposable
{
    private RedisNode(Redis redis)
    {
        Redis = redis;
        News = new(redis, new(TimeProvider.System));
        News.Missed += () => Interlocked.Increment(ref missed);
    }

    private int missed;

    public Redis Redis { get; }

    public News News { get; }

    public int Missed => Volatile.Read(ref missed);

    public static async Task<RedisNode> StartAsync(string address, string code = "test")
    {
        var node = new RedisNode(new(
            new CoordinationSettings(address, RedisTimeoutMs: 200),
            TimeProvider.System,
            new(NullLogger<CoordinationLog>.Instance)));
        await node.Redis.StartAsync(code);
        return node;
    }

    public Task IsAsync(bool away) => Eventually.HoldsAsync(
        () => Task.FromResult(Redis.IsAway == away),
        () => $"Redis is {(away ? "away" : "there")}: {Redis.Reason}");

    public ValueTask DisposeAsync() => Redis.DisposeAsync();
}

// Goal: a Redis that is gone, hangs or lost everything is noticed in time and never waited for, and its return is told.
// Method: a real one that is killed, paused and started again.
public sealed class RedisTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_that_goes_is_away_and_one_that_comes_back_makes_all_look_again(bool isKilled)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await RedisNode.StartAsync(redis.Address);
        await node.IsAsync(away: false);
        Assert.Equal(1, node.Missed);
        var buckets = new SharedBuckets(node.Redis);
        Assert.True((await buckets.TakeAsync("a", 1_000_000, 60_000_000))!.Value.IsTaken);

        await (isKilled ? redis.KillAsync() : redis.PauseAsync());
        await node.IsAsync(away: true);
        Assert.Null(await buckets.TakeAsync("a", 1_000_000, 60_000_000));
        Assert.False(await node.News.TellAsync("topic", []));
        Assert.NotEqual("", node.Redis.Reason);

        await (isKilled ? redis.StartAgainAsync() : redis.ResumeAsync());
        await node.IsAsync(away: false);
        Assert.Equal(2, node.Missed);
        Assert.True((await buckets.TakeAsync("a", 1_000_000, 60_000_000))!.Value.IsTaken);
    }

    [Fact]
    public async Task A_node_starts_without_it_and_finds_it_later()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.KillAsync();
        await using var node = await RedisNode.StartAsync(redis.Address);
        Assert.True(node.News.IsDeaf);
        await redis.StartAgainAsync();
        await node.IsAsync(away: false);
        Assert.False(node.News.IsDeaf);
    }

    [Fact]
    public async Task News_reaches_the_other_nodes_of_this_installation_and_nobody_else()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await RedisNode.StartAsync(redis.Address);
        await using var two = await RedisNode.StartAsync(redis.Address);
        await using var stranger = await RedisNode.StartAsync(redis.Address, "another");
        var heard = new TaskCompletionSource<IReadOnlyList<Guid>>();
        var wrong = 0;
        one.News.ListenIds("ids", _ => Interlocked.Increment(ref wrong));
        two.News.ListenIds("ids", ids => heard.TrySetResult(ids));
        two.News.Listen("other", _ => Interlocked.Increment(ref wrong));
        stranger.News.ListenIds("ids", _ => Interlocked.Increment(ref wrong));
        Guid[] told = [new Ids(TimeProvider.System).Next(), new Ids(TimeProvider.System).Next()];
        one.News.TellIds("ids", told);
        Assert.Equal(told, await heard.Task.WaitAsync(Eventually.Deadline));
        Assert.Equal(0, wrong);
    }

    [Fact]
    public async Task Two_installations_share_neither_buckets_nor_answers()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await RedisNode.StartAsync(redis.Address);
        await using var other = await RedisNode.StartAsync(redis.Address, "another");
        var (ours, theirs) = (new SharedBuckets(one.Redis), new SharedBuckets(other.Redis));
        Assert.True((await ours.TakeAsync("a", 60_000_000, 60_000_000))!.Value.IsTaken);
        Assert.False((await ours.TakeAsync("a", 60_000_000, 60_000_000))!.Value.IsTaken);
        Assert.True((await theirs.TakeAsync("a", 60_000_000, 60_000_000))!.Value.IsTaken);
    }

    // Goal: each token is taken once, however many nodes ask at once. Method: two nodes ask for more than there are.
    [Fact]
    public async Task A_bucket_gives_out_what_it_holds_and_not_one_more()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await RedisNode.StartAsync(redis.Address);
        await using var two = await RedisNode.StartAsync(redis.Address);
        SharedBuckets[] buckets = [new(one.Redis), new(two.Redis)];
        var takes = await Task.WhenAll(Enumerable.Range(0, 5_000).Select(
            n => buckets[n % 2].TakeAsync("a", 60_000_000, 60_000_000L * 1_000).AsTask()));
        Assert.Equal(1_000, takes.Count(take => take!.Value.IsTaken));
        Assert.Equal(
            Enumerable.Range(0, 1_000).Select(n => (long)n),
            takes.Where(take => take!.Value.IsTaken).Select(take => take!.Value.Left).Order());
        Assert.All(
            takes.Where(take => !take!.Value.IsTaken), take => Assert.InRange(take!.Value.Micros, 1, 60_000_000));
    }

    // Goal: an answer that was read before a change is not found after it, and keeps its age. Method: the order of
    // steps in which it would go wrong.
    [Fact]
    public async Task An_answer_of_before_a_change_is_not_found_after_it()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await RedisNode.StartAsync(redis.Address);
        await using var two = await RedisNode.StartAsync(redis.Address);
        var (here, there) = (new SharedAnswers(one.Redis), new SharedAnswers(two.Redis));
        var life = TimeSpan.FromMinutes(1);
        var before = (await here.FindAsync("a", life))!.Value;
        Assert.Null(before.Answer);
        here.Put("a", before.Generation, [1], life);
        var found = (await here.FindAsync("a", life))!.Value;
        Assert.Equal([1], found.Answer);
        Assert.InRange(found.Age, TimeSpan.Zero, life);
        Assert.Equal([1], (await there.FindAsync("a", life))!.Value.Answer);

        there.Evict();
        Assert.Null((await there.FindAsync("a", life))!.Value.Answer);
        there.Put("a", before.Generation, [2], life); // A slow read of before the change.
        Assert.Null((await there.FindAsync("a", life))!.Value.Answer);
    }

    // Goal: nobody is taken for gone because a memory is short.
    [Fact]
    public async Task Signs_of_life_are_told_only_when_they_are_kept_for_long_enough()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await RedisNode.StartAsync(redis.Address);
        var signs = new SignsOfLife(one.Redis);
        var ids = new Ids(TimeProvider.System);
        var (group, seen, unseen) = (ids.Next(), ids.Next(), ids.Next());
        Assert.Null(await signs.AgoAsync(group, [seen], memorySeconds: 1));
        await signs.NoteAsync(group, [seen]);
        Assert.Null(await signs.AgoAsync(group, [seen], memorySeconds: 60));
        var ago = (await signs.AgoAsync(group, [seen, unseen], memorySeconds: 0))!;
        Assert.InRange(ago[0]!.Value, 0, 20);
        Assert.Null(ago[1]);
        await redis.KillAsync();
        await one.IsAsync(away: true);
        Assert.Null(await signs.AgoAsync(group, [seen], memorySeconds: 0));
    }
}
