using Floodgate.Load.Traffic;

namespace Floodgate.Load.Reports;

/// <summary>What lanes counted, as reports show it.</summary>
internal static class LaneFacts
{
    private static readonly double[] CurvePercents =
    [
        0, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99,
        99.3, 99.5, 99.7, 99.8, 99.9, 99.95, 99.97, 99.99, 99.995, 99.999, 100,
    ];

    /// <summary>Of a closed loop.</summary>
    public static LoadFacts Closed(Lanes lanes, TimeSpan took) =>
        Of(lanes, "closed", null, lanes.Sum().Offered, took);

    /// <summary>Of an open loop at this rate.</summary>
    public static LoadFacts Open(Lanes lanes, int ratePerSecond, LoopResult done, TimeSpan took) =>
        Of(lanes, "open", ratePerSecond, done.Arrivals, took) with
        {
            PacingError = lanes.PacingErrors(),
            Waited = done.Waited,
        };

    /// <summary>Points of the latency curve.</summary>
    public static IReadOnlyList<PercentilePoint> Curve(Histogram latency) =>
        [.. CurvePercents.Select(p => new PercentilePoint(p, latency.PercentileMicros(p)))];

    private static LoadFacts Of(Lanes lanes, string loop, int? ratePerSecond, long arrivals, TimeSpan took)
    {
        var sum = lanes.Sum();
        return new LoadFacts(
            loop,
            ratePerSecond,
            lanes.All.Count,
            1,
            took.TotalSeconds,
            arrivals,
            sum.Offered,
            sum.Accepted,
            sum.Refused,
            sum.Errors,
            sum.Dropped)
        {
            Latency = sum.Latency.Summary(),
            Statuses = lanes.Statuses(),
            Percentiles = Curve(sum.Latency),
        };
    }
}
