using System.Net.Sockets;

namespace Floodgate.Load.Traffic;

/// <summary>
/// One connection with its own counters: carries offers one at a time. Counters have one writer (whoever drives the
/// lane) and may be read meanwhile.
/// </summary>
internal sealed class Lane(HttpConnection connection, ITraffic traffic, TimeProvider time)
{
    private readonly byte[] request = new byte[traffic.RequestBytesMax];

    /// <summary>Answered requests by their latency from the scheduled moment.</summary>
    public Histogram Latency { get; } = new();

    /// <summary>How much later than scheduled each request was handed to the network.</summary>
    public Histogram PacingError { get; } = new();

    /// <summary>Answers by HTTP status; index 0 counts those that never came.</summary>
    public long[] Statuses { get; } = new long[600];

    /// <summary>Offers accepted.</summary>
    public long Accepted { get; private set; }

    /// <summary>Offers refused.</summary>
    public long Refused { get; private set; }

    /// <summary>Offers whose fate the answer leaves open.</summary>
    public long Errors { get; private set; }

    /// <summary>The connection, to open it before the start and to watch over it.</summary>
    public HttpConnection Connection => connection;

    /// <summary>
    /// Offers one request and notes its outcome; false when the connection failed. Its latency counts from
    /// <paramref name="scheduled"/>. Errors have no latency: how fast something broke is not how fast it works.
    /// </summary>
    public ValueTask<bool> CarryAsync(long scheduled) => CarryAsync(scheduled, traffic.Take());

    /// <summary>The same for a request whose number is known.</summary>
    public async ValueTask<bool> CarryAsync(long scheduled, int number)
    {
        var length = traffic.Write(number, request);
        PacingError.Record(Micros(scheduled));
        try
        {
            var reply = await connection.ExchangeAsync(request.AsMemory(0, length));
            Latency.Record(Micros(scheduled));
            Statuses[Math.Clamp(reply.Status, 0, Statuses.Length - 1)]++;
            Count(traffic.Judge(number, reply.Status, connection.Body(reply)));
            return true;
        }
        catch (Exception broken) when (
            broken is SocketException or IOException or ObjectDisposedException or HttpReplyException)
        {
            Statuses[0]++;
            traffic.Lost(number);
            Count(OfferOutcome.Error);
            return false;
        }
    }

    private void Count(OfferOutcome outcome)
    {
        switch (outcome)
        {
            case OfferOutcome.Accepted:
                Accepted++;
                break;
            case OfferOutcome.Refused:
                Refused++;
                break;
            default:
                Errors++;
                break;
        }
    }

    private long Micros(long since) => time.GetElapsedTime(since).Ticks / TimeSpan.TicksPerMicrosecond;
}
