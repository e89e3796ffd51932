using System.Net;
using System.Net.Sockets;
using System.Text;
using Floodgate.Access;
using Floodgate.Storage.Database;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: nobody reaches a handler whom its route does not name, and no failure leaves without a stable code.
// Method: routes of the test's own on the real server, called over HTTP with every kind of caller.
public sealed class RouteTests
{
    [Theory]
    [InlineData("/t/public", null, 200)]
    [InlineData("/t/public", "anything", 200)]
    [InlineData("/t/merchant", null, 401)]
    [InlineData("/t/merchant", "unknown", 401)]
    [InlineData("/t/merchant", "fg_demo_merchant", 200)]
    [InlineData("/t/merchant", "fg_demo_admin", 403)]
    [InlineData("/t/admin", null, 401)]
    [InlineData("/t/admin", "fg_demo_merchant", 403)]
    [InlineData("/t/admin", "fg_demo_admin", 200)]
    [InlineData("/t/either", null, 401)]
    [InlineData("/t/either", "fg_demo_merchant", 200)]
    [InlineData("/t/either", "fg_demo_admin", 200)]
    public async Task Only_those_whom_the_route_names_get_in(string path, string? key, int status)
    {
        await using var server = await TestServer.StartAsync(MapAll);
        using var response = await server.SendAsync("GET", path, key);
        if (status == 200)
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return;
        }

        await TestServer.RefusedAsync(response, status, status == 401 ? "unauthorized" : "forbidden");
        Assert.Equal(status == 401, response.Headers.WwwAuthenticate.ToString() == "Bearer realm=\"floodgate\"");
    }

    [Theory]
    [InlineData("Authorization: Bearer fg_demo_admin\r\nAuthorization: Bearer fg_demo_merchant\r\n")]
    [InlineData("Authorization: Bearer fg_demo_admin\r\nAuthorization: Bearer fg_demo_admin\r\n")]
    [InlineData("Authorization: Bearer fg_demo_admin, Bearer fg_demo_merchant\r\n")]
    [InlineData("Authorization: Bearer fg_demo_admin,fg_demo_merchant\r\n")]
    [InlineData("Authorization: Bearer\r\n")]
    [InlineData("Authorization: fg_demo_admin\r\n")]
    [InlineData("Authorization: Basic fg_demo_admin\r\n")]
    [InlineData("Authorization: Bearer  fg_demo_admin\r\n")]
    public async Task An_ambiguous_key_is_refused(string headers)
    {
        await using var server = await TestServer.StartAsync(MapAll);
        Assert.StartsWith("HTTP/1.1 401 ", await RawAsync(server, $"GET /t/admin HTTP/1.1\r\n{headers}"));
    }

    [Fact]
    public async Task The_scheme_is_read_in_any_case()
    {
        await using var server = await TestServer.StartAsync(MapAll);
        var answer = await RawAsync(server, "GET /t/admin HTTP/1.1\r\nauthorization: bEARER fg_demo_admin\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer);
    }

    [Fact]
    public async Task The_handler_learns_the_caller_from_the_key()
    {
        await using var server = await TestServer.StartAsync(MapAll);
        Assert.Equal("Merchant demo", await TextAsync("fg_demo_merchant"));
        Assert.Equal("Admin ", await TextAsync("fg_demo_admin"));

        async Task<string> TextAsync(string key)
        {
            using var response = await server.SendAsync("GET", "/t/either", key);
            return await response.Content.ReadAsStringAsync();
        }
    }

    [Fact]
    public async Task Demo_keys_and_routes_exist_in_demo_mode_only()
    {
        await using var demo = await TestServer.StartAsync(MapAll);
        using var served = await demo.SendAsync("GET", "/t/demo", null);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);

        await using var real = await TestServer.StartAsync(MapAll, isDemo: false);
        await TestServer.RefusedAsync(await real.SendAsync("GET", "/t/demo", null), 404, "not_found");
        await TestServer.RefusedAsync(
            await real.SendAsync("GET", "/t/merchant", "fg_demo_merchant"), 401, "unauthorized");
        await TestServer.RefusedAsync(await real.SendAsync("GET", "/t/admin", "fg_demo_admin"), 401, "unauthorized");
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, "not_found")]
    [InlineData("DELETE", "/t/public", 405, "method_not_allowed")]
    [InlineData("GET", "/t/bug", 500, "internal")]
    [InlineData("GET", "/t/unavailable", 503, "unavailable")]
    [InlineData("GET", "/t/unknown", 503, "outcome_unknown")]
    [InlineData("GET", "/t/bad", 400, "bad_request")]
    public async Task Every_failure_is_a_problem_with_a_stable_code(string method, string path, int status, string code)
    {
        await using var server = await TestServer.StartAsync(MapAll);
        using var response = await server.SendAsync(method, path, null);
        var detail = await TestServer.RefusedAsync(response, status, code);
        Assert.DoesNotContain("secret", detail);
        Assert.Equal(status == 503, response.Headers.RetryAfter?.Delta == TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_bug_is_logged_once_with_its_route_and_never_with_the_key()
    {
        await using var server = await TestServer.StartAsync(MapAll);
        using var response = await server.SendAsync("GET", "/t/bug", "fg_demo_admin");
        await server.DisposeAsync();

        var log = Encoding.UTF8.GetString(server.Log.ToArray());
        var line = Assert.Single(log.Split('\n'), line => line.Contains("request_failed"));
        Assert.Contains("\"Route\":\"/t/bug\"", line);
        Assert.Contains("secret of the exception", line);
        Assert.DoesNotContain("fg_demo_admin", log);
    }

    [Fact]
    public async Task A_failure_after_the_answer_began_breaks_the_connection()
    {
        await using var server = await TestServer.StartAsync(MapAll);
        await Assert.ThrowsAsync<HttpRequestException>(() => server.SendAsync("GET", "/t/half", null));
    }

    [Fact]
    public async Task A_chunked_body_over_the_limit_is_refused()
    {
        await using var server = await TestServer.StartAsync(MapAll);
        var chunk = $"4E20\r\n{new string(' ', 0x4E20)}\r\n0\r\n\r\n";
        var answer = await RawAsync(server, "POST /t/read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", chunk);
        Assert.StartsWith("HTTP/1.1 413 ", answer);
        Assert.Contains("\"code\":\"body_too_large\"", answer);
    }

    private static void MapAll(Routes routes)
    {
        routes.Map("GET", "/t/public", Who.Public, SayAsync);
        routes.Map("GET", "/t/merchant", Who.Merchant, SayAsync);
        routes.Map("GET", "/t/admin", Who.Admin, SayAsync);
        routes.Map("GET", "/t/either", Who.MerchantOrAdmin, SayAsync);
        routes.MapDemoOnly("GET", "/t/demo", Who.Public, SayAsync);
        routes.Map("GET", "/t/bug", Who.Public, (_, _) =>
            throw new InvalidOperationException("secret of the exception"));
        routes.Map("GET", "/t/unavailable", Who.Public, (_, _) =>
            throw new DatabaseUnavailableException("secret of the database"));
        routes.Map("GET", "/t/unknown", Who.Public, (_, _) =>
            throw new DatabaseUnavailableException("secret of the commit") { MayHaveHappened = true });
        routes.Map("GET", "/t/bad", Who.Public, (_, _) => throw new BadHttpRequestException("Not like this."));
        routes.Map("GET", "/t/half", Who.Public, async (context, _) =>
        {
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            throw new InvalidOperationException("too late");
        });
        routes.Map("POST", "/t/read", Who.Public, (context, _) => context.Request.Body.CopyToAsync(Stream.Null));
        Assert.Equal(10 + 1, routes.All.Count);
    }

    private static Task SayAsync(HttpContext context, Caller caller) =>
        context.Response.WriteAsync($"{caller.Role} {caller.MerchantId}");

    private static async Task<string> RawAsync(TestServer server, string head, string body = "")
    {
        using var client = new TcpClient("127.0.0.1", server.Client.BaseAddress!.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{head}Host: x\r\nConnection: close\r\n\r\n{body}"));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
