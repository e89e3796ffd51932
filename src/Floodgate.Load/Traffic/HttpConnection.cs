using System.Net;
using System.Net.Sockets;

namespace Floodgate.Load.Traffic;

/// <summary>
/// One keep-alive HTTP/1.1 connection that carries one request at a time. It is written by hand because the load
/// tool shares the cores with the server: what the client burns is missing in the measurement.
/// Not for several callers at once; only <see cref="AbortIfSentBefore"/> may come from another thread.
/// </summary>
internal sealed class HttpConnection(EndPoint server, TimeProvider time) : IDisposable
{
    /// <summary>Connections idle for longer are opened anew: servers close idle ones (Kestrel after 130 s).</summary>
    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(60);

    private const int ReplyBytesMax = 16 * 1024 * 1024;

    private byte[] received = new byte[4096];
    private Socket? socket;
    private long lastUsed;
    private long sentAt = long.MaxValue;

    /// <summary>The body of the last answer; valid until the next exchange.</summary>
    public ReadOnlySpan<byte> Body(HttpReply reply) => received.AsSpan(reply.BodyStart, reply.BodyLength);

    /// <summary>Opens the connection unless it is open, so that the first request does not pay for it.</summary>
    public async ValueTask ConnectAsync(CancellationToken cancel)
    {
        if (socket is not null)
        {
            return;
        }

        var opened = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await opened.ConnectAsync(server, cancel);
            lastUsed = time.GetTimestamp();
            socket = opened;
        }
        finally
        {
            if (socket is null)
            {
                opened.Dispose();
            }
        }
    }

    /// <summary>
    /// Sends one whole request and reads its answer. When the connection is open, the sending is done before this
    /// returns to its caller, on the caller's thread: the pacing thread sends at the moment it decides to.
    /// </summary>
    /// <exception cref="IOException">The server closed the connection; whether it acted is not known.</exception>
    /// <exception cref="SocketException">The connection broke or could not be opened.</exception>
    public async ValueTask<HttpReply> ExchangeAsync(ReadOnlyMemory<byte> request)
    {
        var reusable = false;
        try
        {
            if (socket is not null && time.GetElapsedTime(lastUsed) > IdleMax)
            {
                Close();
            }

            if (socket is null)
            {
                await ConnectAsync(CancellationToken.None);
            }

            Volatile.Write(ref sentAt, time.GetTimestamp());
            for (var rest = request; rest.Length > 0;)
            {
                rest = rest[await socket!.SendAsync(rest, SocketFlags.None)..];
            }

            var reply = await ReceiveAsync(socket!);
            Volatile.Write(ref sentAt, long.MaxValue);
            lastUsed = time.GetTimestamp();
            reusable = reply.KeepAlive;
            return reply;
        }
        finally
        {
            // After a failure too: bytes of a late answer must never be read as the answer of the next request.
            if (!reusable)
            {
                Close();
            }
        }
    }

    /// <summary>
    /// Breaks the exchange under way if its request was sent before this timestamp: it took too long.
    /// </summary>
    public void AbortIfSentBefore(long timestamp)
    {
        if (Volatile.Read(ref sentAt) < timestamp)
        {
            socket?.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Close();

    private async ValueTask<HttpReply> ReceiveAsync(Socket open)
    {
        var filled = 0;
        while (true)
        {
            var bytes = await open.ReceiveAsync(received.AsMemory(filled), SocketFlags.None);
            if (bytes == 0)
            {
                throw new IOException("The server closed the connection before it answered.");
            }

            filled += bytes;
            if (HttpReplyReader.TryRead(received.AsSpan(0, filled), out var reply))
            {
                return reply;
            }

            if (filled == received.Length)
            {
                if (filled >= ReplyBytesMax)
                {
                    throw new HttpReplyException($"The answer is longer than {ReplyBytesMax} bytes.");
                }

                Array.Resize(ref received, filled * 2);
            }
        }
    }

    private void Close()
    {
        Volatile.Write(ref sentAt, long.MaxValue);
        socket?.Dispose();
        socket = null;
    }
}
