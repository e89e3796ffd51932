using System.Net;
using System.Net.Sockets;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Queue;

/// <summary>
/// Many open streams of tickets. Each push ends with an empty line, so nothing is read but line ends: what reading the
/// JSON would cost is missing in the measurement.
/// </summary>
internal sealed class TicketStreams(Session session, OfferBook joins) : IDisposable
{
    private const int OpensAtOnce = 64;
    private const int BufferBytes = 1024;

    /// <summary>Linux has some 28,000 ports for connections from one address to one other.</summary>
    private const int StreamsPerAddress = 20_000;

    private readonly RequestTemplate template = QueueRequests.Listen(session);
    private readonly List<Socket> sockets = [];
    private readonly Lock gate = new();

    // Under the gate.
    private readonly Histogram gaps = new();
    private long pushes;
    private long broken;
    private bool isMeasuring;

    /// <summary>Pushes, and the time between two of them of one stream, since <see cref="Begin"/>.</summary>
    public (long Pushes, LatencySummary Gaps, long Broken) Seen
    {
        get
        {
            lock (gate)
            {
                return (pushes, gaps.Summary(), broken);
            }
        }
    }

    /// <summary>Opens the streams of the first tickets; returns when each has its first push.</summary>
    public async Task OpenAsync(int count, CancellationToken cancel)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = OpensAtOnce, CancellationToken = cancel };
        try
        {
            await Parallel.ForAsync(0, count, options, async (i, stop) =>
            {
                var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _ = ListenAsync(await SendAsync(i, stop), first);
                await first.Task.WaitAsync(stop);
            });
        }
        catch (SocketException full) when (full.SocketErrorCode == SocketError.TooManyOpenSockets)
        {
            throw new CannotRunException(
                $"Only {sockets.Count} streams could be opened: {full.Message}. Raise the limit (ulimit -n) or lower "
                    + "--streams.");
        }
    }

    /// <summary>Pushes count from here.</summary>
    public void Begin()
    {
        lock (gate)
        {
            isMeasuring = true;
        }
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isMeasuring = false;
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private async Task<Socket> SendAsync(int number, CancellationToken cancel)
    {
        var socket = new Socket(session.EndPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        lock (gate)
        {
            sockets.Add(socket);
        }

        if (number >= StreamsPerAddress && session.EndPoint is IPEndPoint { Address: var server }
            && IPAddress.IsLoopback(server))
        {
            socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)(1 + (number / StreamsPerAddress))]), 0));
        }

        await socket.ConnectAsync(session.EndPoint, cancel);
        var request = new byte[template.BytesMax];
        var length = template.Write(request, new RequestValues { Ids = [joins[number].Id] });
        await socket.SendAsync(request.AsMemory(0, length), cancel);
        return socket;
    }

    private async Task ListenAsync(Socket socket, TaskCompletionSource first)
    {
        var buffer = new byte[BufferBytes];
        var (last, lastAt) = ((byte)0, 0L);
        try
        {
            while (await socket.ReceiveAsync(buffer, SocketFlags.None) is > 0 and var bytes)
            {
                foreach (var one in buffer.AsSpan(0, bytes))
                {
                    if (one == '\n' && last == '\n')
                    {
                        lastAt = Note(lastAt);
                        first.TrySetResult();
                    }

                    last = one;
                }
            }

            NoteBroken();
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            NoteBroken();
        }

        first.TrySetException(new CannotRunException("A stream ended before its first push."));
    }

    private long Note(long lastAt)
    {
        var now = session.Time.GetTimestamp();
        lock (gate)
        {
            if (isMeasuring)
            {
                pushes++;
                gaps.Record(session.Time.GetElapsedTime(lastAt, now).Ticks / TimeSpan.TicksPerMicrosecond);
            }
        }

        return now;
    }

    private void NoteBroken()
    {
        lock (gate)
        {
            broken += isMeasuring ? 1 : 0;
        }
    }
}
