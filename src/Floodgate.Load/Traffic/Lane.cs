using System.Net.Sockets;

namespace Floodgate.Load.Traffic;

/// <summary>
/// One connection with its own counters: carries offers one at a time. Counters have one writer (whoever drives the
/// lane) and may be read meanwhile.
/// </summary>
internal sealed class Lane(HttpConnection connection, Workload workload, OfferBook? book, TimeProvider time)
{
    private readonly byte[] request = new byte[workload.RequestBytesMax];
    private int unbookedNumber;

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
    /// Offers one payment and notes its outcome; false when the connection failed. Its latency counts from
    /// <paramref name="scheduled"/>. Errors have no latency: how fast something broke is not how fast it works.
    /// </summary>
    public async ValueTask<bool> CarryAsync(long scheduled)
    {
        var number = book?.Take() ?? unbookedNumber++;
        var length = workload.Write(number, request);
        PacingError.Record(Micros(scheduled));
        try
        {
            var reply = await connection.ExchangeAsync(request.AsMemory(0, length));
            Latency.Record(Micros(scheduled));
            Note(number, reply);
            return true;
        }
        catch (Exception broken) when (
            broken is SocketException or IOException or ObjectDisposedException or HttpReplyException)
        {
            Statuses[0]++;
            Settle(number, OfferOutcome.Error, default);
            return false;
        }
    }

    private void Note(int number, HttpReply reply)
    {
        Statuses[Math.Clamp(reply.Status, 0, Statuses.Length - 1)]++;
        if (reply.Status is 200 or 202)
        {
            var id = Guid.Empty;
            var named = book is null || Workload.TryReadId(connection.Body(reply), out id);
            Settle(number, named ? OfferOutcome.Accepted : OfferOutcome.Error, id);
        }
        else
        {
            var refused = reply.Status is (>= 400 and < 500) or 503;
            Settle(number, refused ? OfferOutcome.Refused : OfferOutcome.Error, default);
        }
    }

    private void Settle(int number, OfferOutcome outcome, Guid id)
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

        if (book is not null)
        {
            book[number] = new Offer { Id = id, Outcome = outcome };
        }
    }

    private long Micros(long since) => time.GetElapsedTime(since).Ticks / TimeSpan.TicksPerMicrosecond;
}
