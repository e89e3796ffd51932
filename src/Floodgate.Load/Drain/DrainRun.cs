using System.Text.Json.Nodes;
using Floodgate.Load.Audit;
using Floodgate.Load.Accept;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Drain;

/// <summary>What <c>drain</c> was asked to do; see the options of <see cref="DrainCommand"/>.</summary>
internal sealed record DrainPlan
{
    /// <summary>Payments to pile up.</summary>
    public int Count { get; init; } = 120_000;

    /// <summary>The provider's latency while draining, in milliseconds.</summary>
    public int LatencyMs { get; init; } = 1000;

    /// <summary>Connections of the closed loop that fills.</summary>
    public int Connections { get; init; } = 64;

    /// <summary>The longest wait for the drain, in seconds.</summary>
    public int DrainSeconds { get; init; } = 300;
}

/// <summary>
/// Piles up payments while processing is paused, then measures how long processing takes to carry all of them to
/// their final states against a provider of a known latency, and audits.
/// </summary>
internal sealed class DrainRun(Session session, DrainPlan plan)
{
    private readonly OfferBook book = new();

    /// <summary>Runs the plan and reports, goals not yet judged. Resumes processing and puts the knobs back.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var owns = (await session.Api.PaymentsAsync(null, 1, cancel)).Data.Count == 0
            && (await session.Api.StatementAsync(null, 1, cancel)).Data.Count == 0;
        var workload = session.Workload("/v1/payments", [session.Address.MerchantKey], 0);
        var faults = await session.Api.FaultsAsync(cancel);
        var slow = (JsonObject)faults.DeepClone();
        slow["latencyMs"] = plan.LatencyMs;
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        var toolBefore = process.TotalProcessorTime;
        RunReport report;
        DrainFacts drain;
        var bound = TimeSpan.FromSeconds(plan.DrainSeconds);
        await BacklogWatch.UntilFinalAsync(session, bound, null, cancel);
        try
        {
            await session.Api.SetPausedAsync(true, cancel);
            report = await FillAsync(blank, workload, cancel);
            await session.Api.SetFaultsAsync(slow, cancel);
            session.Tell($"draining with a provider latency of {plan.LatencyMs} ms");
            drain = await DrainAsync(report.Load!.Accepted, cancel);
        }
        finally
        {
            // Not cancellable: a server left paused would spoil whatever runs next.
            await session.Api.SetPausedAsync(false, CancellationToken.None);
            await session.Api.SetFaultsAsync(faults, CancellationToken.None);
        }

        process.Refresh();
        session.Tell("audit: reading the statement and the payments");
        var scope = new AuditScope(book, workload, new ArrivalCount(report.Load!.Arrivals, 0), owns);
        return report with
        {
            Drain = drain,
            Use = new ResourceUse(
                drain.CpuSeconds,
                drain.PeakResidentBytes,
                (process.TotalProcessorTime - toolBefore).TotalSeconds),
            Audit = await Auditor.RunAsync(session, scope, cancel),
            Notes = ["Server CPU and memory are those of the drain, without the fill."],
        };
    }

    private async Task<RunReport> FillAsync(RunReport blank, Workload workload, CancellationToken cancel)
    {
        var fill = new AcceptPlan { Closed = true, Count = plan.Count, Connections = plan.Connections };
        session.Tell($"filling with {plan.Count} payments while processing is paused");
        return await new MainLoad(session, fill, book).RunAsync(blank, workload, cancel);
    }

    private async Task<DrainFacts> DrainAsync(long accepted, CancellationToken cancel)
    {
        var drain = await BacklogWatch.UntilFinalAsync(
            session,
            TimeSpan.FromSeconds(plan.DrainSeconds),
            () => session.Api.SetPausedAsync(false, cancel),
            cancel);
        return drain with
        {
            Payments = accepted,
            LatencyMs = plan.LatencyMs,
        };
    }
}
