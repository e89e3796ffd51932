using System.Net;
using System.Text.Json;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: an operator creates a merchant, whose key works at once; retries create no second one.
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
