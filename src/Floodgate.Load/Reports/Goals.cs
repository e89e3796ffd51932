namespace Floodgate.Load.Reports;

/// <summary>A figure that a run can be held to.</summary>
/// <param name="Option">The option that gives the goal; its end names the unit.</param>
/// <param name="Meaning">For the help text.</param>
/// <param name="AtMost">True when smaller is better.</param>
/// <param name="Measured">The figure in a report; null when the run did not measure it.</param>
internal sealed record Goal(string Option, string Meaning, bool AtMost, Func<RunReport, double?> Measured);

/// <summary>The goals that each command knows, and how they are judged.</summary>
internal static class Goals
{
    /// <summary>Goals of <c>accept</c>.</summary>
    public static IReadOnlyList<Goal> OfAccept { get; } =
    [
        new("--expect-mean-ms", "mean latency at most, in milliseconds", true, r => r.Load?.Latency.MeanMicros / 1000),
        new(
            "--expect-p95-ms",
            "95th percentile of latency at most, in milliseconds",
            true,
            r => r.Load?.Latency.P95Micros / 1000.0),
        new(
            "--expect-p99-ms",
            "99th percentile of latency at most, in milliseconds",
            true,
            r => r.Load?.Latency.P99Micros / 1000.0),
        new("--expect-rate", "accepted per second at least", false, r => r.Load?.AcceptedPerSecond),
        new("--expect-ratio", "share of the no-op rate at least, 0 to 1 (closed loop)", false, r => r.NoOpRatio),
        new("--expect-dropped", "arrivals dropped at most", true, r => r.Load?.Dropped),
        new("--expect-errors", "refused offers and errors at most", true, r => r.Load?.Refused + r.Load?.Errors),
        new(
            "--expect-outage-p95-ms",
            "95th percentile of latency during the outage at most, in milliseconds",
            true,
            r => r.Outage?.IntakeLatency.P95Micros / 1000.0),
        new(
            "--expect-flat",
            "dearest point of the curve at most so many times the cheapest",
            true,
            Flatness),
    ];

    /// <summary>Goals of <c>drain</c>.</summary>
    public static IReadOnlyList<Goal> OfDrain { get; } =
    [
        new(
            "--expect-seconds",
            "drain time at most, in seconds",
            true,
            r => r.Drain is { Completed: true } d ? d.Seconds : null),
        new("--expect-memory-mb", "peak server memory at most, in MB", true, r => r.Drain?.PeakResidentBytes / 1e6),
    ];

    /// <summary>Judges one goal. A goal for which nothing was measured is missed: silence is no success.</summary>
    public static GoalResult Judge(Goal goal, double expected, RunReport report)
    {
        var measured = goal.Measured(report);
        var met = measured is { } figure && (goal.AtMost ? figure <= expected : figure >= expected);
        return new GoalResult(goal.Option.TrimStart('-'), goal.Meaning, expected, measured, met);
    }

    /// <summary>The dearest point of the curve over the cheapest, in server CPU; null without a curve.</summary>
    public static double? Flatness(RunReport report)
    {
        var costs = report.Curve.Select(point => point.ServerCpuMicrosPerPayment).ToList();
        return costs.Count > 1 && costs.TrueForAll(cost => cost > 0) ? costs.Max() / costs.Min() : null;
    }
}
