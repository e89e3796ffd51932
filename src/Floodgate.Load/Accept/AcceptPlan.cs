namespace Floodgate.Load.Accept;

/// <summary>What <c>accept</c> was asked to do; see the options of <see cref="AcceptCommand"/>.</summary>
internal sealed record AcceptPlan : LoopPlan
{
    /// <summary>Arrivals per second when none are given.</summary>
    public const int RateDefault = 500;

    /// <summary>With all defaults.</summary>
    public AcceptPlan() => RatePerSecond = RateDefault;

    /// <summary>Merchants to create and spread payments over; 1 = use the given key.</summary>
    public int Merchants { get; init; } = 1;

    /// <summary>Different users; 0 = each payment has its own.</summary>
    public int Users { get; init; }

    /// <summary>Stored payments at which to measure the cost; empty = no curve.</summary>
    public IReadOnlyList<int> Curve { get; init; } = [];

    /// <summary>Payments measured at each point of the curve.</summary>
    public int CurveSample { get; init; } = 20_000;

    /// <summary>The outage begins so many seconds into the load; null = no outage.</summary>
    public int? OutageAt { get; init; }

    /// <summary>How long the outage lasts.</summary>
    public int OutageSeconds { get; init; } = 30;

    /// <summary>Wait after the load until every accepted payment is final.</summary>
    public bool WaitFinal { get; init; } = true;

    /// <summary>The connections to use.</summary>
    public int ConnectionsUsed => Connections ?? (Closed || Curve.Count > 0 ? 64 : 256);
}
