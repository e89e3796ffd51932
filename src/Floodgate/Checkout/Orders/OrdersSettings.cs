using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>The limits of orders.</summary>
public sealed record OrdersSettings
{
    /// <summary>How long a hold lasts without payment, in seconds (1 to 86,400; default 300).</summary>
    public int HoldSeconds { get; init; } = 300;

    /// <summary>
    /// How long a payment may take before the order expires, in seconds (1 to 86,400; default 300).
    /// </summary>
    public int PaymentSeconds { get; init; } = 300;

    /// <summary>Lines of a basket (1 to 100; default 20).</summary>
    public int LinesMax { get; init; } = 20;

    /// <summary>Units or seats of a line (1 to 10,000; default 100).</summary>
    public int QuantityMax { get; init; } = 100;

    /// <summary>
    /// Orders that may wait to be decided; one more is answered 503 (100 to 1,000,000; default 20,000).
    /// </summary>
    public int QueueMax { get; init; } = 20_000;

    /// <summary>Orders decided in one transaction (1 to 10,000; default 500).</summary>
    public int BatchMax { get; init; } = 500;

    /// <summary>
    /// How long an order waits for an unavailable database before it is refused, in ms (100 to 60,000; default 5,000).
    /// </summary>
    public int GiveUpMs { get; init; } = 5_000;

    /// <summary>How often expired orders are looked for, in ms (10 to 10,000; default 1,000).</summary>
    public int SweepMs { get; init; } = 1_000;

    /// <summary>The longest <c>Prefer: wait</c>, in seconds (1 to 300; default 60).</summary>
    public int WaitSecondsMax { get; init; } = 60;

    /// <summary>Event streams open at once (1 to 1,000,000; default 10,000).</summary>
    public int StreamsMax { get; init; } = 10_000;

    /// <summary>Reads the settings under <c>Orders:</c>.</summary>
    public static OrdersSettings Read(SettingsSource source) => new()
    {
        HoldSeconds = source.Int("Orders:HoldSeconds", 300, 1, 86_400, "seconds",
            "How long a hold lasts without payment."),
        PaymentSeconds = source.Int("Orders:PaymentSeconds", 300, 1, 86_400, "seconds",
            "How long a payment may take before the order expires."),
        LinesMax = source.Int("Orders:LinesMax", 20, 1, 100, "lines", "Lines of a basket."),
        QuantityMax = source.Int("Orders:QuantityMax", 100, 1, 10_000, "units", "Units or seats of a line."),
        QueueMax = source.Int("Orders:QueueMax", 20_000, 100, 1_000_000, "orders",
            "Orders that may wait to be decided; one more is answered 503."),
        BatchMax = source.Int("Orders:BatchMax", 500, 1, 10_000, "orders", "Orders decided in one transaction."),
        GiveUpMs = source.Int("Orders:GiveUpMs", 5_000, 100, 60_000, "ms",
            "How long an order waits for an unavailable database before it is refused."),
        SweepMs = source.Int("Orders:SweepMs", 1_000, 10, 10_000, "ms", "How often expired orders are looked for."),
        WaitSecondsMax = source.Int("Orders:WaitSecondsMax", 60, 1, 300, "seconds", "The longest Prefer: wait."),
        StreamsMax = source.Int("Orders:StreamsMax", 10_000, 1, 1_000_000, "streams", "Event streams open at once."),
    };
}
