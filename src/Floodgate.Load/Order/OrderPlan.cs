namespace Floodgate.Load.Order;

/// <summary>What <c>order</c> was asked to do; see the options of <see cref="OrderCommand"/>.</summary>
internal sealed record OrderPlan : LoopPlan
{
    /// <summary>Orders per second when none are given.</summary>
    public const int RateDefault = 200;

    /// <summary>What buyers do repeats after so many orders.</summary>
    public const int KindsEvery = 20;

    /// <summary>With all defaults.</summary>
    public OrderPlan() => RatePerSecond = RateDefault;

    /// <summary>True when buyers pay from their wallets, false through the gateway.</summary>
    public bool ByWallet { get; init; }

    /// <summary>Buyers with a filled wallet.</summary>
    public int Wallets { get; init; } = 1_000;

    /// <summary>Products over which the orders are spread.</summary>
    public int Products { get; init; } = 20;

    /// <summary>With declines, abandoned holds, cancellations, repeats and double payments.</summary>
    public bool Mixed { get; init; }

    /// <summary>The share of orders whose buyer waits for the final state, in percent.</summary>
    public int WaitPercent { get; init; } = 2;

    /// <summary>A database on which the same work is done row by row; null = none.</summary>
    public string? YardstickPostgres { get; init; }

    /// <summary>Seconds of that.</summary>
    public int YardstickSeconds { get; init; } = 5;

    /// <summary>The connections of those who do not wait.</summary>
    public int ConnectionsUsed => Connections ?? (Closed ? 64 : 256);

    /// <summary>Orders per second of those who wait; in an open loop.</summary>
    public int WaitRate => WaitPercent == 0 ? 0 : Math.Max(1, RatePerSecond * WaitPercent / 100);

    /// <summary>The connections of those who wait.</summary>
    public int WaitConnections => WaitPercent == 0 ? 0
        : Closed ? Math.Max(1, ConnectionsUsed * WaitPercent / 100)
        : Math.Clamp(WaitRate * 2, 8, 1024);

    /// <summary>Orders at most, to fill the wallets enough.</summary>
    public long OrdersMax => Count ?? ((Closed ? 20_000L : RatePerSecond) * Seconds);

    /// <summary>
    /// Users of the platform in a mixed run: a twentieth of the orders is theirs, and each may place one a second.
    /// </summary>
    public int PlatformUsers => Closed ? 64 : Math.Clamp(RatePerSecond / 16, 8, 256);

    /// <summary>What happens to order number <paramref name="number"/>.</summary>
    public OrderKind KindOf(int number) => !Mixed ? OrderKind.Plain : (number % KindsEvery) switch
    {
        0 => OrderKind.WithoutCover,
        1 => OrderKind.Abandoned,
        2 => OrderKind.Cancelled,
        3 => OrderKind.PaidTwice,
        6 => OrderKind.Repeated,
        7 => OrderKind.PartlyCancelled,
        _ => OrderKind.Plain,
    };
}

/// <summary>What a buyer does.</summary>
internal enum OrderKind
{
    /// <summary>Orders and pays.</summary>
    Plain,

    /// <summary>Pays from an empty wallet.</summary>
    WithoutCover,

    /// <summary>Never pays.</summary>
    Abandoned,

    /// <summary>Cancels everything once it is confirmed.</summary>
    Cancelled,

    /// <summary>Orders, then asks for payment twice at once.</summary>
    PaidTwice,

    /// <summary>Sends the request of the order before a second time, with its key.</summary>
    Repeated,

    /// <summary>A user of the platform who buys of two merchants and cancels what one of them sold.</summary>
    PartlyCancelled,
}
