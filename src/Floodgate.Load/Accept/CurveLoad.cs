using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Accept;

/// <summary>
/// Fills the server to growing numbers of payments and measures at each what one more costs, its processing to the
/// final state included. A cost that grows shows work that depends on what is stored.
/// </summary>
internal sealed class CurveLoad(Session session, AcceptPlan plan, OfferBook book)
{
    /// <summary>Fills and measures at each size; latency and rate of the report are those of the whole fill.</summary>
    public async Task<RunReport> RunAsync(RunReport report, Workload workload, CancellationToken cancel)
    {
        var traffic = new PaymentTraffic(workload, book);
        var lanePlan = new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.ConnectionsUsed, session.Time, cancel);
        var seconds = new SecondsWatch(session, lanes);
        var (points, took) = await seconds.WhileAsync(FillAsync(lanes, cancel));
        var load = new MainLoad(session, plan, book).Facts(lanes, lanes.Sum().Offered, took);
        return report with
        {
            Load = load,
            Seconds = seconds.Samples,
            Curve = points,
            Notes = ["Stored payments count those of this run; the rate of the whole fill includes its pauses."],
        };
    }

    private async Task<(List<CurvePoint> Points, TimeSpan Took)> FillAsync(Lanes lanes, CancellationToken cancel)
    {
        var start = session.Time.GetTimestamp();
        var points = new List<CurvePoint>();
        var stored = 0;
        foreach (var size in plan.Curve)
        {
            // At least half of each step fills, so that the first point does not measure compilation.
            var measured = Math.Min(plan.CurveSample, (size - stored) / 2);
            session.Tell($"curve: filling to {size}");
            await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(size - stored - measured), session.Time, cancel);
            await SettleAsync(cancel);
            points.Add(await MeasureAsync(lanes, size, measured, cancel));
            stored = size;
        }

        return (points, session.Time.GetElapsedTime(start));
    }

    private async Task<CurvePoint> MeasureAsync(Lanes lanes, int size, int measured, CancellationToken cancel)
    {
        var useBefore = await session.Api.UseAsync(cancel);
        var before = lanes.Sum();
        var took = await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(measured), session.Time, cancel);
        await SettleAsync(cancel);
        var useAfter = await session.Api.UseAsync(cancel);
        var after = lanes.Sum();
        var accepted = after.Accepted - before.Accepted;
        var micros = (useAfter?.CpuSeconds - useBefore?.CpuSeconds) * 1e6 / accepted;
        var point = new CurvePoint(
            size,
            accepted,
            Math.Round(accepted / took.TotalSeconds, 1),
            micros is { } known ? Math.Round(known, 1) : null,
            after.Latency.Since(before.Latency).PercentileMicros(99));
        session.Tell($"curve: at {size} stored, {point.AcceptedPerSecond:F0}/s,"
            + $" {point.ServerCpuMicrosPerPayment:F0} µs of server CPU each");
        return point;
    }

    private async Task SettleAsync(CancellationToken cancel)
    {
        var drain = await BacklogWatch.UntilFinalAsync(session, TimeSpan.FromSeconds(plan.DrainSeconds), null, cancel);
        if (!drain.Completed)
        {
            throw new CannotRunException($"Not all payments were final after --drain-seconds {plan.DrainSeconds}.");
        }
    }
}
