using System.Net;
using System.Net.Sockets;
using System.Text;
using Floodgate.Load.Traffic;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: a connection is used again and again, and every way of breaking ends in an exception, never in a wrong or
/// missing answer. Method: a listener on this machine that the test answers by hand.
/// </summary>
public sealed class HttpConnectionTests : IDisposable
{
    private static readonly byte[] Request = "POST / HTTP/1.1\r\n\r\n"u8.ToArray();
    private readonly HandClock clock = new();
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly HttpConnection connection;

    public HttpConnectionTests()
    {
        listener.Start();
        connection = new HttpConnection(listener.LocalEndpoint, clock);
    }

    public void Dispose()
    {
        connection.Dispose();
        listener.Dispose();
    }

    [Fact]
    public async Task One_connection_carries_many_requests()
    {
        await connection.ConnectAsync(CancellationToken.None);
        using var server = await listener.AcceptSocketAsync();
        foreach (var body in (string[])["one", "two", new string('x', 100_000)])
        {
            Assert.Equal(body, await ExchangeAsync(server, body));
        }
    }

    [Fact]
    public async Task A_server_that_hangs_up_is_an_error_and_the_next_request_connects_again()
    {
        await connection.ConnectAsync(CancellationToken.None);
        using (var server = await listener.AcceptSocketAsync())
        {
            var broken = connection.ExchangeAsync(Request).AsTask();
            await ReceiveAsync(server);
            server.Shutdown(SocketShutdown.Both);
            await Assert.ThrowsAsync<IOException>(() => broken);
        }

        var next = connection.ExchangeAsync(Request).AsTask();
        using var second = await listener.AcceptSocketAsync();
        await AnswerAsync(second, "again");
        Assert.Equal(200, (await next).Status);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_can_be_given_up()
    {
        await connection.ConnectAsync(CancellationToken.None);
        using var server = await listener.AcceptSocketAsync();
        var waiting = connection.ExchangeAsync(Request).AsTask();

        connection.AbortIfSentBefore(clock.GetTimestamp());
        Assert.False(waiting.IsCompleted, "it was not sent before now");
        connection.AbortIfSentBefore(clock.GetTimestamp() + 1);

        await Assert.ThrowsAnyAsync<Exception>(() => waiting);
    }

    [Fact]
    public async Task A_connection_idle_for_over_a_minute_is_opened_anew()
    {
        await connection.ConnectAsync(CancellationToken.None);
        using var first = await listener.AcceptSocketAsync();
        clock.Move(TimeSpan.FromSeconds(61));

        var exchange = connection.ExchangeAsync(Request).AsTask();
        using var second = await listener.AcceptSocketAsync();
        await AnswerAsync(second, "fresh");

        Assert.Equal(200, (await exchange).Status);
    }

    [Fact]
    public async Task Nobody_listening_is_a_socket_error()
    {
        listener.Stop();

        await Assert.ThrowsAnyAsync<SocketException>(() => connection.ExchangeAsync(Request).AsTask());
    }

    private async Task<string> ExchangeAsync(Socket server, string body)
    {
        var exchange = connection.ExchangeAsync(Request).AsTask();
        await AnswerAsync(server, body);
        return Encoding.ASCII.GetString(connection.Body(await exchange));
    }

    private static async Task AnswerAsync(Socket server, string body)
    {
        await ReceiveAsync(server);
        var answer = $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}";
        await server.SendAsync(Encoding.ASCII.GetBytes(answer));
    }

    private static async Task ReceiveAsync(Socket server)
    {
        var buffer = new byte[Request.Length];
        for (var received = 0; received < buffer.Length;)
        {
            received += await server.ReceiveAsync(buffer.AsMemory(received));
        }

        Assert.Equal(Request, buffer);
    }
}
