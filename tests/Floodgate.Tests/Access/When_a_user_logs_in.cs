using System.Net;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: a buyer signs up, logs in, goes on and logs out, and every wrong request is refused with a stable code.
// Method: the real server over HTTP.
public sealed class When_a_user_logs_in
{
    private const string Ada = """{"email":"Ada@example.com","password":"correct horse battery"}""";

    [Fact]
    public async Task A_buyer_comes_and_goes()
    {
        await using var server = await TestServer.StartAsync();
        var user = await JsonAsync(server, 201, "POST", "/v1/users", null, Ada);
        Assert.Equal("ada@example.com", user.GetProperty("email").GetString());
        Assert.Equal("buyer", user.GetProperty("role").GetString());

        var session = await JsonAsync(server, 201, "POST", "/v1/sessions", null, Ada);
        Assert.Equal("Bearer", session.GetProperty("tokenType").GetString());
        Assert.Equal(900, session.GetProperty("expiresInSeconds").GetInt64());
        var first = session.GetProperty("accessToken").GetString()!;
        var me = await JsonAsync(server, 200, "GET", "/v1/users/me", first, null);
        Assert.Equal(user.GetProperty("userId").GetString(), me.GetProperty("userId").GetString());

        var refresh = $$"""{"refreshToken":"{{session.GetProperty("refreshToken").GetString()}}"}""";
        var next = await JsonAsync(server, 200, "POST", "/v1/sessions/refresh", null, refresh);
        var second = next.GetProperty("accessToken").GetString()!;
        using var left = await server.SendAsync("DELETE", "/v1/sessions", second);
        Assert.Equal(HttpStatusCode.NoContent, left.StatusCode);

        // Both tokens are of the session that ended.
        await RefusedAsync(server, 401, "unauthorized", "GET", "/v1/users/me", first, null);
        await RefusedAsync(server, 401, "unauthorized", "DELETE", "/v1/sessions", second, null);
        var last = $$"""{"refreshToken":"{{next.GetProperty("refreshToken").GetString()}}"}""";
        await RefusedAsync(server, 401, "session_over", "POST", "/v1/sessions/refresh", null, last);
    }

    [Fact]
    public async Task Tokens_are_kept_by_nobody_on_the_way()
    {
        await using var server = await TestServer.StartAsync();
        await JsonAsync(server, 201, "POST", "/v1/users", null, Ada);
        using var response = await server.SendAsync("POST", "/v1/sessions", null, Ada);
        Assert.True(response.Headers.CacheControl?.NoStore);
    }

    [Fact]
    public async Task The_log_never_has_a_password_a_token_or_an_email()
    {
        await using var server = await TestServer.StartAsync();
        await JsonAsync(server, 201, "POST", "/v1/users", null, Ada);
        var session = await JsonAsync(server, 201, "POST", "/v1/sessions", null, Ada);
        var wrong = Ada.Replace("correct", "wrong");
        await RefusedAsync(server, 401, "wrong_password", "POST", "/v1/sessions", null, wrong);
        await RefusedAsync(server, 409, "email_taken", "POST", "/v1/users", null, Ada);
        await server.DisposeAsync();

        var log = Encoding.UTF8.GetString(server.Log.ToArray());
        Assert.DoesNotContain("horse battery", log);
        Assert.DoesNotContain("example.com", log, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(session.GetProperty("accessToken").GetString()!, log);
        Assert.DoesNotContain(session.GetProperty("refreshToken").GetString()!, log);
    }

    [Fact]
    public async Task Whoever_guesses_waits()
    {
        await using var server = await TestServer.StartAsync();
        await JsonAsync(server, 201, "POST", "/v1/users", null, Ada);
        for (var i = 0; i < 10; i++)
        {
            await RefusedAsync(
                server, 401, "wrong_password", "POST", "/v1/sessions", null, Ada.Replace("correct", $"wrong {i}"));
        }

        using var response = await server.SendAsync("POST", "/v1/sessions", null, Ada);
        await TestServer.RefusedAsync(response, 429, "too_many_failures");
        Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
    }

    [Fact]
    public async Task Too_many_at_once_are_told_to_come_again()
    {
        await using var server = await TestServer.StartAsync(
            settings: ["Identity:PasswordQueueMax=1", "Identity:PasswordRounds=1000000"]);
        var all = await Task.WhenAll(Enumerable.Range(0, 5)
            .Select(_ => server.SendAsync("POST", "/v1/sessions", null, Ada)));
        var refused = all.Where(response => response.StatusCode == HttpStatusCode.ServiceUnavailable).ToList();
        Assert.InRange(refused.Count, 1, 4);
        Assert.All(refused, response => Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter?.Delta));
        await TestServer.RefusedAsync(refused[0], 503, "unavailable");
    }

    [Theory]
    [InlineData("Access:Proxies=127.0.0.1", 401)]
    [InlineData("Access:Proxies=10.0.0.0/8", 429)]
    public async Task An_address_is_the_proxys_word_only_when_the_settings_say_so(string setting, int status)
    {
        await using var server = await TestServer.StartAsync(settings: [setting, "Identity:AddressFailuresMax=2"]);
        Assert.Equal([401, 401, 429, status], new[]
        {
            await GuessAsync("192.0.2.1"), await GuessAsync("192.0.2.1"), await GuessAsync("192.0.2.1"),
            await GuessAsync("192.0.2.2"),
        });

        async Task<int> GuessAsync(string address)
        {
            var forwarded = $"X-Forwarded-For: {address}";
            using var response = await server.SendAsync("POST", "/v1/sessions", null, Ada, forwarded);
            return (int)response.StatusCode;
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("""{"email":null,"password":"correct horse battery"}""")]
    [InlineData("""{"email":"ada@example.com","password":null}""")]
    [InlineData("""{"email":"ada@example.com","password":"elevenchars"}""")]
    [InlineData("""{"email":"ada@example.com","password":123456789012}""")]
    [InlineData("""{"email":"ada@example.com","password":"correct horse battery","role":"admin"}""")]
    [InlineData("""{"email":"ada@example.com","password":"correct horse\u0000"}""")]
    [InlineData("""{"email":"ada@example.com","password":"correct horse\ud800"}""")]
    [InlineData("""{"email":"","password":"correct horse battery"}""")]
    [InlineData("""{"email":"ada","password":"correct horse battery"}""")]
    [InlineData("""{"email":"@example.com","password":"correct horse battery"}""")]
    [InlineData("""{"email":"ada@","password":"correct horse battery"}""")]
    [InlineData("""{"email":"a@b@c","password":"correct horse battery"}""")]
    [InlineData("""{"email":" ada@example.com","password":"correct horse battery"}""")]
    [InlineData("""{"email":"ada\n@example.com","password":"correct horse battery"}""")]
    [InlineData("""{"email":"\u0430da@example.com","password":"correct horse battery"}""")]
    public async Task A_body_that_cannot_be_meant_is_refused(string body)
    {
        await using var server = await TestServer.StartAsync();
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/users", null, body);
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/sessions", null, body);
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/sessions/refresh", null, body);
    }

    [Fact]
    public async Task The_longest_email_and_password_are_taken_and_longer_ones_are_not()
    {
        await using var server = await TestServer.StartAsync();
        var (email, password) = ($"{new string('a', 64)}@{new string('b', 189)}", new string('p', 128));
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/users", null, BodyOf($"{email}b", password));
        var longName = BodyOf($"a{email}"[..254], password);
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/users", null, longName);
        await RefusedAsync(server, 400, "invalid_body", "POST", "/v1/users", null, BodyOf(email, $"{password}p"));
        await JsonAsync(server, 201, "POST", "/v1/users", null, BodyOf(email, password));
        await JsonAsync(server, 201, "POST", "/v1/sessions", null, BodyOf(email, password));

        static string BodyOf(string email, string password) =>
            $$"""{"email":"{{email}}","password":"{{password}}"}""";
    }

    private static async Task<JsonElement> JsonAsync(
        TestServer server, int status, string method, string path, string? key, string? body)
    {
        using var response = await server.SendAsync(method, path, key, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode}: {text}");
        return JsonElement.Parse(text);
    }

    private static async Task RefusedAsync(
        TestServer server, int status, string code, string method, string path, string? key, string? body)
    {
        using var response = await server.SendAsync(method, path, key, body);
        await TestServer.RefusedAsync(response, status, code);
        Assert.Equal(status == 401, response.Headers.WwwAuthenticate.Count > 0);
    }
}
