using System.Diagnostics.Metrics;

namespace Floodgate.Access.RateLimits;

/// <summary>What rate limits count. No merchants, users or addresses: the number of them has no bound.</summary>
internal static class RateLimitLog
{
    private static readonly Meter Meter = new("Floodgate");

    private static readonly Counter<long> Refused = Meter.CreateCounter<long>(
        "floodgate_rate_limited_total", null, "Requests refused with 429 by the quota they were over.");

    private static readonly Counter<long> Guarded = Meter.CreateCounter<long>(
        "floodgate_rate_limit_guarded_total", null,
        "Requests that this node decided by itself because Redis was away.");

    public static void CountGuarded() => Guarded.Add(1);

    public static void Count(string quota) => Refused.Add(1, new KeyValuePair<string, object?>("quota", quota));
}
