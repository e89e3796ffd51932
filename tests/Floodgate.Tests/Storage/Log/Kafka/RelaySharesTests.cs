using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log.Kafka;

/// <summary>
/// Goal: each partition is in at most one relay's hand, and soon in one's again. Method: shares of several nodes on one
/// database; the clock stands still unless it is moved.
/// </summary>
public sealed class RelaySharesTests : IAsyncLifetime
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);
    private static readonly long[] Partitions = [.. Enumerable.Range(1_000, 20).Select(id => (long)id)];

    private readonly SqliteStage stage = new();

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: relays share. Method: one is alone, a second comes, the first gives back, the second leaves.
    [Fact]
    public async Task Partitions_are_divided_among_those_that_are_alive()
    {
        var (first, second) = (Of("a"), Of("b"));
        await KeepAsync(first);
        Assert.All(Partitions, id => Assert.True(first.Holds(id)));

        await KeepAsync(second);
        Assert.All(Partitions, id => Assert.False(second.Holds(id))); // Not before the first has given back.
        await KeepAsync(first);
        await KeepAsync(second);
        Assert.All(Partitions, id => Assert.NotEqual(first.Holds(id), second.Holds(id)));
        Assert.Contains(Partitions, first.Holds);
        Assert.Contains(Partitions, second.Holds);

        await second.LeaveAsync();
        await KeepAsync(first);
        Assert.All(Partitions, id => Assert.True(first.Holds(id)));
    }

    // Goal: what a dead relay held goes on with another, and a relay that was asleep knows that it lost it. Method: one
    // is not heard of any more; the clock moves past its lease and the skew of clocks.
    [Fact]
    public async Task The_shares_of_one_that_is_silent_go_to_another()
    {
        var (first, second) = (Of("a"), Of("b"));
        await KeepAsync(first);
        await KeepAsync(second);
        await KeepAsync(first);
        await KeepAsync(second);

        for (var heard = 0; heard < 12; heard++)
        {
            await KeepAsync(second);
        }

        Assert.All(Partitions, id => Assert.True(second.Holds(id)));
        Assert.All(Partitions, id => Assert.False(first.Holds(id)));
        await KeepAsync(first);
        Assert.All(Partitions, id => Assert.False(first.Holds(id)));
    }

    private RelayShares Of(string node)
    {
        var leases = new LeaseBook(stage.Database, new(stage.Clock), stage.Clock, News.Alone());
        return new(stage.Database, leases, node, Length, stage.Clock);
    }

    private async Task KeepAsync(RelayShares shares)
    {
        stage.Clock.Advance(Length / 3);
        if (await shares.KeepAsync(CancellationToken.None))
        {
            await shares.GiveAsync(CancellationToken.None);
        }
    }
}
