using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Floodgate.Tests.Storage;

/// <summary>
/// A TCP line between the program and its PostgreSQL that a test can cut: for all, or only for the answer to a
/// statement, so that the statement has its effect and nobody is told.
/// </summary>
public sealed class CutWire : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, port: 0);
    private readonly int serverPort;
    private readonly List<TcpClient> ends = [];
    private readonly Task accepting;
    private volatile bool isCut;
    private volatile byte[]? lastWords;

    /// <summary>A line to the server on this port of 127.0.0.1.</summary>
    public CutWire(int serverPort)
    {
        this.serverPort = serverPort;
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Breaks every connection, and each new one until <see cref="Mend"/>.</summary>
    public void Cut()
    {
        isCut = true;
        lock (ends)
        {
            ends.ForEach(end => end.Dispose());
            ends.Clear();
        }
    }

    /// <summary>Lets new connections through.</summary>
    public void Mend() => isCut = false;

    /// <summary>Breaks the line once, as soon as the server has answered a message with this text.</summary>
    public void CutAnswerTo(string text) => lastWords = Encoding.UTF8.GetBytes(text);

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        Cut();
        await accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task CarryAsync(TcpClient program)
    {
        using var server = new TcpClient();
        using (program)
        {
            lock (ends)
            {
                if (isCut)
                {
                    return;
                }

                ends.AddRange([program, server]);
            }

            try
            {
                await server.ConnectAsync(IPAddress.Loopback, serverPort);
                var talk = new Talk();
                await Task.WhenAny(
                    CopyAsync(program, server, bytes => talk.IsLast |= Ends(bytes)),
                    CopyAsync(server, program, _ => talk.IsOver = talk.IsLast, talk));
            }
            catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
            {
                // Cut: that is what it is for.
            }
        }
    }

    private bool Ends(ReadOnlySpan<byte> bytes)
    {
        if (lastWords is not { } words || bytes.IndexOf(words) < 0)
        {
            return false;
        }

        lastWords = null;
        return true;
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, SpanAction see, Talk? talk = null)
    {
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await from.GetStream().ReadAsync(buffer)) > 0)
        {
            see(buffer.AsSpan(0, count));
            if (talk is { IsOver: true })
            {
                return; // The answer was there and is not passed on; both ends are closed.
            }

            await to.GetStream().WriteAsync(buffer.AsMemory(0, count));
        }
    }

    private delegate void SpanAction(ReadOnlySpan<byte> bytes);

    private sealed class Talk
    {
        public volatile bool IsLast;
        public volatile bool IsOver;
    }
}
