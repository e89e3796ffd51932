using Floodgate.Load.Target;

namespace Floodgate.Load.Hold;

/// <summary>What <c>hold</c> was asked to do; see the options of <see cref="HoldCommand"/>.</summary>
internal sealed record HoldPlan
{
    /// <summary>Buyers who want the same product at once, one order each.</summary>
    public int Buyers { get; init; } = 10_000;

    /// <summary>Units of the product, unless it has seats.</summary>
    public int Units { get; init; } = 1_000;

    /// <summary>Seats instead of units.</summary>
    public SeatBlock? Seats { get; init; }

    /// <summary>Seats or units of each order; with seats, the best available. 0 = each buyer names a seat.</summary>
    public int BestAvailable { get; init; }

    /// <summary>Every buyer asks again and again until nothing is left.</summary>
    public bool UntilSoldOut { get; init; }

    /// <summary>Connections; null = 64, or one for each buyer who asks again and again.</summary>
    public int? Connections { get; init; }

    /// <summary>How often the crowd comes, each time for a product of its own.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Crowds before the measured ones.</summary>
    public int WarmUp { get; init; }

    /// <summary>Seconds of the no-op loop before and after; 0 = none.</summary>
    public int NoOpSeconds { get; init; } = 3;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;

    /// <summary>A database on which other designs do the same work; null = none.</summary>
    public string? YardstickPostgres { get; init; }

    /// <summary>A Redis server for the design with a lock in Redis; null = none.</summary>
    public string? YardstickRedis { get; init; }

    /// <summary>Seconds of each of these.</summary>
    public int YardstickSeconds { get; init; } = 5;

    /// <summary>The product of each crowd.</summary>
    public ProductSpec Product => new(Units, Seats);

    /// <summary>Units of one order.</summary>
    public int PerOrder => Math.Max(1, BestAvailable);

    /// <summary>The connections to use.</summary>
    public int ConnectionsUsed => Connections ?? (UntilSoldOut ? Buyers : Math.Min(Buyers, 64));

    /// <summary>The units that must be held in the end.</summary>
    public long Expected => UntilSoldOut
        ? Product.Capacity - (Product.Capacity % PerOrder)
        : Math.Min(Product.Capacity - (Product.Capacity % PerOrder), (long)Buyers * PerOrder);
}
