// Goal: the client calls an outcome certain only when it is. Method: a server that answers whatever a row says, a port
// where nobody listens, and sockets that break in the middle.
using System.Net;
using System.Net.Sockets;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class HttpProviderTests
{
    [Theory]
    [InlineData(200, """{"id":"x","status":"APPROVED"}""", "Approved")]
    [InlineData(200, """{"nested":{"status":"APPROVED"},"status":"DECLINED","reason":"no"}""", "Declined no")]
    [InlineData(200, """{"status":"DECLINED"}""", "Declined declined")]
    [InlineData(200, """{"nested":{"status":"APPROVED"}}""", "Unknown broken_answer")]
    [InlineData(200, """{"status":"MAYBE"}""", "Unknown broken_answer")]
    [InlineData(200, """{"status":true}""", "Unknown broken_answer")]
    [InlineData(200, """{"sta""", "Unknown broken_answer")]
    [InlineData(200, "", "Unknown broken_answer")]
    [InlineData(201, """{"status":"APPROVED"}""", "Unknown http_201")]
    [InlineData(400, "", "Declined rejected")]
    [InlineData(422, "", "Declined rejected")]
    [InlineData(401, "", "NotReached http_401")]
    [InlineData(429, "", "NotReached http_429")]
    [InlineData(503, """{"status":"APPROVED"}""", "NotReached http_503")]
    [InlineData(408, "", "Unknown http_408")]
    [InlineData(409, """{"code":"other"}""", "Unknown http_409")]
    [InlineData(409, """{"code":"id_reused"}""", "Unknown id_reused")]
    [InlineData(500, "", "Unknown http_500")]
    [InlineData(502, "", "Unknown http_502")]
    [InlineData(302, "", "Unknown http_302")]
    public async Task An_answer_to_a_call_becomes_a_verdict(int status, string body, string expected)
    {
        await using var stub = await Stub(status, body);
        using var client = Client(new Uri(stub.Urls.First()));
        Assert.Equal(expected, Text(await client.ExecuteAsync(Calls.Charge(1), CancellationToken.None)));
    }

    [Theory]
    [InlineData(200, """{"status":"APPROVED"}""", "Approved")]
    [InlineData(404, """{"code":"never_seen"}""", "NotReached never_seen")]
    [InlineData(404, """{"code":"not_found"}""", "Unknown http_404")]
    [InlineData(404, "<html>no such page</html>", "Unknown http_404")]
    [InlineData(400, "", "Unknown http_400")]
    [InlineData(503, "", "Unknown http_503")]
    public async Task An_answer_to_a_question_becomes_a_verdict(int status, string body, string expected)
    {
        await using var stub = await Stub(status, body);
        using var client = Client(new Uri(stub.Urls.First()));
        Assert.Equal(expected, Text(await client.FindAsync(Calls.Id(1), CancellationToken.None)));
    }

    [Fact]
    public async Task Nobody_listening_means_not_reached_and_cannot_be_asked()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = new Uri($"http://{listener.LocalEndpoint}");
        listener.Stop();
        using var client = Client(url);
        Assert.Equal(
            "NotReached not_connected", Text(await client.ExecuteAsync(Calls.Charge(1), CancellationToken.None)));
        Assert.Equal("Unknown not_connected", Text(await client.FindAsync(Calls.Id(1), CancellationToken.None)));
    }

    [Fact]
    public async Task A_connection_that_breaks_in_the_middle_means_unknown()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = Client(new Uri($"http://{listener.LocalEndpoint}"));
        var call = client.ExecuteAsync(Calls.Charge(1), CancellationToken.None);
        using (var connection = await listener.AcceptTcpClientAsync())
        {
            // HTTP/2 settings, so that the client sends its call; then the end.
            var stream = connection.GetStream();
            await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 });
            await stream.ReadAtLeastAsync(new byte[4_096], 200);
        }

        Assert.Equal(ProviderVerdict.Unknown, (await call).Verdict);
    }

    [Fact]
    public async Task A_server_that_accepts_and_stays_silent_means_unknown()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = Client(new Uri($"http://{listener.LocalEndpoint}"), callTimeoutMs: 200);
        Assert.Equal("Unknown timed_out", Text(await client.ExecuteAsync(Calls.Charge(1), CancellationToken.None)));
    }

    [Fact]
    public async Task Waiting_calls_do_not_lose_their_place_to_calls_that_failed()
    {
        // More failed calls than may leave at once: each must have given its place back.
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = new Uri($"http://{listener.LocalEndpoint}");
        listener.Stop();
        using var client = Client(url);
        for (var round = 0; round < 3; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 400).Select(
                id => client.ExecuteAsync(Calls.Charge(id), CancellationToken.None)));
            Assert.All(answers, answer => Assert.Equal("NotReached not_connected", Text(answer)));
        }
    }

    private static string Text(ProviderAnswer answer) => $"{answer.Verdict} {answer.Reason}".TrimEnd();

    private static HttpProvider Client(Uri url, int callTimeoutMs = 10_000) => new(
        new HttpProviderSettings(url) { Connections = 1, CallTimeoutMs = callTimeoutMs }, TimeProvider.System);

    private static async Task<WebApplication> Stub(int status, string body)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(async http =>
        {
            http.Response.StatusCode = status;
            await http.Response.WriteAsync(body);
        });
        await app.StartAsync();
        return app;
    }
}
