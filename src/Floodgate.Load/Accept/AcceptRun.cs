using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Accept;

/// <summary>
/// Sends payments and holds the server to its answers: yardstick, load, wait until all is final, yardstick, audit.
/// </summary>
internal sealed class AcceptRun(Session session, AcceptPlan plan)
{
    private const string PaymentsPath = "/v1/payments";
    private const int CreatesAtOnce = 8;
    private readonly OfferBook book = new();

    /// <summary>Runs the plan and reports, goals not yet judged. Puts every knob back that it turned.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var owns = await OwnsServerAsync(cancel);
        var keys = await KeysAsync(cancel);
        var workload = session.Workload(PaymentsPath, keys, plan.Users);
        var noOp = new NoOpYardstick(session, plan.NoOpSeconds);
        var before = await noOp.MeasureAsync("before", cancel);
        var warmed = await WarmUpAsync(workload, cancel);
        var useBefore = await session.Api.UseAsync(cancel);
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        var toolBefore = process.TotalProcessorTime;

        var report = plan.Curve.Count > 0
            ? await new CurveLoad(session, plan, book).RunAsync(blank, workload, cancel)
            : await new MainLoad(session, plan, book).RunAsync(blank, workload, cancel);
        var drain = plan.WaitFinal
            ? await BacklogWatch.UntilFinalAsync(session, TimeSpan.FromSeconds(plan.DrainSeconds), null, cancel)
            : null;

        process.Refresh();
        var toolCpu = (process.TotalProcessorTime - toolBefore).TotalSeconds;
        var useAfter = await session.Api.UseAsync(cancel);
        var after = await noOp.MeasureAsync("after", cancel);
        var load = report.Load! with { WarmUp = warmed, Merchants = keys.Count };
        session.Tell("audit: reading the statement and the payments");
        var arrivals = new ArrivalCount(load.Arrivals + warmed, load.Dropped);
        var audit = await Auditor.RunAsync(
            session, new AuditScope(book, workload, arrivals, owns), cancel);
        return report with
        {
            Load = load,
            Drain = drain,
            Yardsticks = [.. new[] { before, after }.OfType<Yardstick>()],
            NoOpRatio = Ratio(report, before, after),
            Use = new ResourceUse(
                useAfter?.CpuSeconds - useBefore?.CpuSeconds,
                PeakResident(report, drain),
                toolCpu),
            Audit = audit,
            Notes = [.. report.Notes, .. Notes(before)],
        };
    }

    private static long? PeakResident(RunReport report, DrainFacts? drain) =>
        report.Seconds.Select(second => second.ResidentBytes).Append(drain?.PeakResidentBytes).Max();

    private double? Ratio(RunReport report, Yardstick? before, Yardstick? after) =>
        plan.Closed && before is not null && after is not null
            ? report.Load!.AcceptedPerSecond / ((before.PerSecond + after.PerSecond) / 2)
            : null;

    private IEnumerable<string> Notes(Yardstick? noOp)
    {
        if (noOp is null)
        {
            yield return "No yardstick: the no-op loop was switched off, or the server has no POST /v1/ops/no-op.";
        }
        else if (!plan.Closed)
        {
            yield return "The ratio to the no-op endpoint needs a closed loop: run again with --closed.";
        }
    }

    private async Task<bool> OwnsServerAsync(CancellationToken cancel)
    {
        var payments = await session.Api.PaymentsAsync(null, 1, cancel);
        var statement = await session.Api.StatementAsync(null, 1, cancel);
        return payments.Data.Count == 0 && statement.Data.Count == 0;
    }

    private async Task<IReadOnlyList<string>> KeysAsync(CancellationToken cancel)
    {
        if (plan.Merchants == 1)
        {
            return [session.Address.MerchantKey];
        }

        session.Tell($"creating {plan.Merchants} merchants");
        var keys = new string[plan.Merchants];
        await Parallel.ForAsync(
            0,
            plan.Merchants,
            new ParallelOptions { MaxDegreeOfParallelism = CreatesAtOnce, CancellationToken = cancel },
            async (i, stop) => keys[i] = await session.Api.CreateMerchantAsync(
                $"Load {session.RunId} {i}", $"{session.RunId}-merchant-{i}", stop));
        return keys;
    }

    private async Task<long> WarmUpAsync(Workload workload, CancellationToken cancel)
    {
        if (plan.WarmUp == 0)
        {
            return 0;
        }

        session.Tell($"warming up with {plan.WarmUp} payments");
        var traffic = new PaymentTraffic(workload, book);
        var lanePlan = new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.ConnectionsUsed, session.Time, cancel);
        await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(plan.WarmUp), session.Time, cancel);
        if (plan.WaitFinal)
        {
            await BacklogWatch.UntilFinalAsync(session, TimeSpan.FromSeconds(plan.DrainSeconds), null, cancel);
        }

        return lanes.Sum().Offered;
    }
}
