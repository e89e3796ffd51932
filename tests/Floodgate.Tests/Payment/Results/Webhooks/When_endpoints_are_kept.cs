using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: endpoints are made once, their secrets shown to their merchant only, and nobody touches another's. Method:
// through the front door, on both databases.
public sealed class When_endpoints_are_kept(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string Url = "http://127.0.0.1:9/hook";

    [Theory, OnBothDatabases]
    public async Task One_is_made_once_for_its_key_and_shows_its_secret_there_only(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        var made = (await PostAsync(shop, Url, "k")).Expect(201);
        Assert.Equal((Url, "ENABLED", shop.MerchantId), (made.Of("url"), made.Of("state"), made.Of("merchantId")));
        Assert.StartsWith("whsec_", made.Of("secret"));
        Assert.Equal("no-store", made.Headers.CacheControl?.ToString());
        var again = (await PostAsync(shop, Url, "k")).Expect(201);
        Assert.True(again.IsReplay);
        Assert.Equal((made.Id, made.Of("secret")), (again.Id, again.Of("secret")));
        (await PostAsync(shop, Url + "/other", "k")).Refuses(422, "idempotency_key_reused");

        Assert.DoesNotContain("whsec_", (await shop.GetAsync("/v1/webhooks")).Expect(200).Text);
        Assert.DoesNotContain("whsec_", (await shop.GetAsync($"/v1/webhooks/{made.Id}")).Expect(200).Text);
        var rotate = $"/v1/webhooks/{made.Id}/rotate-secret";
        var rotated = (await shop.SendAsync("POST", rotate, null, "Idempotency-Key: r")).Expect(200);
        Assert.NotEqual(made.Of("secret"), rotated.Of("secret"));
        var repeated = await shop.SendAsync("POST", rotate, null, "Idempotency-Key: r");
        Assert.Equal((true, rotated.Of("secret")), (repeated.IsReplay, repeated.Expect(200).Of("secret")));

        Assert.Equal(204, (await shop.SendAsync("DELETE", $"/v1/webhooks/{made.Id}")).Status);
        (await shop.SendAsync("DELETE", $"/v1/webhooks/{made.Id}")).Refuses(404, "not_found");
        (await shop.GetAsync($"/v1/webhooks/{made.Id}/deliveries")).Refuses(404, "not_found");
        (await PostAsync(shop, Url, "k")).Refuses(422, "idempotency_key_reused");
    }

    [Theory, OnBothDatabases]
    public async Task A_merchant_has_so_many_and_sees_them_page_by_page(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        (await PostAsync(other, Url, "k")).Expect(201);
        var ids = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            ids.Add((await PostAsync(shop, Url, $"k{i}")).Expect(201).Id);
        }

        (await PostAsync(shop, Url, "k10")).Refuses(409, "webhook_endpoints_max");
        var seen = (await shop.AllAsync("/v1/webhooks", 3)).Select(one => one.GetProperty("id").GetString()!).ToList();
        Assert.Equal(ids.Order(StringComparer.Ordinal), seen);
        var all = await server.Operator.AllAsync("/v1/webhooks", 200);
        var owners = all.Select(one => one.GetProperty("merchantId").GetString()).ToList();
        Assert.Contains(shop.MerchantId, owners);
        Assert.Contains(other.MerchantId, owners);
    }

    [Theory, OnBothDatabases]
    public async Task Nobody_touches_anothers(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var made = (await PostAsync(shop, receiver.Url, "k")).Expect(201).Id;
        var delivery = (await shop.SendAsync("POST", $"/v1/webhooks/{made}/test")).Expect(202).Id;
        foreach (var (method, path) in new[]
        {
            ("GET", $"/v1/webhooks/{made}"), ("DELETE", $"/v1/webhooks/{made}"),
            ("POST", $"/v1/webhooks/{made}/enable"), ("POST", $"/v1/webhooks/{made}/rotate-secret"),
            ("POST", $"/v1/webhooks/{made}/test"), ("GET", $"/v1/webhooks/{made}/deliveries"),
            ("POST", $"/v1/webhooks/deliveries/{delivery}/replay"),
        })
        {
            (await other.SendAsync(method, path, null, "Idempotency-Key: x")).Refuses(404, "not_found");
        }

        Assert.Equal("ENABLED", (await shop.GetAsync($"/v1/webhooks/{made}")).Expect(200).Of("state"));
        (await server.Operator.GetAsync($"/v1/webhooks/{made}")).Expect(200);
        (await server.Operator.SendAsync("DELETE", $"/v1/webhooks/{made}")).Refuses(403, "forbidden");
    }

    [Theory, OnBothDatabases]
    public async Task What_cannot_be_is_refused(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        (await shop.SendAsync("POST", "/v1/webhooks", $$"""{"url":"{{Url}}"}"""))
            .Refuses(400, "idempotency_key_missing");
        (await PostAsync(shop, "ftp://x.example/", "a")).Refuses(422, "webhook_url_refused");
        (await shop.SendAsync("POST", "/v1/webhooks", $$"""{"url":"{{Url}}","events":["payment.lost"]}""",
            "Idempotency-Key: b")).Refuses(400, "invalid_field");
        (await shop.SendAsync("POST", "/v1/webhooks", $$"""{"url":"{{Url}}","secret":"x"}""",
            "Idempotency-Key: c")).Refuses(400, "invalid_body");
        var made = (await PostAsync(shop, Url, "d")).Expect(201).Id;
        (await shop.GetAsync($"/v1/webhooks/{made}/deliveries?state=LOST")).Refuses(400, "invalid_parameter");
        (await shop.GetAsync("/v1/webhooks/seven")).Refuses(404, "not_found");
        Assert.Single(await shop.AllAsync("/v1/webhooks", 10));
    }

    // Goal: without being told otherwise the server calls the public internet only. Method: its own defaults.
    [Theory, OnBothDatabases]
    public async Task Private_addresses_are_refused_by_default(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        foreach (var (url, key) in new[]
        {
            ("http://shop.example.com/", "a"), ("https://127.0.0.1/", "b"), ("https://[::1]/", "c"),
            ("https://169.254.169.254/", "d"), ("https://10.0.0.1/", "e"), ("https://shop.example.com:8080/", "f"),
        })
        {
            (await PostAsync(shop, url, key)).Refuses(422, "webhook_url_refused");
        }

        (await PostAsync(shop, "https://shop.example.com/", "g")).Expect(201);
    }

    private static Task<Reply> PostAsync(Shop shop, string url, string key) => shop.SendAsync(
        "POST", "/v1/webhooks", $$"""{"url":"{{url}}"}""", $"Idempotency-Key: {key}");
}
