using System.Globalization;
using System.Net;
using System.Text;
using static Floodgate.Load.Reports.Units;

namespace Floodgate.Load.Reports;

/// <summary>
/// The report as one HTML file that needs nothing else: it can be mailed, kept and opened years later.
/// </summary>
internal static class HtmlReport
{
    /// <summary>The whole document.</summary>
    public static string Write(RunReport report)
    {
        var page = new StringBuilder("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        page.Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        page.Append($"<title>Floodgate load: {report.Command}</title><style>{HtmlStyle.Sheet}</style></head>\n");
        page.Append("<body><main>\n");
        Head(page, report);
        Tiles(page, report);
        var charts = ReportCharts.Draw(report);
        if (charts.Length > 0)
        {
            page.Append($"<h2>Pictures</h2><div class=\"charts\">{charts}</div>\n");
        }

        Goals(page, report);
        Audit(page, report);
        Figures(page, report);
        Designs(page, report);
        Yardsticks(page, report);
        Curve(page, report);
        Refusals(page, report);
        Answers(page, report);
        Notes(page, report);
        return page.Append("</main></body></html>\n").ToString();
    }

    private static void Head(StringBuilder page, RunReport report)
    {
        var machine = report.Machine;
        var missed = report.Goals.Count(goal => !goal.Met);
        var (style, verdict) = report switch
        {
            { Audit.Holds: false } => ("bad", "The audit failed"),
            _ when missed > 0 => ("bad", $"{missed} of {report.Goals.Count} goals missed"),
            { Audit: null } => ("bad", "Not audited"),
            _ => ("good", report.Goals.Count > 0 ? "Audit holds, every goal met" : "Audit holds"),
        };
        page.Append($"<h1>Floodgate load: {report.Command}</h1>");
        page.Append($"<p class=\"soft\">{report.StartedAt.ToString("u", CultureInfo.InvariantCulture)}"
            + $" against {Html(report.Server)}</p>");
        page.Append($"<p class=\"verdict {style}\">{verdict}</p>");
        page.Append($"<p><code>{Html(report.CommandLine)}</code></p>");
        page.Append($"<p class=\"soft\">{machine.Cores} cores, {Html(machine.CpuModel)}, "
            + $"{Megabytes(machine.MemoryBytes)}, {Html(machine.System)}, {Html(machine.Runtime)}</p>\n");
    }

    private static void Tiles(StringBuilder page, RunReport report)
    {
        var tiles = new List<(string Figure, string Name)>();
        if (report.Load is { } load)
        {
            var rate = load.RatePerSecond is { } perSecond ? $" at {Count(perSecond)}/s" : "";
            tiles.Add((Count(load.Offered), $"offered{rate}"));
            tiles.Add((Count(load.Accepted), $"accepted, {Count(load.AcceptedPerSecond)}/s"));
            tiles.Add((report.Audit is { } audit ? Count(audit.OrdersFinal ?? audit.Final) : "?", "final"));
            tiles.Add((Count(load.Dropped), "dropped before sending"));
            tiles.Add((Count(load.Refused), "refused"));
            tiles.Add((Count(load.Errors), "errors"));
            tiles.Add((Latency(load.Latency.MeanMicros), "mean latency"));
            tiles.Add((Latency(load.Latency.P50Micros), "p50"));
            tiles.Add((Latency(load.Latency.P95Micros), "p95"));
            tiles.Add((Latency(load.Latency.P99Micros), "p99"));
            tiles.Add((Latency(load.Latency.P999Micros), "p99.9"));
            tiles.Add((Latency(load.Latency.MaxMicros), "longest"));
            if (load.PacingError is { } pacing)
            {
                tiles.Add((Latency(pacing.P99Micros), $"p99 pacing error, mean {Latency(pacing.MeanMicros)}"));
            }
        }

        if (report.Drain is { } drain)
        {
            tiles.Add((Seconds(drain.Seconds), drain.Completed ? "until all were final" : "waited, NOT all final"));
            if (drain.LimitSeconds is { } limit)
            {
                tiles.Add((Seconds(limit), $"limit: {Count(drain.Payments)} / {Count(drain.InFlightMax)} in flight"
                    + $" x {drain.LatencyMs} ms"));
                tiles.Add((Count(drain.PerSecond), "made final per second"));
            }
        }

        if (report.NoOpRatio is { } ratio)
        {
            tiles.Add((Number(ratio), "of the no-op rate"));
        }

        if (report.Use is { } use)
        {
            tiles.Add((use.ServerCpuSeconds is { } cpu ? Seconds(cpu) : "?", "server CPU"));
            tiles.Add((Megabytes(use.ServerPeakResidentBytes), "server memory, peak"));
            tiles.Add((Seconds(use.ToolCpuSeconds), "load tool CPU"));
        }

        page.Append("<h2>Figures</h2><div class=\"tiles\">");
        foreach (var (figure, name) in tiles)
        {
            page.Append($"<div class=\"tile\"><b>{Html(figure)}</b><span>{Html(name)}</span></div>");
        }

        page.Append("</div>\n");
    }

    private static void Goals(StringBuilder page, RunReport report) => Table(
        page,
        "Goals",
        ["", "Goal", "#Asked", "#Measured"],
        report.Goals.Select(goal => (string[])
        [
            goal.Met ? "<span class=\"good\">met</span>" : "<b class=\"bad\">missed</b>",
            Html(goal.Meaning),
            Number(goal.Goal),
            goal.Measured is { } measured ? Number(measured) : "not measured",
        ]));

    private static void Audit(StringBuilder page, RunReport report) => Table(
        page,
        "Audit",
        ["", "Check", "#Checked", "#Broken"],
        (report.Audit?.Checks ?? []).Select(check => (string[])
        [
            Mark(check.Holds),
            Html(check.Name) + (check.Detail.Length > 0 ? $"<br><span class=\"soft\">{Html(check.Detail)}</span>" : ""),
            Count(check.Checked),
            Count(check.Broken),
        ]));

    private static void Figures(StringBuilder page, RunReport report)
    {
        foreach (var group in report.Figures.GroupBy(figure => figure.Group))
        {
            Table(
                page,
                Html(group.Key),
                ["What", "#Figure"],
                group.Select(figure => (string[])[Html(figure.Name), Html(figure.Text)]));
        }
    }

    private static void Designs(StringBuilder page, RunReport report) => Table(
        page,
        "Yardstick: the same work in other designs",
        ["Design", "#Workers", "#Per second", "#The server is so many times as fast"],
        report.Designs.Select(design => (string[])
        [
            Html(design.Design),
            Count(design.Workers),
            Count(design.PerSecond),
            Number(design.Ratio),
        ]));

    private static void Refusals(StringBuilder page, RunReport report) => Table(
        page,
        "Refusals",
        ["Code", "#Count"],
        report.Refusals.Select(refusal => (string[])[Html(refusal.Code), Count(refusal.Count)]));

    private static void Yardsticks(StringBuilder page, RunReport report) => Table(
        page,
        "Yardstick: the same JSON to the no-op endpoint",
        ["When", "#Connections", "#Per second", "#Mean", "#p99", "#Longest"],
        report.Yardsticks.Select(yardstick => (string[])
        [
            Html(yardstick.When),
            Count(yardstick.Connections),
            Count(yardstick.PerSecond),
            Latency(yardstick.Latency.MeanMicros),
            Latency(yardstick.Latency.P99Micros),
            Latency(yardstick.Latency.MaxMicros),
        ]));

    private static void Curve(StringBuilder page, RunReport report) => Table(
        page,
        "Cost per payment",
        ["#Stored", "#Measured", "#Per second", "#Server CPU each", "#p99"],
        report.Curve.Select(point => (string[])
        [
            Count(point.Stored),
            Count(point.Measured),
            Count(point.AcceptedPerSecond),
            point.ServerCpuMicrosPerPayment is { } micros ? Latency(micros) : "not known",
            Latency(point.P99Micros),
        ]));

    private static void Answers(StringBuilder page, RunReport report) => Table(
        page,
        "Answers",
        ["Status", "#Count"],
        (report.Load?.Statuses ?? []).Select(status => (string[])
        [
            status.Status == 0 ? "none: the connection failed or it took too long" : $"{status.Status}",
            Count(status.Count),
        ]));

    private static void Notes(StringBuilder page, RunReport report)
    {
        var notes = report.Notes.Concat(report.Audit?.Notes ?? []).ToList();
        if (notes.Count > 0)
        {
            page.Append("<h2>Notes</h2>").AppendJoin("", notes.Select(note => $"<p>{Html(note)}</p>"));
        }
    }

    private static void Table(StringBuilder page, string title, string[] columns, IEnumerable<string[]> rows)
    {
        // A column whose name begins with # holds numbers and is aligned to the right.
        string Cell(string tag, int column, string html) =>
            columns[column].StartsWith('#') ? $"<{tag} class=\"n\">{html}</{tag}>" : $"<{tag}>{html}</{tag}>";
        string Row(string[] cells) => $"<tr>{string.Concat(cells.Select((html, i) => Cell("td", i, html)))}</tr>";
        var body = rows.Select(Row).ToList();
        if (body.Count > 0)
        {
            var head = string.Concat(columns.Select((name, i) => Cell("th", i, name.TrimStart('#'))));
            page.Append($"<h2>{title}</h2><div class=\"table\"><table><tr>{head}</tr>\n");
            page.AppendJoin('\n', body).Append("</table></div>\n");
        }
    }

    private static string Mark(bool good) =>
        good ? "<span class=\"good\">holds</span>" : "<b class=\"bad\">broken</b>";

    private static string Html(string text) => WebUtility.HtmlEncode(text);
}
