using System.Globalization;
using System.Text;
using Floodgate.Load.Audit;
using Floodgate.Load.Traffic;
using static Floodgate.Load.Reports.Units;

namespace Floodgate.Load.Reports;

/// <summary>The report for a terminal.</summary>
internal static class TextReport
{
    /// <summary>The whole report, without a final line break.</summary>
    public static string Write(RunReport report)
    {
        var text = new StringBuilder();
        Head(text, report);
        if (report.Load is { } load)
        {
            Load(text, report, load);
        }

        Figures(text, report);
        Designs(text, report);

        Drain(text, report);
        Yardsticks(text, report);
        Curve(text, report);
        Outage(text, report);
        if (report.Use is { } use)
        {
            Row(text, "server CPU", use.ServerCpuSeconds is { } cpu ? Seconds(cpu) : "not known");
            Row(text, "server memory", $"{Megabytes(use.ServerPeakResidentBytes)} at the peak");
            Row(text, "load tool CPU", Seconds(use.ToolCpuSeconds));
        }

        if (report.Audit is { } audit)
        {
            Audit(text, audit);
        }

        foreach (var goal in report.Goals)
        {
            Row(text, goal.Met ? "goal met" : "GOAL MISSED", $"{goal.Name} {Number(goal.Goal)}: "
                + (goal.Measured is { } measured ? Number(measured) : "not measured"));
        }

        foreach (var note in report.Notes)
        {
            Row(text, "note", note);
        }

        return text.ToString().TrimEnd('\n');
    }

    private static void Head(StringBuilder text, RunReport report)
    {
        var machine = report.Machine;
        Line(text, $"floodgate load {report.Command}  {report.StartedAt.ToString("u", CultureInfo.InvariantCulture)}");
        Row(text, "command", report.CommandLine);
        Row(text, "server", report.Server);
        Row(text, "machine", $"{machine.Cores} cores, {machine.CpuModel}, {Megabytes(machine.MemoryBytes)}");
        Row(text, "system", $"{machine.System}, {machine.Runtime}");
    }

    private static void Load(StringBuilder text, RunReport report, LoadFacts load)
    {
        Line(text, "");
        Line(text, load.RatePerSecond is { } rate
            ? $"Load: open loop, {Count(rate)}/s, {Seconds(load.Seconds)}, at most {load.Connections} connections"
            : $"Load: {load.Loop}{(load.Loop == "closed" ? " loop" : "")}, {load.Connections} connections, "
                + Seconds(load.Seconds));
        Row(text, "offered", $"{Count(load.Offered)}   dropped before sending: {Count(load.Dropped)}");
        Row(text, "accepted", $"{Count(load.Accepted)}   {Count(load.AcceptedPerSecond)}/s");
        Row(text, "refused", $"{Count(load.Refused)}   errors: {Count(load.Errors)}");
        Row(text, "final", report.Audit is not { } audit ? "not audited" : Count(audit.OrdersFinal ?? audit.Final)
            + (load.WarmUp > 0 ? $"   with {Count(load.WarmUp)} of the warm-up" : ""));
        Row(text, "latency", Latencies(load.Latency));
        if (load.PacingError is { } pacing)
        {
            Row(text, "pacing error", $"{Latencies(pacing)}   {Count(load.Waited)} had to wait for a connection");
        }

        Row(text, "answers", string.Join(
            ", ", load.Statuses.Select(s => $"{(s.Status == 0 ? "none" : s.Status)}: {Count(s.Count)}")));
    }

    private static void Figures(StringBuilder text, RunReport report)
    {
        if (report.Refusals.Count > 0)
        {
            Row(text, "refusals", string.Join(", ", report.Refusals.Select(r => $"{r.Code}: {Count(r.Count)}")));
        }

        foreach (var group in report.Figures.GroupBy(figure => figure.Group))
        {
            Line(text, "");
            Line(text, group.Key);
            foreach (var figure in group)
            {
                Line(text, $"  {figure.Name,-40} {figure.Text}");
            }
        }
    }

    private static void Designs(StringBuilder text, RunReport report)
    {
        if (report.Designs.Count == 0)
        {
            return;
        }

        Line(text, "");
        Line(text, "Yardstick: the same work in other designs");
        foreach (var design in report.Designs)
        {
            Line(text, $"  {design.Design,-40} {Count(design.PerSecond)}/s with {design.Workers} workers;"
                + $" the server is {Number(design.Ratio)} times as fast");
        }
    }

    private static void Drain(StringBuilder text, RunReport report)
    {
        if (report.Drain is not { } drain)
        {
            return;
        }

        Line(text, "");
        var what = report.Command == "drain" ? Count(drain.Payments) : $"{Count(drain.Payments)} left after the load";
        Line(text, drain.Completed
            ? $"Drain: {what}, all final after {Seconds(drain.Seconds)}"
            : $"Drain: {what}, {Count(drain.Samples[^1].Backlog)} NOT FINAL after {Seconds(drain.Seconds)}");
        if (drain.LimitSeconds is { } limit)
        {
            Row(text, "rate", $"{Count(drain.PerSecond)}/s");
            Row(text, "limit", $"{Seconds(limit)} = {Count(drain.Payments)} / {Count(drain.InFlightMax)} in flight"
                + $" x {drain.LatencyMs} ms; the drain took {Number(drain.Seconds / limit)} times that");
        }
    }

    private static void Yardsticks(StringBuilder text, RunReport report)
    {
        if (report.Yardsticks.Count == 0)
        {
            return;
        }

        Line(text, "");
        Line(text, "Yardstick: the same JSON to the no-op endpoint");
        foreach (var yardstick in report.Yardsticks)
        {
            Row(text, yardstick.When, $"{Count(yardstick.PerSecond)}/s over {yardstick.Connections} connections, "
                + Latencies(yardstick.Latency) + (yardstick.Errors > 0 ? $", {yardstick.Errors} errors" : ""));
        }

        if (report.NoOpRatio is { } ratio)
        {
            Row(text, "ratio", $"{Number(ratio)} of the no-op rate");
        }
    }

    private static void Curve(StringBuilder text, RunReport report)
    {
        if (report.Curve.Count == 0)
        {
            return;
        }

        Line(text, "");
        Line(text, "Curve: what one more payment costs when so many are stored");
        foreach (var point in report.Curve)
        {
            Row(text, Count(point.Stored), $"{Count(point.AcceptedPerSecond)}/s   "
                + $"{point.ServerCpuMicrosPerPayment:F0} µs server CPU each   p99 {Latency(point.P99Micros)}");
        }

        if (Goals.Flatness(report) is { } flatness)
        {
            Row(text, "dearest", $"{Number(flatness)} times the cheapest");
        }
    }

    private static void Outage(StringBuilder text, RunReport report)
    {
        if (report.Outage is not { } outage)
        {
            return;
        }

        Line(text, "");
        Line(text, $"Outage: provider away {Seconds(outage.FromSecond)} to {Seconds(outage.ToSecond)} into the load");
        Row(text, "intake meanwhile", Latencies(outage.IntakeLatency));
        foreach (var change in outage.Changes)
        {
            Row(text, Seconds(change.At), $"breaker {change.Provider}: {change.State}");
        }
    }

    private static void Audit(StringBuilder text, AuditResult audit)
    {
        Line(text, "");
        Line(text, $"Audit: {(audit.Holds ? "every check holds" : "FAILED")}"
            + $" ({Count(audit.PaymentsListed)} payments, {Count(audit.StatementLines)} statement lines"
            + $"{(audit.OrdersListed is { } orders ? $", {Count(orders)} orders" : "")} read)");
        foreach (var check in audit.Checks)
        {
            Line(text, $"  {(check.Holds ? "ok  " : "FAIL")}  {check.Name}: {Count(check.Checked)} checked"
                + (check.Broken > 0 ? $", {Count(check.Broken)} BROKEN" : "")
                + (check.Detail.Length > 0 ? $" ({check.Detail})" : ""));
        }

        foreach (var note in audit.Notes)
        {
            Row(text, "note", note);
        }
    }

    private static string Latencies(LatencySummary summary) =>
        $"mean {Latency(summary.MeanMicros)}  p50 {Latency(summary.P50Micros)}  p95 {Latency(summary.P95Micros)}"
        + $"  p99 {Latency(summary.P99Micros)}  p99.9 {Latency(summary.P999Micros)}  max {Latency(summary.MaxMicros)}";

    private static void Row(StringBuilder text, string name, string value) => Line(text, $"  {name,-17} {value}");

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');
}
