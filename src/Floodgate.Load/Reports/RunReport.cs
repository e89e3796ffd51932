using System.Text.Json.Serialization;
using Floodgate.Load.Audit;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Reports;

/// <summary>Everything that a run found out: the text, JSON and HTML reports show exactly this.</summary>
internal sealed record RunReport
{
    /// <summary>The command, such as accept or hold.</summary>
    public required string Command { get; init; }

    /// <summary>The command that repeats the run.</summary>
    public required string CommandLine { get; init; }

    /// <summary>When the run began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The server under load.</summary>
    public required string Server { get; init; }

    /// <summary>The machine that ran the load tool.</summary>
    public required MachineFacts Machine { get; init; }

    /// <summary>What was offered and how it was answered.</summary>
    public LoadFacts? Load { get; init; }

    /// <summary>What happened in each second of the load.</summary>
    public IReadOnlyList<SecondSample> Seconds { get; init; } = [];

    /// <summary>How what was accepted became final after the load.</summary>
    public DrainFacts? Drain { get; init; }

    /// <summary>The same loop against the same server's no-op endpoint.</summary>
    public IReadOnlyList<Yardstick> Yardsticks { get; init; } = [];

    /// <summary>Accepted per second as a share of the no-op rate; null unless both were closed loops.</summary>
    public double? NoOpRatio { get; init; }

    /// <summary>Cost per payment at growing numbers of stored payments.</summary>
    public IReadOnlyList<CurvePoint> Curve { get; init; } = [];

    /// <summary>What the provider outage did.</summary>
    public OutageFacts? Outage { get; init; }

    /// <summary>What server and load tool used.</summary>
    public ResourceUse? Use { get; init; }

    /// <summary>Refusals of the load by code.</summary>
    public IReadOnlyList<RefusalCount> Refusals { get; init; } = [];

    /// <summary>What else the command measured.</summary>
    public IReadOnlyList<Figure> Figures { get; init; } = [];

    /// <summary>Other designs, measured in the same run.</summary>
    public IReadOnlyList<DesignYardstick> Designs { get; init; } = [];

    /// <summary>Pictures of the command's own.</summary>
    public IReadOnlyList<Picture> Pictures { get; init; } = [];

    /// <summary>What the auditor found.</summary>
    public AuditResult? Audit { get; init; }

    /// <summary>The goals given on the command line.</summary>
    public IReadOnlyList<GoalResult> Goals { get; init; } = [];

    /// <summary>What a reader must know to judge the figures.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>See <see cref="Load.ExitCode"/>.</summary>
    public int ExitCode { get; init; }

    /// <summary>A figure by its name; null when it was not measured.</summary>
    public double? Of(string figure) => Figures.FirstOrDefault(one => one.Name == figure)?.Value;
}

/// <summary>The machine a figure was taken on; figures of other machines do not compare.</summary>
internal sealed record MachineFacts(int Cores, string CpuModel, long MemoryBytes, string System, string Runtime);

/// <summary>What was offered and how it was answered. Final ones are counted by the audit.</summary>
internal sealed record LoadFacts(
    string Loop,
    int? RatePerSecond,
    int Connections,
    int Merchants,
    double Seconds,
    long Arrivals,
    long Offered,
    long Accepted,
    long Refused,
    long Errors,
    long Dropped)
{
    /// <summary>Accepted per second of the load.</summary>
    public double AcceptedPerSecond => Seconds > 0 ? Accepted / Seconds : 0;

    /// <summary>Arrivals that found every connection busy and waited, sent or dropped; 0 in a closed loop.</summary>
    public long Waited { get; init; }

    /// <summary>Payments offered before the measured load began; audited, not measured.</summary>
    public long WarmUp { get; init; }

    /// <summary>Latency of every answer, from the scheduled moment.</summary>
    public required LatencySummary Latency { get; init; }

    /// <summary>How late requests were handed to the network; null in a closed loop.</summary>
    public LatencySummary? PacingError { get; init; }

    /// <summary>Answers by status; 0 = none came.</summary>
    public required IReadOnlyList<StatusCount> Statuses { get; init; }

    /// <summary>The latency curve.</summary>
    public required IReadOnlyList<PercentilePoint> Percentiles { get; init; }
}

/// <summary>One point of the latency curve.</summary>
internal sealed record PercentilePoint(double Percent, long Micros);

/// <summary>One second of the load; the server's figures are null when they could not be read.</summary>
internal sealed record SecondSample(
    double At,
    double AcceptedPerSecond,
    long Refused,
    long Errors,
    long Dropped,
    long P50Micros,
    long P99Micros,
    long MaxMicros,
    long? Backlog,
    long? ResidentBytes,
    double? ServerCpuCores);

/// <summary>How a backlog was worked off.</summary>
/// <param name="Seconds">From the start of the wait until nothing was left.</param>
/// <param name="Completed">False when the bound ran out first.</param>
/// <param name="Payments">The backlog at the start; for the drain command, the payments accepted.</param>
/// <param name="InFlightMax">How many provider calls the server allows at once.</param>
/// <param name="LatencyMs">The provider's latency that was set; null when it was left alone.</param>
/// <param name="Samples">The backlog over time.</param>
internal sealed record DrainFacts(
    double Seconds,
    bool Completed,
    long Payments,
    long InFlightMax,
    int? LatencyMs,
    IReadOnlyList<DrainSample> Samples)
{
    /// <summary>Payments made final per second.</summary>
    public double PerSecond => Seconds > 0 ? Payments / Seconds : 0;

    /// <summary>The arithmetic limit: payments / in flight x latency, in seconds; null without a set latency.</summary>
    public double? LimitSeconds =>
        LatencyMs is { } latency && InFlightMax > 0 ? (double)Payments / InFlightMax * latency / 1000 : null;

    /// <summary>The server's largest resident memory seen while draining.</summary>
    public long? PeakResidentBytes => Samples.Max(sample => sample.ResidentBytes);

    /// <summary>Server CPU seconds used while draining; null when they could not be read.</summary>
    public double? CpuSeconds { get; init; }
}

/// <summary>The backlog at one moment, in seconds after the start of the wait.</summary>
internal sealed record DrainSample(double At, long Backlog, long InFlight, long? ResidentBytes);

/// <summary>A closed loop against the no-op endpoint.</summary>
internal sealed record Yardstick(string When, int Connections, double PerSecond, LatencySummary Latency, long Errors);

/// <summary>
/// What a payment cost when this many were stored; processing to the final state included in the CPU.
/// </summary>
internal sealed record CurvePoint(
    long Stored, long Measured, double AcceptedPerSecond, double? ServerCpuMicrosPerPayment, long P99Micros);

/// <summary>A change of a breaker's state, in seconds after the load began.</summary>
internal sealed record BreakerChange(double At, string Provider, string State);

/// <summary>What the outage did; moments in seconds after the load began.</summary>
internal sealed record OutageFacts(
    double FromSecond, double ToSecond, LatencySummary IntakeLatency, IReadOnlyList<BreakerChange> Changes);

/// <summary>What the load with its processing used.</summary>
internal sealed record ResourceUse(double? ServerCpuSeconds, long? ServerPeakResidentBytes, double ToolCpuSeconds);

/// <summary>
/// A goal given on the command line, with its unit in the name; null when nothing was measured for it.
/// </summary>
internal sealed record GoalResult(string Name, string Meaning, double Goal, double? Measured, bool Met);

/// <summary>How the report is written as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(RunReport))]
internal sealed partial class ReportJson : JsonSerializerContext;
