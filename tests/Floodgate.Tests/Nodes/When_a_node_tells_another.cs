using System.Net;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Checkout.Holds;
using Floodgate.Tests.Checkout;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Tests.Storage.Coordination;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Nodes;

// Goal: who waits on one node is woken by what another does, and what comes back there can be bought here. Method: the
// memories of two nodes over one real Redis, with clocks that stand still, so that it is not the bound that does it.
public sealed class When_a_node_tells_another(PostgreSqlServer postgreSql)
{
    private readonly FakeClock clock = new();
    private readonly Ids ids = new(TimeProvider.System);

    [Fact]
    public async Task A_change_wakes_who_waits_elsewhere()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var here = await RedisNode.StartAsync(redis.Address);
        await using var there = await RedisNode.StartAsync(redis.Address);
        var (ours, theirs) = (new ChangeWatch(clock, here.News), new ChangeWatch(clock, there.News));
        var (id, other) = (ids.Next(), ids.Next());
        using var listener = ours.Listen(id);
        using var bystander = ours.Listen(other);
        var waiting = listener.WaitAsync(CancellationToken.None);
        var still = bystander.WaitAsync(CancellationToken.None);
        await Eventually.HoldsAsync(
            () => Tell(() => theirs.Changed([id]), waiting.IsCompleted), () => "it is woken.");
        Assert.False(still.IsCompleted);
    }

    [Fact]
    public async Task What_comes_back_elsewhere_is_not_sold_out_here()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var here = await RedisNode.StartAsync(redis.Address);
        await using var there = await RedisNode.StartAsync(redis.Address);
        var (ours, theirs) = (new SoldOutBoard(clock, here.News), new SoldOutBoard(clock, there.News));
        var (one, other) = (ids.Next(), ids.Next());
        ours.Note(one, 1, []);
        ours.Note(other, 1, []);
        Assert.True(ours.IsFor(one, "ann"));
        await Eventually.HoldsAsync(
            () => Tell(() => theirs.Forget([one]), !ours.IsFor(one, "ann")), () => "it is told.");
        Assert.True(ours.IsFor(other, "ann"));

        // What may have been missed is not known either.
        await redis.KillAsync();
        await here.IsAsync(away: true);
        await redis.StartAgainAsync();
        await here.IsAsync(away: false);
        Assert.False(ours.IsFor(other, "ann"));
    }

    // Goal: more nodes are not more guesses. Method: attempts that began there end after here was counted.
    [Fact]
    public async Task A_failed_log_in_counts_on_every_node_and_a_good_one_forgives_on_every_node()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var here = await RedisNode.StartAsync(redis.Address);
        await using var there = await RedisNode.StartAsync(redis.Address);
        var settings = new IdentitySettings { AccountFailuresMax = 3, AddressFailuresMax = 100 };
        var ours = new LoginThrottle(settings, here.News, clock);
        var theirs = new LoginThrottle(settings, there.News, clock);
        var (home, away) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2"));
        var (good, bad) = (theirs.TryBegin("ann", home, out _)!, theirs.TryBegin("ann", home, out _)!);
        await Eventually.HoldsAsync(() => Tell(bad.Fail, Waits("ann", away)), () => "ann waits here.");
        Assert.False(Waits("bob", away));
        await Eventually.HoldsAsync(() => Tell(good.Succeed, !Waits("ann", away)), () => "ann is free.");

        using var stranger = theirs.TryBegin(null, home, out _)!;
        await Eventually.HoldsAsync(() => Tell(stranger.Fail, Waits(null, home)), () => "home waits here.");
        Assert.False(Waits(null, away));

        bool Waits(string? email, IPAddress address)
        {
            using var attempt = ours.TryBegin(email, address, out _);
            return attempt is null;
        }
    }

    // Goal: Redis down never stops orders. Method: twice as many buyers as units at two nodes; Redis dies among them.
    [Fact]
    public async Task Orders_go_on_while_Redis_dies_and_nothing_is_sold_twice()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var left = await nodes.Left.OpenShopAsync();
        var right = nodes.AtRight(left);
        var saleId = (await left.SendAsync(
            "POST",
            "/v1/sales",
            $$"""{"name":"Drop","currency":"KRW",{{SaleServer.Open}}}""",
            $"Idempotency-Key: {left.NewKey()}")).Expect(201).Id;
        var product = await SaleServer.ProductAsync(left, saleId, "\"stock\":40,\"price\":1000");
        var asked = Enumerable.Range(0, 40).Select(OrderAsync).ToList();
        await nodes.Redis.KillAsync();
        asked.AddRange(Enumerable.Range(40, 40).Select(OrderAsync));
        var replies = await Task.WhenAll(asked);
        Assert.Equal(40, replies.Count(reply => reply.Status == 201));
        Assert.All(
            replies.Where(reply => reply.Status != 201), reply => Assert.Equal("insufficient_stock", reply.Code));

        Task<Reply> OrderAsync(int n) => (n % 2 == 0 ? left : right).SendAsync(
            "POST",
            "/v1/orders",
            $$"""{"saleId":"{{saleId}}","userId":"u-{{n}}","items":[{{SaleServer.Item(product, 1)}}]}""",
            $"Idempotency-Key: o-{n}");
    }

    // A hint may be lost while a busy machine makes Redis look away; the bound that makes up for it stands still here.
    private static Task<bool> Tell(Action change, bool isHeard)
    {
        if (!isHeard)
        {
            change();
        }

        return Task.FromResult(isHeard);
    }
}
