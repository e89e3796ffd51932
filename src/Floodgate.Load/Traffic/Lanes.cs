using System.Net;
using System.Net.Sockets;

namespace Floodgate.Load.Traffic;

/// <summary>Where lanes lead and what they carry.</summary>
/// <param name="Server">The address to connect to.</param>
/// <param name="Traffic">The requests.</param>
/// <param name="Timeout">An answer that takes longer counts as an error.</param>
internal sealed record LanePlan(EndPoint Server, ITraffic Traffic, TimeSpan Timeout);

/// <summary>What the lanes counted up to a moment.</summary>
internal sealed record Tally(long Accepted, long Refused, long Errors, long Dropped, Histogram Latency)
{
    /// <summary>Requests that were sent and settled in one way or another.</summary>
    public long Offered => Accepted + Refused + Errors;
}

/// <summary>
/// The lanes of one run: opened together, watched for answers that never come, summed up at any time.
/// </summary>
internal sealed class Lanes : IAsyncDisposable
{
    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(1);
    private readonly Lane[] lanes;
    private readonly ITimer watch;

    private Lanes(Lane[] lanes, LanePlan plan, TimeProvider time)
    {
        this.lanes = lanes;
        watch = time.CreateTimer(_ => Abort(plan.Timeout, time), null, WatchEvery, WatchEvery);
    }

    /// <summary>All lanes.</summary>
    public IReadOnlyList<Lane> All => lanes;

    /// <summary>Set by an open loop: how many arrivals it has dropped so far.</summary>
    public Func<long> Dropped { get; set; } = static () => 0;

    /// <summary>Opens all connections before the first request is sent.</summary>
    /// <exception cref="SocketException">The server does not listen.</exception>
    public static async Task<Lanes> OpenAsync(
        LanePlan plan, int connections, TimeProvider time, CancellationToken cancel)
    {
        var lanes = new Lane[connections];
        for (var i = 0; i < connections; i++)
        {
            lanes[i] = new Lane(new HttpConnection(plan.Server, time), plan.Traffic, time);
            await lanes[i].Connection.ConnectAsync(cancel);
        }

        return new Lanes(lanes, plan, time);
    }

    /// <summary>
    /// The sums so far. Lanes go on meanwhile, so sums of two counters may differ by what is in flight.
    /// </summary>
    public Tally Sum()
    {
        var latency = new Histogram();
        long accepted = 0, refused = 0, errors = 0;
        foreach (var lane in lanes)
        {
            accepted += lane.Accepted;
            refused += lane.Refused;
            errors += lane.Errors;
            latency.Merge(lane.Latency);
        }

        return new Tally(accepted, refused, errors, Dropped(), latency);
    }

    /// <summary>How late requests were handed to the network.</summary>
    public LatencySummary PacingErrors()
    {
        var all = new Histogram();
        foreach (var lane in lanes)
        {
            all.Merge(lane.PacingError);
        }

        return all.Summary();
    }

    /// <summary>Answers by status; 0 = the connection failed or the answer took too long.</summary>
    public IReadOnlyList<StatusCount> Statuses() =>
    [
        .. Enumerable.Range(0, lanes[0].Statuses.Length)
            .Select(status => new StatusCount(status, lanes.Sum(lane => lane.Statuses[status])))
            .Where(status => status.Count > 0),
    ];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await watch.DisposeAsync();
        foreach (var lane in lanes)
        {
            lane.Connection.Dispose();
        }
    }

    private void Abort(TimeSpan timeout, TimeProvider time)
    {
        var oldest = time.GetTimestamp() - (long)(timeout.TotalSeconds * time.TimestampFrequency);
        foreach (var lane in lanes)
        {
            lane.Connection.AbortIfSentBefore(oldest);
        }
    }
}

/// <summary>How many answers had one HTTP status; 0 = no answer.</summary>
internal sealed record StatusCount(int Status, long Count);
