using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Accept;

/// <summary>The measured load in one open or closed loop, with the outage drill beside it when asked for.</summary>
internal sealed class MainLoad(Session session, AcceptPlan plan, OfferBook book)
{
    /// <summary>Runs the load and adds what it saw to the report.</summary>
    public async Task<RunReport> RunAsync(RunReport report, Workload workload, CancellationToken cancel)
    {
        var traffic = new PaymentTraffic(workload, book);
        var lanePlan = new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.ConnectionsUsed, session.Time, cancel);
        session.Tell(plan.Closed
            ? $"closed loop, {plan.ConnectionsUsed} connections"
            : $"open loop, {plan.RatePerSecond}/s for {plan.Seconds} s over <= {plan.ConnectionsUsed} connections");
        var seconds = new SecondsWatch(session, lanes);
        var load = plan.Closed ? ClosedAsync(lanes, cancel) : OpenAsync(lanes, cancel);
        var drill = plan.OutageAt is { } at
            ? new OutageDrill(session, lanes, at, plan.OutageSeconds).RunAsync(load, plan.DrainSeconds, cancel)
            : null;
        var (done, took) = await seconds.WhileAsync(load);
        var facts = Facts(lanes, done.Arrivals, took) with { Waited = done.Waited };
        return report with
        {
            Load = facts,
            Seconds = seconds.Samples,
            Outage = drill is null ? null : await drill,
        };
    }

    /// <summary>What the lanes counted, as the report shows it.</summary>
    public LoadFacts Facts(Lanes lanes, long arrivals, TimeSpan took)
    {
        var facts = plan.Closed || plan.Curve.Count > 0
            ? LaneFacts.Closed(lanes, took)
            : LaneFacts.Open(lanes, plan.RatePerSecond, new LoopResult(arrivals, 0), took);
        return facts with { Merchants = plan.Merchants, Arrivals = arrivals };
    }

    private async Task<(LoopResult Done, TimeSpan Took)> ClosedAsync(Lanes lanes, CancellationToken cancel)
    {
        var closed = plan.Count is { } count
            ? ClosedPlan.Of(count)
            : ClosedPlan.For(TimeSpan.FromSeconds(plan.Seconds));
        var took = await ClosedLoop.RunAsync(lanes, closed, session.Time, cancel);
        return (new LoopResult(lanes.Sum().Offered, 0), took);
    }

    private async Task<(LoopResult Done, TimeSpan Took)> OpenAsync(Lanes lanes, CancellationToken cancel)
    {
        var start = session.Time.GetTimestamp();
        var count = plan.Count ?? checked(plan.RatePerSecond * plan.Seconds);
        var open = new OpenPlan(plan.RatePerSecond, count, TimeSpan.FromMilliseconds(plan.LateMsMax));
        var done = await OpenLoop.RunAsync(lanes, open, session.Time, cancel);
        return (done, session.Time.GetElapsedTime(start));
    }
}
