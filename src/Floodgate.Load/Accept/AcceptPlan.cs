namespace Floodgate.Load.Accept;

/// <summary>What <c>accept</c> was asked to do; see the options of <see cref="AcceptCommand"/>.</summary>
internal sealed record AcceptPlan
{
    /// <summary>True = closed loop, false = open loop.</summary>
    public bool Closed { get; init; }

    /// <summary>Open loop: arrivals per second.</summary>
    public int RatePerSecond { get; init; } = 500;

    /// <summary>How long the load lasts, in seconds.</summary>
    public int Seconds { get; init; } = 10;

    /// <summary>Closed loop: ends after this many; null = after <see cref="Seconds"/>.</summary>
    public int? Count { get; init; }

    /// <summary>Connections; null = 64 in a closed loop, 256 in an open one.</summary>
    public int? Connections { get; init; }

    /// <summary>Merchants to create and spread payments over; 1 = use the given key.</summary>
    public int Merchants { get; init; } = 1;

    /// <summary>Different users; 0 = each payment has its own.</summary>
    public int Users { get; init; }

    /// <summary>Payments sent before the measured load.</summary>
    public int WarmUp { get; init; }

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

    /// <summary>The longest wait for that, in seconds.</summary>
    public int DrainSeconds { get; init; } = 300;

    /// <summary>Seconds of the no-op loop before and after; 0 = none.</summary>
    public int NoOpSeconds { get; init; } = 3;

    /// <summary>An arrival that waits longer for a free connection is dropped; open loop only.</summary>
    public int LateMsMax { get; init; } = 1000;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;

    /// <summary>The connections to use.</summary>
    public int ConnectionsUsed => Connections ?? (Closed || Curve.Count > 0 ? 64 : 256);
}
