using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Accept;

/// <summary>
/// The same closed loop with the same JSON against an endpoint that does nothing: what this machine, this server's
/// HTTP and this tool can do at most. Figures of the payment path mean little without it.
/// </summary>
internal sealed class NoOpYardstick(Session session, int seconds)
{
    private const string Path = "/v1/ops/no-op";
    private const int Connections = 64;
    private const int WarmUpSecondsMax = 2;

    /// <summary>
    /// Measures for some seconds; null when switched off or when the server has no such endpoint. Before the first
    /// measurement it runs unmeasured, at most two seconds long, because both processes still compile their code then.
    /// </summary>
    public async Task<Yardstick?> MeasureAsync(string when, CancellationToken cancel)
    {
        if (seconds == 0)
        {
            return null;
        }

        session.Tell($"no-op yardstick {when} the load, {seconds} s");
        var workload = session.Workload(Path, [session.Address.MerchantKey], 0);
        var plan = new LanePlan(session.EndPoint, new PaymentTraffic(workload, null), TimeSpan.FromSeconds(10));
        if (!await AnswersAsync(plan, cancel))
        {
            session.Tell("no-op yardstick: the server has no such endpoint (demo mode only)");
            return null;
        }

        if (when == "before")
        {
            await LoopAsync(plan, when, TimeSpan.FromSeconds(Math.Min(seconds, WarmUpSecondsMax)), cancel);
        }

        return await LoopAsync(plan, when, TimeSpan.FromSeconds(seconds), cancel);
    }

    private async Task<bool> AnswersAsync(LanePlan plan, CancellationToken cancel)
    {
        await using var lanes = await Lanes.OpenAsync(plan, 1, session.Time, cancel);
        await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(1), session.Time, cancel);
        return lanes.Sum().Accepted == 1;
    }

    private async Task<Yardstick> LoopAsync(LanePlan plan, string when, TimeSpan span, CancellationToken cancel)
    {
        await using var lanes = await Lanes.OpenAsync(plan, Connections, session.Time, cancel);
        var took = await ClosedLoop.RunAsync(lanes, ClosedPlan.For(span), session.Time, cancel);
        var sum = lanes.Sum();
        var perSecond = Math.Round(sum.Accepted / took.TotalSeconds, 1);
        return new Yardstick(when, Connections, perSecond, sum.Latency.Summary(), sum.Refused + sum.Errors);
    }
}
