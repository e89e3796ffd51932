using Floodgate.Access;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Nodes;

// Goal: what one node changes is at once true on the other, and with Redis away within the bound that is written down.
// Method: two real servers on one PostgreSQL and one real Redis; the bounds of the caches are set to an hour where the
// news must have done it.
public sealed class When_two_nodes_serve_one_installation(PostgreSqlServer postgreSql)
{
    private const string Login = """{"email":"ada@example.com","password":"correct horse battery"}""";

    [Fact]
    public async Task A_log_out_is_over_on_the_other_node_too()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql, "Identity:SessionCachedSeconds=60");
        (await nodes.Left.Nobody.SendAsync("POST", "/v1/users", Login)).Expect(201);
        await EndsAsync(nodes, () => Task.CompletedTask);

        // Not even a session that is remembered is believed while its end might not be told.
        await EndsAsync(nodes, async () =>
        {
            await nodes.Redis.PauseAsync();
            await nodes.RedisIsAsync(away: true);
        });
        var token = await TokenAsync(nodes);
        await nodes.Redis.ResumeAsync();
        await nodes.RedisIsAsync(away: false);
        (await nodes.Right.Nobody.WithKey(token).GetAsync("/v1/wallets/me")).Expect(200);
        await EndsAsync(nodes, () => Task.CompletedTask);
    }

    [Fact]
    public async Task A_revoked_key_ends_on_the_other_node_too()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql, "Access:KeyCachedSeconds=3600");
        var shop = await nodes.Left.OpenShopAsync();
        var right = nodes.AtRight(shop);
        (await right.GetAsync("/v1/payments?limit=1")).Expect(200);
        var path = $"/v1/merchants/{shop.MerchantId}/keys";
        var id = (await nodes.Left.Operator.GetAsync(path)).Json.GetProperty("data")[0].GetProperty("id").GetString();
        (await nodes.Left.Operator.SendAsync("DELETE", $"{path}/{id}")).Expect(200);
        await PaymentServer.EventuallyAsync(
            "the key has ended", async () => (await right.GetAsync("/v1/payments?limit=1")).Status == 401);
    }

    [Fact]
    public async Task A_change_of_the_catalogue_shows_on_the_other_node_at_once_and_within_the_bound_without_Redis()
    {
        await using var nodes = await TwoNodes.StartAsync(
            postgreSql, "Catalog:FreshMs=60000", "Catalog:StaleMsMax=600000");
        var shop = await nodes.Left.OpenShopAsync();
        var id = (await shop.SendAsync("POST", "/v1/sales", Sale("One"), $"Idempotency-Key: {shop.NewKey()}"))
            .Expect(201).Id;
        await ShowsAsync("One");
        (await shop.SendAsync("PUT", $"/v1/sales/{id}", Sale("Two", 1))).Expect(200);
        await ShowsAsync("Two");

        // A change while Redis is away is seen when it is back: what was remembered is forgotten then.
        await nodes.Redis.KillAsync();
        await nodes.RedisIsAsync(away: true);
        (await shop.SendAsync("PUT", $"/v1/sales/{id}", Sale("Three", 2))).Expect(200);
        Assert.Contains("Two", (await nodes.Right.Nobody.GetAsync($"/v1/sales/{id}")).Text);
        await nodes.Redis.StartAgainAsync();
        await ShowsAsync("Three");

        Task ShowsAsync(string name) => PaymentServer.EventuallyAsync(
            $"it is called {name}",
            async () => (await nodes.Right.Nobody.GetAsync($"/v1/sales/{id}")).Text.Contains($"\"{name}\""));
    }

    // Goal: C2 over nodes. Method: the second node's first look finds what the first node has read.
    [Fact]
    public async Task What_one_node_has_read_the_other_need_not()
    {
        await using var nodes = await TwoNodes.StartAsync(
            postgreSql, "Catalog:FreshMs=60000", "Catalog:StaleMsMax=600000");
        var shop = await nodes.Left.OpenShopAsync();
        var id = (await shop.SendAsync("POST", "/v1/sales", Sale("One"), $"Idempotency-Key: {shop.NewKey()}"))
            .Expect(201).Id;
        (await nodes.Left.Nobody.GetAsync($"/v1/sales/{id}")).Expect(200);
        (await nodes.Right.Nobody.GetAsync($"/v1/sales/{id}")).Expect(200);
        var cache = nodes.Right.Services.GetRequiredService<Floodgate.Checkout.Catalog.AnswerCache>();
        Assert.Equal(0, cache.Counts.Loads);
    }

    [Fact]
    public async Task A_quota_is_one_for_both_nodes_and_a_part_for_each_while_Redis_is_away()
    {
        await using var nodes = await TwoNodes.StartAsync(
            postgreSql, "RateLimits:Standard:AuthorizePerMinute=6", "RateLimits:BurstSeconds=60", "RateLimits:Nodes=3");
        var left = await nodes.Left.OpenShopAsync();
        var right = nodes.AtRight(left);
        var taken = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => PassesAsync(n % 2 == 0 ? left : right)));
        Assert.Equal(6, taken.Count(passes => passes));

        await nodes.Redis.PauseAsync();
        await nodes.RedisIsAsync(away: true);
        Assert.Equal(2, await CountAsync(left));
        Assert.Equal(2, await CountAsync(right));

        // What was used up is used up still, now for both.
        await nodes.Redis.ResumeAsync();
        await nodes.RedisIsAsync(away: false);
        Assert.InRange(await CountAsync(left) + await CountAsync(right), 0, 2);

        async Task<int> CountAsync(Shop shop) =>
            (await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => PassesAsync(shop)))).Count(passes => passes);

        static async Task<bool> PassesAsync(Shop shop) =>
            (await shop.SendAsync("POST", "/v1/payments", "[]", "Idempotency-Key: k")).Status != 429;
    }

    // Goal: a node without Redis takes payments, and says that it is less well. Method: kill it, pay at both.
    [Fact]
    public async Task Payments_go_on_while_Redis_is_away_and_readiness_tells()
    {
        await using var nodes = await TwoNodes.StartAsync(postgreSql);
        var shop = await nodes.Left.OpenShopAsync();
        Assert.DoesNotContain("degraded", (await nodes.Right.Nobody.GetAsync("/health/ready")).Expect(200).Text);
        await nodes.Redis.KillAsync();
        await nodes.RedisIsAsync(away: true);
        foreach (var at in new[] { shop, nodes.AtRight(shop) })
        {
            Assert.Equal("CAPTURED", (await at.PayAsync(1_000)).Expect(200).Of("status"));
        }

        Assert.Contains(
            "\"degraded\":[\"redis: is away", (await nodes.Right.Nobody.GetAsync("/health/ready")).Expect(200).Text);
        await nodes.Redis.StartAgainAsync();
        await nodes.RedisIsAsync(away: false);
        Assert.DoesNotContain("degraded", (await nodes.Right.Nobody.GetAsync("/health/ready")).Expect(200).Text);
    }

    private static string Sale(string name, int? version = null) =>
        $$"""
        {"name":"{{name}}","currency":"KRW","opensAt":"2020-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z"
        {{(version is null ? "" : $",\"version\":{version}")}}}
        """;

    private static async Task<string> TokenAsync(TwoNodes nodes) =>
        (await nodes.Left.Nobody.SendAsync("POST", "/v1/sessions", Login)).Json.GetProperty("accessToken").GetString()!;

    private static async Task EndsAsync(TwoNodes nodes, Func<Task> before)
    {
        var token = await TokenAsync(nodes);
        var right = nodes.Right.Nobody.WithKey(token);
        (await right.GetAsync("/v1/wallets/me")).Expect(200);
        await before();
        (await nodes.Left.Nobody.WithKey(token).SendAsync("DELETE", "/v1/sessions")).Expect(204);
        await PaymentServer.EventuallyAsync(
            "the session has ended", async () => (await right.GetAsync("/v1/wallets/me")).Status == 401);
    }
}
