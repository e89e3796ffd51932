using System.Net;
using System.Text.Json;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: an operator creates a merchant, whose key works at once; retries create no second one. Keys can be changed one
// after the other, and a lost one ended.
// Method: the real server over HTTP.
public sealed class MerchantTests
{
    [Fact]
    public async Task A_created_merchants_key_works_at_once_and_is_shown_once()
    {
        await using var server = await TestServer.StartAsync();
        using var created = await PostAsync(server, "k-1", """{"name":"Acme"}""");
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        var first = await FieldsAsync(created);
        Assert.Equal("Acme", first.Name);

        using var asMerchant = await server.SendAsync("POST", "/v1/merchants", first.Key);
        await TestServer.RefusedAsync(asMerchant, 403, "forbidden");

        using var replayed = await PostAsync(server, "k-1", """{"name":"Acme"}""");
        Assert.Equal(HttpStatusCode.OK, replayed.StatusCode);
        Assert.Equal("true", replayed.Headers.GetValues("Idempotent-Replayed").Single());
        Assert.Equal((first.Id, "Acme", null), await FieldsAsync(replayed));

        using var reused = await PostAsync(server, "k-1", """{"name":"Other"}""");
        await TestServer.RefusedAsync(reused, 422, "idempotency_key_reused");
    }

    [Theory]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":"  "}""")]
    [InlineData("""{"name":"a\nb"}""")]
    [InlineData("""{"name":null}""")]
    [InlineData("""{"nme":"Acme"}""")]
    [InlineData("{}")]
    public async Task A_name_that_cannot_be_one_is_refused(string body)
    {
        await using var server = await TestServer.StartAsync();
        using var response = await PostAsync(server, "k-1", body);
        await TestServer.RefusedAsync(response, 400, "invalid_body");
    }

    [Fact]
    public async Task An_idempotency_key_is_needed()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.SendAsync("POST", "/v1/merchants", "fg_demo_admin", """{"name":"Acme"}""");
        await TestServer.RefusedAsync(response, 400, "idempotency_key_missing");
    }

    [Fact]
    public async Task A_key_is_changed_for_another_without_a_gap_and_the_old_one_ended_at_once()
    {
        await using var server = await TestServer.StartAsync();
        using var merchant = await PostAsync(server, "k-1", """{"name":"Acme"}""");
        var (id, _, old) = await FieldsAsync(merchant);
        var path = $"/v1/merchants/{id}/keys";

        using var created = await server.SendAsync("POST", path, "fg_demo_admin", null, "Idempotency-Key: k-2");
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal("no-store", created.Headers.CacheControl?.ToString());
        var made = await JsonAsync(created);
        using var replayed = await server.SendAsync("POST", path, "fg_demo_admin", "{}", "Idempotency-Key: k-2");
        Assert.Equal(HttpStatusCode.OK, replayed.StatusCode);
        Assert.Equal("true", replayed.Headers.GetValues("Idempotent-Replayed").Single());
        Assert.Null((await JsonAsync(replayed)).GetProperty("key").GetString());

        var both = (await ListAsync(server, path)).ToList();
        Assert.Equal(2, both.Count);
        var first = both.Single(key => key.GetProperty("id").GetString() != made.GetProperty("id").GetString());
        Assert.Equal(old![..12], first.GetProperty("prefix").GetString());
        Assert.Equal(200, await StatusAsync(server, old));
        Assert.Equal(200, await StatusAsync(server, made.GetProperty("key").GetString()!));

        for (var times = 0; times < 2; times++)
        {
            using var revoked = await server.SendAsync(
                "DELETE", $"{path}/{first.GetProperty("id").GetString()}", "fg_demo_admin");
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
            Assert.NotNull((await JsonAsync(revoked)).GetProperty("revokedAt").GetString());
        }

        Assert.Equal(401, await StatusAsync(server, old));
        Assert.Equal(200, await StatusAsync(server, made.GetProperty("key").GetString()!));
    }

    // Goal: nothing that is shown later opens anything. Method: the fields of the list, all of them.
    [Fact]
    public async Task Keys_are_listed_in_pages_without_their_secret()
    {
        await using var server = await TestServer.StartAsync();
        using var merchant = await PostAsync(server, "k-1", """{"name":"Acme"}""");
        var path = $"/v1/merchants/{(await FieldsAsync(merchant)).Id}/keys";
        foreach (var n in Enumerable.Range(2, 4))
        {
            using var created = await server.SendAsync("POST", path, "fg_demo_admin", null, $"Idempotency-Key: k-{n}");
            Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        }

        var listed = await ListAsync(server, path);
        Assert.Equal(5, listed.Select(key => key.GetProperty("id").GetString()).Distinct().Count());
        Assert.All(listed, key => Assert.Equal(
            ["id", "merchantId", "prefix", "createdAt", "revokedAt"], key.EnumerateObject().Select(f => f.Name)));
    }

    [Theory]
    [InlineData("GET", "/v1/merchants/nobody")]
    [InlineData("GET", "/v1/merchants/nobody/keys")]
    [InlineData("GET", "/v1/merchants/%01/keys")]
    [InlineData("POST", "/v1/merchants/nobody/keys")]
    [InlineData("DELETE", "/v1/merchants/demo/keys/01a1fbb4-05d7-78b8-88a5-2b97f381b800")]
    [InlineData("DELETE", "/v1/merchants/demo/keys/1")]
    public async Task What_is_not_there_is_not_found(string method, string path)
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.SendAsync(method, path, "fg_demo_admin", null, "Idempotency-Key: k-1");
        await TestServer.RefusedAsync(response, 404, "not_found");
    }

    [Fact]
    public async Task A_request_key_makes_no_key_of_a_second_merchant_and_a_body_has_no_fields()
    {
        await using var server = await TestServer.StartAsync();
        using var merchant = await PostAsync(server, "k-1", """{"name":"Acme"}""");
        var path = $"/v1/merchants/{(await FieldsAsync(merchant)).Id}/keys";
        using var none = await server.SendAsync("POST", path, "fg_demo_admin");
        await TestServer.RefusedAsync(none, 400, "idempotency_key_missing");
        using var filled = await server.SendAsync(
            "POST", path, "fg_demo_admin", """{"name":"x"}""", "Idempotency-Key: k-2");
        await TestServer.RefusedAsync(filled, 400, "invalid_body");

        using var created = await server.SendAsync("POST", path, "fg_demo_admin", null, "Idempotency-Key: k-2");
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        using var reused = await server.SendAsync(
            "POST", "/v1/merchants/demo/keys", "fg_demo_admin", null, "Idempotency-Key: k-2");
        await TestServer.RefusedAsync(reused, 422, "idempotency_key_reused");
    }

    [Fact]
    public async Task The_merchant_of_demo_mode_can_be_read_and_has_no_key_that_could_be_ended()
    {
        await using var server = await TestServer.StartAsync();
        using var merchant = await server.SendAsync("GET", "/v1/merchants/demo", "fg_demo_admin");
        Assert.Equal("Demo", (await JsonAsync(merchant)).GetProperty("name").GetString());
        Assert.Empty(await ListAsync(server, "/v1/merchants/demo/keys"));
    }

    private static async Task<List<JsonElement>> ListAsync(TestServer server, string path)
    {
        var all = new List<JsonElement>();
        for (var isMore = true; isMore;)
        {
            var after = all.Count == 0 ? "" : $"&starting_after={all[^1].GetProperty("id").GetString()}";
            using var response = await server.SendAsync("GET", $"{path}?limit=2{after}", "fg_demo_admin");
            var page = await JsonAsync(response);
            all.AddRange(page.GetProperty("data").EnumerateArray());
            isMore = page.GetProperty("has_more").GetBoolean();
        }

        return all;
    }

    private static async Task<int> StatusAsync(TestServer server, string key)
    {
        using var response = await server.SendAsync("GET", "/v1/payments", key);
        return (int)response.StatusCode;
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return json.RootElement.Clone();
    }

    private static Task<HttpResponseMessage> PostAsync(TestServer server, string key, string body) =>
        server.SendAsync("POST", "/v1/merchants", "fg_demo_admin", body, $"Idempotency-Key: {key}");

    private static async Task<(string Id, string Name, string? Key)> FieldsAsync(HttpResponseMessage response)
    {
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        var root = json.RootElement;
        return (root.GetProperty("merchantId").GetString()!, root.GetProperty("name").GetString()!,
            root.GetProperty("key").GetString());
    }
}
