namespace Floodgate.Load.Reports;

/// <summary>The goals of the commands about the sale; their figures are found by name.</summary>
internal static class SaleGoals
{
    private static readonly Goal Dropped = new(
        "--expect-dropped", "arrivals dropped at most", true, r => r.Load?.Dropped);

    private static readonly Goal Errors = new(
        "--expect-errors", "requests without an answer at most", true, r => r.Load?.Errors);

    private static readonly Goal OtherDesigns = new(
        "--expect-designs",
        "at least so many times as fast as the fastest other design",
        false,
        r => r.Designs.Count > 0 ? r.Designs.Min(design => design.Ratio) : null);

    private static readonly Goal Overtaken = new(
        "--expect-overtaken", "buyers who were overtaken at most", true, r => r.Of(FigureNames.Overtaken));

    private static readonly Goal NoOpRatio = new(
        "--expect-ratio", "share of the no-op rate at least, 0 to 1", false, r => r.NoOpRatio);

    /// <summary>Goals of <c>hold</c>.</summary>
    public static IReadOnlyList<Goal> OfHold { get; } =
    [
        Rate("--expect-rate", "holds decided per second at least", FigureNames.HoldsPerSecond),
        Latency("--expect-p99-ms", "99th percentile of latency", r => r.Load?.Latency.P99Micros),
        new("--expect-refused-share", "share of offers refused at most", true, r => r.Of(FigureNames.RefusedShare)),
        NoOpRatio,
        OtherDesigns,
        new(
            "--expect-lock",
            "at least so many times as fast as the lock in Redis",
            false,
            r => r.Designs.FirstOrDefault(design => design.Design.Contains("Redis"))?.Ratio),
        Errors,
    ];

    /// <summary>Goals of <c>order</c>.</summary>
    public static IReadOnlyList<Goal> OfOrder { get; } =
    [
        Rate("--expect-rate", "orders made final per second at least", FigureNames.FinalPerSecond),
        Latency("--expect-p95-ms", "95th percentile of intake latency", r => r.Load?.Latency.P95Micros),
        Latency("--expect-p99-ms", "99th percentile of intake latency", r => r.Load?.Latency.P99Micros),
        Latency("--expect-final-p95-ms", "95th percentile of the time to the final state", r =>
            r.Of(FigureNames.FinalP95)),
        new(
            "--expect-success",
            "share of payable orders that are confirmed at least, 0 to 1",
            false,
            r => r.Of(FigureNames.PayableConfirmed)),
        OtherDesigns,
        Dropped,
        Errors,
    ];

    /// <summary>Goals of <c>queue</c>.</summary>
    public static IReadOnlyList<Goal> OfQueue { get; } =
    [
        Rate("--expect-rate", "joins per second at least", FigureNames.JoinsPerSecond),
        NoOpRatio,
        Overtaken,
        Latency("--expect-p99-ms", "99th percentile of the latency of joins", r => r.Load?.Latency.P99Micros),
        new(
            "--expect-push-seconds",
            "99th percentile of the time between two pushes at most, in seconds",
            true,
            r => r.Of(FigureNames.PushP99) / 1e6),
        new(
            "--expect-waiter-bytes",
            "server memory for each who waits at most, in bytes",
            true,
            r => r.Of(FigureNames.BytesPerWaiter)),
        Errors,
    ];

    /// <summary>Goals of <c>browse</c>.</summary>
    public static IReadOnlyList<Goal> OfBrowse { get; } =
    [
        new("--expect-ratio", "cached pages as a share of the no-op rate at least", false, r =>
            r.Of(FigureNames.CachedToNoOp)),
        new("--expect-speed-up", "cached pages at least so many times the uncached rate", false, r =>
            r.Of(FigureNames.CachedToUncached)),
        Latency("--expect-mean-ms", "mean latency of cached pages", r => r.Of(FigureNames.CachedMean)),
        Rate("--expect-rate", "cached pages per second at least", FigureNames.CachedPerSecond),
    ];

    /// <summary>Goals of <c>rush</c>.</summary>
    public static IReadOnlyList<Goal> OfRush { get; } =
    [
        new("--expect-sold", "seats sold at least", false, r => r.Of(FigureNames.Sold)),
        Overtaken,
        new("--expect-seconds", "seconds from the opening to the end at most", true, r => r.Of(
            FigureNames.RushSeconds)),
        Latency("--expect-p99-ms", "99th percentile of latency over all requests", r => r.Load?.Latency.P99Micros),
        Errors,
    ];

    /// <summary>Goals of <c>settle</c>.</summary>
    public static IReadOnlyList<Goal> OfSettle { get; } =
    [
        new("--expect-seconds", "from the request to the settled day at most, in seconds", true, r =>
            r.Of(FigureNames.SettleSeconds)),
        new("--expect-raw-ratio", "at most so many times as long as one raw insert .. select", true, r =>
            r.Of(FigureNames.SettleToRaw)),
        new("--expect-bulk-seconds", "bulk insert of 100,000 rows at most, in seconds", true, r =>
            r.Of(FigureNames.BulkSeconds)),
    ];

    private static Goal Rate(string option, string meaning, string figure) =>
        new(option, meaning, false, r => r.Of(figure));

    private static Goal Latency(string option, string meaning, Func<RunReport, double?> micros) =>
        new(option, $"{meaning} at most, in milliseconds", true, r => micros(r) / 1000);
}

/// <summary>The names of figures that goals look for.</summary>
internal static class FigureNames
{
    public const string HoldsPerSecond = "holds decided per second";
    public const string RefusedShare = "share of offers refused";
    public const string FinalPerSecond = "orders made final per second";
    public const string FinalP95 = "time to the final state, p95";
    public const string PayableConfirmed = "share of payable orders confirmed";
    public const string JoinsPerSecond = "joins per second";
    public const string PushP99 = "time between two pushes, p99";
    public const string BytesPerWaiter = "server memory for each who waits";
    public const string CachedToNoOp = "cached pages as a share of the no-op rate";
    public const string CachedToUncached = "cached pages to uncached pages";
    public const string CachedMean = "cached pages, mean latency";
    public const string CachedPerSecond = "cached pages per second";
    public const string Sold = "sold";
    public const string Overtaken = "buyers overtaken";
    public const string RushSeconds = "from the opening to the end";
    public const string SettleSeconds = "from the request to the settled day";
    public const string SettleToRaw = "settled day to raw insert .. select";
    public const string BulkSeconds = "bulk insert of 100,000 rows";
}
