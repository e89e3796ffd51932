using System.Text;

namespace Floodgate.Load.Reports;

/// <summary>Which pictures a report has.</summary>
internal static class ReportCharts
{
    /// <summary>All pictures for which the report has figures, one after the other.</summary>
    public static string Draw(RunReport report)
    {
        var all = new StringBuilder();
        if (report.Load is { Latency.Count: > 0 } load)
        {
            all.Append(Percentiles(load).Draw());
        }

        Bands(report, out var bands);
        if (report.Seconds.Count > 0)
        {
            foreach (var chart in OverTime(report))
            {
                all.Append((chart with { Bands = bands }).Draw());
            }
        }

        if (report.Outage is { } outage)
        {
            all.Append(BreakerPicture.Draw(outage, End(report, outage)));
        }

        if (report.Drain is { Samples.Count: > 2 } drain)
        {
            all.Append(Backlog(drain).Draw()).Append(DrainMemory(drain).Draw());
        }

        if (report.Curve.Count > 0)
        {
            all.Append(Cost(report).Draw());
        }

        foreach (var picture in report.Pictures)
        {
            all.Append(picture.Chart.Draw());
        }

        return all.ToString();
    }

    private static Chart Percentiles(LoadFacts load)
    {
        // The axis counts nines: each step to the right is a tenth of the requests that are slower.
        var nines = Math.Log10(Math.Max(load.Latency.Count, 10));
        var points = load.Percentiles
            .Select(p => (X: Math.Min(nines, -Math.Log10(Math.Max(1 - (p.Percent / 100), 1e-12))), Y: (double)p.Micros))
            .DistinctBy(p => p.X)
            .ToList();
        points[^1] = (points[^1].X, load.Latency.MaxMicros);
        var ticks = Enumerable.Range(0, (int)Math.Ceiling(nines) + 1).Select(i => (double)i).ToList();
        return new Chart("Latency by percentile", "percent of requests that are at least as fast", [new("", 0, points)])
        {
            LogY = true,
            YText = Units.Latency,
            XTicks = ticks,
            XText = x => Units.Number(Math.Round(100 * (1 - Math.Pow(10, -x)), 6)),
        };
    }

    private static IEnumerable<Chart> OverTime(RunReport report)
    {
        var seconds = report.Seconds;
        yield return new Chart("Accepted per second", "seconds", [Line("", 0, s => s.AcceptedPerSecond)]);
        yield return new Chart(
            "Latency over time",
            "seconds",
            [Line("p50", 0, s => s.P50Micros), Line("p99", 1, s => s.P99Micros), Line("longest", 3, s => s.MaxMicros)])
        {
            LogY = true,
            YText = Units.Latency,
        };
        yield return new Chart(
            "Not final yet", "seconds", [Known("", 2, s => s.Backlog)]);
        yield return new Chart(
            "Server memory", "seconds", [Known("", 2, s => s.ResidentBytes)]) { YText = y => Units.Megabytes((long)y) };
        yield return new Chart(
            "Server CPU, cores in use", "seconds", [Known("", 1, s => s.ServerCpuCores)]) { YText = Units.Number };
        if (seconds.Any(s => s.Refused + s.Errors + s.Dropped > 0))
        {
            yield return new Chart(
                "Refused, errors, dropped in each second",
                "seconds",
                [
                    Line("refused", 0, s => s.Refused),
                    Line("errors", 1, s => s.Errors),
                    Line("dropped", 3, s => s.Dropped),
                ]);
        }

        Series Line(string name, int colour, Func<SecondSample, double> figure) =>
            new(name, colour, [.. seconds.Select(s => (s.At, figure(s)))]);

        Series Known(string name, int colour, Func<SecondSample, double?> figure) =>
            new(name, colour, [.. seconds.Where(s => figure(s) is not null).Select(s => (s.At, figure(s)!.Value))]);
    }

    private static Chart Backlog(DrainFacts drain)
    {
        var series = new List<Series>
        {
            new("not final yet", 0, [.. drain.Samples.Select(s => (s.At, (double)s.Backlog))]),
            new("in flight", 2, [.. drain.Samples.Select(s => (s.At, (double)s.InFlight))]),
        };
        if (drain.LimitSeconds is { } limit)
        {
            series.Add(new Series("arithmetic limit", 1, [(0, drain.Payments), (limit, 0)]));
        }

        return new Chart("Drain after the load", "seconds", series);
    }

    private static Chart DrainMemory(DrainFacts drain) => new(
        "Server memory while draining",
        "seconds",
        [
            new("", 2, [.. drain.Samples.Where(s => s.ResidentBytes is not null)
                .Select(s => (s.At, (double)s.ResidentBytes!.Value))]),
        ])
    {
        YText = y => Units.Megabytes((long)y),
    };

    private static Chart Cost(RunReport report) => new(
        "Server CPU per payment",
        "payments stored",
        [
            new("", 1, [.. report.Curve.Where(p => p.ServerCpuMicrosPerPayment is not null)
                .Select(p => ((double)p.Stored, p.ServerCpuMicrosPerPayment!.Value))]),
        ])
    {
        LogX = true,
        Dots = true,
        XText = Units.Count,
        YText = Units.Latency,
    };

    private static void Bands(RunReport report, out IReadOnlyList<Band> bands) => bands = report.Outage is { } outage
        ? [new Band(outage.FromSecond, outage.ToSecond, "provider away")]
        : [];

    private static double End(RunReport report, OutageFacts outage) => Math.Max(
        report.Seconds.Count > 0 ? report.Seconds[^1].At : 0,
        outage.Changes.Count > 0 ? outage.Changes[^1].At + 1 : 0);
}
