// Goal: the stand-alone provider answers bad input with a problem that helps, never with 500, and keeps its book.
// Method: real sockets on free ports, plain HTTP/1.1 as curl would send it.
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class ProviderServerTests : IAsyncLifetime
{
    private const string Good =
        """{"id":"00000001-0000-7000-8000-000000000001","paymentId":"00000001-0000-7000-8000-000000000002",""" +
        """ "kind":"CHARGE","amount":{"amount":15000,"currency":"KRW"}}""";

    private readonly HttpClient http = new();
    private ProviderServer server = null!;

    public async ValueTask InitializeAsync()
    {
        server = await ProviderServer.StartAsync(
            new ProviderServerOptions { Url = "http://127.0.0.1:0" }, TimeProvider.System);
        http.BaseAddress = server.Url;
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_charge_is_shown_by_its_answer_by_id_and_in_the_statement()
    {
        var (status, answer) = await Send("POST", "/charges", Good);
        Assert.Equal(200, status);
        Assert.Equal("APPROVED", answer.GetProperty("status").GetString());
        Assert.Equal("CHARGE", answer.GetProperty("kind").GetString());
        Assert.Equal(15_000, answer.GetProperty("amount").GetProperty("amount").GetInt64());
        var id = answer.GetProperty("id").GetString()!;

        var (_, found) = await Send("GET", $"/charges/{id}");
        Assert.Equal(answer.ToString(), found.ToString());
        var (_, statement) = await Send("GET", "/statement?limit=1000");
        Assert.Equal(answer.ToString(), Assert.Single(statement.GetProperty("data").EnumerateArray()).ToString());
        Assert.False(statement.GetProperty("has_more").GetBoolean());
        var (_, behind) = await Send("GET", $"/statement?starting_after={id}");
        Assert.Empty(behind.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Faults_are_shown_and_replaced()
    {
        var (status, shown) = await Send("PUT", "/faults", """{"latencyMs":3,"declineRatio":1}""");
        Assert.Equal((200, 3), (status, shown.GetProperty("latencyMs").GetInt32()));
        Assert.Equal(new ProviderFaults { LatencyMs = 3, DeclineRatio = 1 }, server.Provider.Faults);
        Assert.Equal(shown.ToString(), (await Send("GET", "/faults")).Body.ToString());
        var (_, declined) = await Send("POST", "/charges", Good);
        Assert.Equal("card_declined", declined.GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\u0000\u0001")]
    [InlineData("""{"id":"x"}""")]
    [InlineData("""{"id":7}""")]
    [InlineData("""{"id":"00000001-0000-7000-8000-000000000001"}""")]
    public async Task A_broken_charge_is_refused(string body) => await IsRefused(body);

    [Theory]
    [InlineData("15000", "0.5")]
    [InlineData("15000", "-1")]
    [InlineData("15000", "9007199254740992")]
    [InlineData("15000", "99999999999999999999999")]
    [InlineData("15000", "\"15000\"")]
    [InlineData("15000", "1,\"amount\":2")]
    [InlineData("KRW", "krw")]
    [InlineData("KRW", "XXQ")]
    [InlineData("KRW", "\\u004bRW")]
    [InlineData("CHARGE", "STEAL")]
    [InlineData("\"CHARGE\"", "1")]
    [InlineData("paymentId", "paymentNumber")]
    [InlineData("\"kind\":\"CHARGE\",", "")]
    [InlineData("{\"amount\":15000,\"currency\":\"KRW\"}", "15000")]
    [InlineData("-000000000002", "-00000000000g")]
    [InlineData("-000000000002", "-0000000000020")]
    [InlineData("}}", "}} {}")]
    [InlineData("}}", "}")]
    public async Task A_charge_with_one_mistake_is_refused(string right, string wrong) =>
        await IsRefused(Good.Replace(right, wrong, StringComparison.Ordinal));

    [Theory]
    [InlineData("GET", "/", 404)]
    [InlineData("GET", "/charge", 404)]
    [InlineData("DELETE", "/charges", 405)]
    [InlineData("POST", "/statement", 405)]
    [InlineData("GET", "/charges/", 400)]
    [InlineData("GET", "/charges/7", 400)]
    [InlineData("GET", "/charges/00000001-0000-7000-8000-000000000009", 404)]
    [InlineData("GET", "/statement?limit=0", 400)]
    [InlineData("GET", "/statement?limit=1001", 400)]
    [InlineData("GET", "/statement?limit=ten", 400)]
    [InlineData("GET", "/statement?limit=1&limit=2", 400)]
    [InlineData("GET", "/statement?starting_after=00000001-0000-7000-8000-000000000009", 400)]
    [InlineData("GET", "/statement?starting_after=x", 400)]
    [InlineData("GET", "/statement?page=2", 400)]
    public async Task A_wrong_address_gets_a_problem(string method, string path, int expected)
    {
        var (status, problem) = await Send(method, path);
        Assert.Equal(expected, status);
        Assert.Equal(expected, problem.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused_with_413()
    {
        foreach (var length in (int[])[4_097, 70_000])
        {
            var (status, problem) = await Send("POST", "/charges", new string(' ', length));
            Assert.Equal((413, "body_too_large"), (status, problem.GetProperty("code").GetString()));
        }
    }

    [Fact]
    public async Task An_outage_answers_503_and_still_shows_faults_and_statement()
    {
        await Send("PUT", "/faults", """{"outage":true}""");
        Assert.Equal(503, (await Send("POST", "/charges", Good)).Status);
        Assert.Equal(503, (await Send("GET", "/charges/00000001-0000-7000-8000-000000000001")).Status);
        Assert.Equal(200, (await Send("GET", "/statement")).Status);
        Assert.Equal(200, (await Send("PUT", "/faults", "{}")).Status);
        Assert.Equal(200, (await Send("POST", "/charges", Good)).Status);
    }

    [Fact]
    public async Task A_restarted_provider_knows_its_calls_and_declines_the_same()
    {
        using var scratch = new ScratchDirectory();
        var options = new ProviderServerOptions { Url = "http://127.0.0.1:0", JournalPath = scratch.File("book") };
        await using (var first = await ProviderServer.StartAsync(options, TimeProvider.System))
        {
            using var sender = new HttpClient { BaseAddress = first.Url };
            (await sender.PostAsync("/charges", new StringContent(Good))).EnsureSuccessStatusCode();
        }

        await using var second = await ProviderServer.StartAsync(options, TimeProvider.System);
        Assert.Equal(1, second.Provider.Book.Count);
    }

    [Theory]
    [InlineData("http://127.0.0.1:PORT")]
    [InlineData("https://127.0.0.1:8090")]
    [InlineData("http://no-address:8090")]
    [InlineData("http://127.0.0.1:8090/path")]
    [InlineData("127.0.0.1")]
    [InlineData("http://127.0.0.1:65535")]
    public async Task A_provider_that_cannot_start_exits_with_1(string url)
    {
        var options = new ProviderServerOptions { Url = url.Replace("PORT", $"{server.Url.Port}") };
        Assert.Equal(1, await ProviderServer.RunAsync(options, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task A_provider_that_is_told_to_stop_exits_with_0()
    {
        var options = new ProviderServerOptions { Url = "http://127.0.0.1:0" };
        Assert.Equal(0, await ProviderServer.RunAsync(options, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task A_connection_that_says_nothing_or_stops_halfway_harms_nobody()
    {
        using var silent = await Connect("");
        using var halfway = await Connect("PRI");
        using var gone = await Connect("P");
        gone.Close();
        Assert.Equal(200, (await Send("GET", "/statement")).Status);
    }

    private async Task<TcpClient> Connect(string bytes)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Url.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(bytes));
        return client;
    }

    private async Task IsRefused(string body)
    {
        var (status, problem) = await Send("POST", "/charges", body);
        Assert.Equal(400, status);
        Assert.Equal("invalid_body", problem.GetProperty("code").GetString());
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.Equal(0, server.Provider.Book.Count);
    }

    private async Task<(int Status, JsonElement Body)> Send(string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = body is null ? null : new StringContent(body);
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(
            response.IsSuccessStatusCode ? "application/json" : "application/problem+json",
            response.Content.Headers.ContentType?.MediaType);
        using var json = JsonDocument.Parse(text);
        return ((int)response.StatusCode, json.RootElement.Clone());
    }
}
