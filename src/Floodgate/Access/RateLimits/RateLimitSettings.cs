using Floodgate.Vocabulary;

namespace Floodgate.Access.RateLimits;

/// <summary>What a merchant of a tier may ask for in a minute; null is without limit.</summary>
public sealed record TierQuotas(long? Authorize, long? Capture, long? Refund);

/// <summary>How much each caller may ask for. All quotas are those of the whole installation, per minute.</summary>
public sealed record RateLimitSettings
{
    private const long PerMinuteMax = 10_000_000;

    /// <summary>Merchants of tier <c>standard</c>: 500 payments a second, with a quarter to spare at 400.</summary>
    public TierQuotas Standard { get; init; } = new(30_000, 30_000, 15_000);

    /// <summary>Merchants of tier <c>large</c>: room for 1,000 payments a second.</summary>
    public TierQuotas Large { get; init; } = new(70_000, 70_000, 35_000);

    /// <summary>Orders and top-ups of a user.</summary>
    public long? Orders { get; init; } = 60;

    /// <summary>A user's tickets for waiting rooms.</summary>
    public long? QueueJoins { get; init; } = 60;

    /// <summary>Sign-ups from an address.</summary>
    public long? SignUps { get; init; } = 60;

    /// <summary>Log-ins and refreshed sessions from an address.</summary>
    public long? LogIns { get; init; } = 300;

    /// <summary>Looks at tickets from an address: 500 who wait behind one, each once in 5 seconds.</summary>
    public long? QueuePolls { get; init; } = 6_000;

    /// <summary>Looks at the catalogue from an address.</summary>
    public long? CatalogueReads { get; init; } = 6_000;

    /// <summary>For how many seconds of a quota a bucket has room.</summary>
    public int BurstSeconds { get; init; } = 60;

    /// <summary>Nodes that serve routes; each counts for itself and lets through its part of a quota.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Buckets kept in memory, about 150 bytes each; full ones go first.</summary>
    public int BucketsMax { get; init; } = 100_000;

    /// <summary>How long a tier set on another node, or by another process, may go unnoticed here.</summary>
    public TimeSpan TierRefresh { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether limits of addresses hold for callers on this machine.</summary>
    public bool LimitsLoopback { get; init; } = true;

    /// <summary>Reads the settings of this module.</summary>
    public static RateLimitSettings Read(SettingsSource source)
    {
        var normal = new RateLimitSettings();
        return new()
        {
            Standard = ReadTier("Standard", normal.Standard, "of tier standard"),
            Large = ReadTier("Large", normal.Large, "of tier large"),
            Orders = PerMinute("User:OrdersPerMinute", normal.Orders, "Orders and top-ups of a user."),
            QueueJoins = PerMinute("User:QueueJoinsPerMinute", normal.QueueJoins, "A user's calls to join a queue."),
            SignUps = PerMinute("Address:SignUpsPerMinute", normal.SignUps, "Sign-ups from an address."),
            LogIns = PerMinute("Address:LogInsPerMinute", normal.LogIns, "Log-ins and refreshes from an address."),
            QueuePolls = PerMinute("Address:QueuePollsPerMinute", normal.QueuePolls,
                "Looks at tickets of waiting rooms from an address."),
            CatalogueReads = PerMinute("Address:CatalogueReadsPerMinute", normal.CatalogueReads,
                "Looks at the catalogue from an address."),
            BurstSeconds = source.Int("RateLimits:BurstSeconds", normal.BurstSeconds, 1, 600, "s",
                "For how many seconds of its quota a caller may be idle and then catch up at once."),
            Nodes = source.Int("RateLimits:Nodes", normal.Nodes, 1, 1_000, "nodes",
                "Nodes that serve routes: each counts for itself and lets through its part of every quota."),
            BucketsMax = source.Int("RateLimits:BucketsMax", normal.BucketsMax, 1_000, 10_000_000, "buckets",
                "Callers whose use is remembered; those who have used least are forgotten first."),
            TierRefresh = TimeSpan.FromSeconds(source.Int("RateLimits:TierRefreshSeconds",
                (int)normal.TierRefresh.TotalSeconds, 1, 3_600, "s",
                "How long a tier that was set on another node may go unnoticed on this one.")),
            LimitsLoopback = source.Flag("RateLimits:LimitsLoopback", normal.LimitsLoopback,
                "Whether limits of addresses hold for callers on this machine."),
        };

        TierQuotas ReadTier(string tier, TierQuotas quotas, string whose) => new(
            PerMinute($"{tier}:AuthorizePerMinute", quotas.Authorize, $"Payments, and orders by key, {whose}."),
            PerMinute($"{tier}:CapturePerMinute", quotas.Capture, $"Captures {whose}."),
            PerMinute($"{tier}:RefundPerMinute", quotas.Refund, $"Refunds and voids {whose}."));

        long? PerMinute(string name, long? fallback, string meaning) => source.LongOrOff(
            $"RateLimits:{name}", fallback, 1, PerMinuteMax, "requests/min", $"{meaning} off: not limited.");
    }
}
