using System.Globalization;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Access.RateLimits;

// Goal: each route of the table that has a limit keeps it, tells what is left, refuses the next with 429 and takes the
// one that waited. Method: the real server with quotas of two, through the front door; time by hand where it passes.
public sealed class When_a_quota_is_used_up(PostgreSqlServer postgreSql)
{
    private static readonly string[] QuotasOfTwo =
    [
        "RateLimits:Standard:AuthorizePerMinute=2", "RateLimits:Standard:CapturePerMinute=2",
        "RateLimits:Standard:RefundPerMinute=2", "RateLimits:User:OrdersPerMinute=2",
        "RateLimits:User:QueueJoinsPerMinute=2", "RateLimits:Address:SignUpsPerMinute=2",
        "RateLimits:Address:LogInsPerMinute=2", "RateLimits:Address:QueuePollsPerMinute=2",
        "RateLimits:Address:CatalogueReadsPerMinute=2", "RateLimits:LimitsLoopback=true",
    ];

    [Fact]
    public async Task Every_limited_route_refuses_the_third_request()
    {
        var all = await When_everyone_calls_every_route.AllRoutesAsync();
        var limited = all.Where(route => route.Limit != Limit.None).ToList();
        var names = limited.ConvertAll(route => $"{route.Method} {route.Pattern}");
        Assert.Superset(
            new HashSet<string>
            {
                "POST /v1/payments", "POST /v1/payments/{id}/capture", "POST /v1/payments/{id}/void",
                "POST /v1/payments/{id}/refund", "POST /payments/authorize", "POST /payments/capture/{id}",
                "POST /payments/refund/{id}", "POST /v1/wallets/{userId}/top-ups",
                "POST /v1/wallets/me/top-ups", "POST /v1/users",
                "POST /v1/sessions", "POST /v1/sessions/refresh", "POST /v1/orders", "GET /v1/products",
                "GET /v1/sales/{id}",
            },
            names.ToHashSet());
        foreach (var route in limited)
        {
            // A server for each, because some share a quota.
            await using var server = await TestServer.StartAsync(settings: QuotasOfTwo);
            var key = await KeyAsync(server, route);
            for (var left = 1; left >= 0; left--)
            {
                using var passed = await CallAsync(server, route, key);
                Assert.NotEqual(429, (int)passed.StatusCode);
                Assert.Matches($"^\"[a-z-]+\";q=2;w=60$", passed.Headers.GetValues("RateLimit-Policy").Single());
                Assert.Matches($"^\"[a-z-]+\";r={left};t=[0-9]+$", passed.Headers.GetValues("RateLimit").Single());
            }

            using var refused = await CallAsync(server, route, key);
            await TestServer.RefusedAsync(refused, 429, "rate_limited");
            var seconds = (int)refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds;
            Assert.InRange(seconds, 1, 30);
            Assert.EndsWith($";r=0;t={seconds}", refused.Headers.GetValues("RateLimit").Single());
        }
    }

    // Goal: Retry-After is enough, and the same moment as t. Method: the edge with a clock that moves by what it said.
    [Theory]
    [InlineData(30_000, 1)]
    [InlineData(7, 60)]
    [InlineData(1, 1)]
    public async Task Whoever_obeys_Retry_After_is_served(int perMinute, int burstSeconds)
    {
        var clock = new ManualClock();
        await using var server = await TestServer.StartAsync();
        var settings = new RateLimitSettings { Standard = new(perMinute, 1, 1), BurstSeconds = burstSeconds };
        var tiers = server.Services.GetRequiredService<TierBook>();
        var edge = new RateLimitHttp(
            new(settings, tiers, new(null), clock), server.Services.GetRequiredService<ClientAddress>());
        for (var i = 0; i < 3; i++)
        {
            int? wait = null;
            while (wait is null)
            {
                wait = Ask(edge);
            }

            clock.Advance(TimeSpan.FromSeconds(wait.Value));
            Assert.Null(Ask(edge));
        }

        static int? Ask(RateLimitHttp edge)
        {
            var context = new DefaultHttpContext();
            var refused = edge.RefuseOrPass(context, Limit.Authorize, Caller.OfMerchant("m"));
            var wait = context.Response.Headers.RetryAfter;
            return refused is null ? null : int.Parse(wait!, CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task Merchants_do_not_share_a_quota_and_keys_of_one_do()
    {
        await using var server = await TestServer.StartAsync(settings: QuotasOfTwo);
        var keys = server.Services.GetRequiredService<ApiKeys>();
        var (one, other) = (await MerchantAsync(keys), await MerchantAsync(keys));
        var second = (await keys.CreateKeyAsync(one.MerchantId, "second", default)).Secret!;
        Assert.True(await PassesAsync(one.Key!));
        Assert.True(await PassesAsync(second));
        Assert.False(await PassesAsync(second));
        Assert.True(await PassesAsync(other.Key!));

        async Task<bool> PassesAsync(string key)
        {
            using var answer = await server.SendAsync("POST", "/v1/payments", key, "[]", "Idempotency-Key: k");
            return (int)answer.StatusCode != 429;
        }
    }

    // Goal: whoever is not let in uses up nobody's quota.
    [Fact]
    public async Task A_refused_key_costs_no_token()
    {
        await using var server = await TestServer.StartAsync(settings: QuotasOfTwo);
        for (var i = 0; i < 3; i++)
        {
            using var admin = await server.SendAsync("POST", "/v1/payments", ApiKeys.DemoAdminKey);
            Assert.Equal(403, (int)admin.StatusCode);
            Assert.False(admin.Headers.Contains("RateLimit"));
        }

        Assert.Equal(0, server.Services.GetRequiredService<RateLimiter>().Buckets.Count);
    }

    [Theory, OnBothDatabases]
    public async Task An_operator_sets_the_tier_and_it_holds_at_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, QuotasOfTwo);
        var shop = await server.OpenShopAsync();
        var path = $"/v1/merchants/{shop.MerchantId}";
        Assert.Equal("standard", (await server.Operator.GetAsync(path)).Expect(200).Of("tier"));
        Assert.Equal("\"authorize\";q=2;w=60", await PolicyAsync());
        Assert.Equal("large", (await SetAsync(path, "large")).Expect(200).Of("tier"));
        Assert.Equal("\"authorize\";q=70000;w=60", await PolicyAsync());
        (await SetAsync(path, "unlimited")).Expect(200);
        Assert.Null(await PolicyAsync());

        // It outlives the process.
        await server.RestartAsync();
        shop = server.Again(shop);
        Assert.Null(await PolicyAsync());
        Assert.Equal("unlimited", (await server.Operator.GetAsync(path)).Of("tier"));
        (await SetAsync(path, "standard")).Expect(200);
        Assert.Equal("\"authorize\";q=2;w=60", await PolicyAsync());

        (await SetAsync(path, "huge")).Refuses(400, "invalid_field");
        (await SetAsync("/v1/merchants/nobody", "large")).Refuses(404, "not_found");
        Assert.Equal("unlimited", (await server.Operator.GetAsync("/v1/merchants/demo")).Of("tier"));

        Task<Reply> SetAsync(string merchant, string tier) =>
            server.Operator.SendAsync("PUT", $"{merchant}/tier", $$"""{"tier":"{{tier}}"}""");

        async Task<string?> PolicyAsync() => (await shop.PayAsync(1_000)).Headers
            .TryGetValues("RateLimit-Policy", out var values) ? values.Single() : null;
    }

    [Theory, OnBothDatabases]
    public async Task Merchants_come_page_by_page_each_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        List<string> ids = ["demo"];
        for (var i = 0; i < 4; i++)
        {
            ids.Add((await server.OpenShopAsync()).MerchantId);
        }

        var seen = new List<string>();
        for (var more = true; more;)
        {
            var after = seen.Count == 0 ? "" : $"&starting_after={seen[^1]}";
            var page = (await server.Operator.GetAsync($"/v1/merchants?limit=2{after}")).Expect(200).Json;
            var data = page.GetProperty("data").EnumerateArray();
            seen.AddRange(data.Select(merchant => merchant.GetProperty("merchantId").GetString()!));
            more = page.GetProperty("has_more").GetBoolean();
        }

        Assert.Equal(ids.Order(StringComparer.Ordinal), seen);
        (await server.Operator.GetAsync("/v1/merchants?limit=0")).Refuses(400, "invalid_parameter");
        (await server.Operator.GetAsync("/v1/merchants?starting_after=%00")).Refuses(400, "invalid_parameter");
    }

    // Goal: each of several nodes lets through its part, and "off" is off.
    [Theory]
    [InlineData("RateLimits:Nodes=3", "\"catalogue\";q=2000;w=60")]
    [InlineData("RateLimits:BurstSeconds=10", "\"catalogue\";q=1000;w=10")]
    [InlineData("RateLimits:Address:CatalogueReadsPerMinute=1", "\"catalogue\";q=1;w=60")]
    [InlineData("RateLimits:Address:CatalogueReadsPerMinute=off", null)]
    [InlineData("RateLimits:LimitsLoopback=false", null)]
    public async Task A_setting_says_how_much(string setting, string? policy)
    {
        await using var server = await TestServer.StartAsync(settings: setting);
        using var answer = await server.SendAsync("GET", "/v1/products", null);
        Assert.Equal(policy, answer.Headers.TryGetValues("RateLimit-Policy", out var values) ? values.Single() : null);
    }

    [Theory]
    [InlineData("RateLimits:Standard:AuthorizePerMinute=0")]
    [InlineData("RateLimits:Large:RefundPerMinute=10000001")]
    [InlineData("RateLimits:User:OrdersPerMinute=many")]
    [InlineData("RateLimits:BurstSeconds=0")]
    [InlineData("RateLimits:Nodes=0")]
    [InlineData("RateLimits:BucketsMax=999")]
    [InlineData("RateLimits:TierRefreshSeconds=off")]
    [InlineData("Access:Proxies=10.0.0.0/33")]
    [InlineData("Access:Proxies=10.0.0.0/8, proxy.example.com")]
    public async Task A_setting_that_cannot_be_is_refused_with_its_name(string setting)
    {
        var refused = await Assert.ThrowsAsync<Vocabulary.SettingsException>(
            () => TestServer.StartAsync(settings: setting));
        Assert.StartsWith(setting.Split('=')[0], Assert.Single(refused.Errors));
    }

    private static ValueTask<CreatedMerchant> MerchantAsync(ApiKeys keys) =>
        keys.CreateMerchantAsync("Acme", null, default);

    private static async Task<string?> KeyAsync(TestServer server, Route route)
    {
        if (route.Who == Who.Public)
        {
            return null;
        }

        if (route.Limit is not (Limit.Order or Limit.QueueJoin))
        {
            return (await MerchantAsync(server.Services.GetRequiredService<ApiKeys>())).Key;
        }

        const string Password = "correct horse battery";
        await server.Services.GetRequiredService<UserBook>()
            .CreateAsync("ada@example.com", Password, Role.Buyer, null, default);
        return (await server.Services.GetRequiredService<SessionBook>()
            .LogInAsync("ada@example.com", Password, null, default)).Tokens!.Access;
    }

    private static Task<HttpResponseMessage> CallAsync(TestServer server, Route route, string? key)
    {
        var path = When_everyone_calls_every_route.PathOf(route);
        return server.SendAsync(route.Method, path, key, route.Method == "GET" ? null : "[]", "Idempotency-Key: k");
    }
}
