using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>What the measured load did.</summary>
/// <param name="Facts">The intake of those who do not wait.</param>
/// <param name="Seconds">Each second of it.</param>
/// <param name="Waits">Those who waited: offered, and the time until their order was final.</param>
/// <param name="Drain">How the rest became final.</param>
/// <param name="FinalSeconds">From the first order until all were final.</param>
internal sealed record OrderLoadFacts(
    LoadFacts Facts, IReadOnlyList<SecondSample> Seconds, Tally? Waits, DrainFacts Drain, double FinalSeconds);

/// <summary>
/// The orders themselves: most buyers go on when their order is accepted, some wait for its end, some come back.
/// </summary>
internal sealed class OrderLoad(Session session, OrderPlan plan, OrderDesk desk, ComeBacks comeBacks)
{
    private const int LastLookedAt = 64;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    private LanePlan LanePlan(bool waits) => new(
        session.EndPoint,
        new OrderTraffic(session, desk, waits) { Codes = Codes },
        TimeSpan.FromSeconds(plan.TimeoutSeconds));

    /// <summary>Refusals of the intake by code.</summary>
    public RefusalCodes Codes { get; private set; } = new();

    /// <summary>Orders before the measured load.</summary>
    public async Task WarmUpAsync(CancellationToken cancel)
    {
        if (plan.WarmUp == 0)
        {
            return;
        }

        session.Tell($"warming up with {plan.WarmUp} orders");
        await using var lanes = await Lanes.OpenAsync(LanePlan(false), plan.ConnectionsUsed, session.Time, cancel);
        await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(plan.WarmUp), session.Time, cancel);
        await SettleAsync(cancel);
        Codes = new RefusalCodes();
    }

    /// <summary>Runs it until every order that was to be paid is final.</summary>
    public async Task<OrderLoadFacts> RunAsync(CancellationToken cancel)
    {
        await using var lanes = await Lanes.OpenAsync(LanePlan(false), plan.ConnectionsUsed, session.Time, cancel);
        await using var waiting = plan.WaitConnections == 0
            ? null
            : await Lanes.OpenAsync(LanePlan(true), plan.WaitConnections, session.Time, cancel);
        session.Tell(plan.Closed
            ? $"closed loop, {plan.ConnectionsUsed} connections and {plan.WaitConnections} that wait for the end"
            : $"open loop, {plan.RatePerSecond}/s for {plan.Seconds} s, {plan.WaitRate}/s of them wait for the end");
        var start = session.Time.GetTimestamp();
        var watch = new SecondsWatch(session, lanes);
        var main = plan.Closed
            ? ClosedAsync(lanes, cancel)
            : OpenAsync(lanes, plan.RatePerSecond - plan.WaitRate, cancel);
        var waits = waiting is null ? Task.CompletedTask
            : plan.Closed ? WaitClosedAsync(waiting, main, cancel)
            : OpenAsync(waiting, plan.WaitRate, cancel);
        var backs = comeBacks.RunAsync(Task.WhenAll(main, waits));
        var facts = await watch.WhileAsync(main);
        await waits;
        await backs;
        var drain = await SettleAsync(cancel);
        return new OrderLoadFacts(
            facts, watch.Samples, waiting?.Sum(), drain, session.Time.GetElapsedTime(start).TotalSeconds);
    }

    private async Task<LoadFacts> ClosedAsync(Lanes lanes, CancellationToken cancel)
    {
        var loop = plan.Count is { } count
            ? ClosedPlan.Of(count)
            : ClosedPlan.For(TimeSpan.FromSeconds(plan.Seconds));
        return LaneFacts.Closed(lanes, await ClosedLoop.RunAsync(lanes, loop, session.Time, cancel));
    }

    private Task WaitClosedAsync(Lanes lanes, Task main, CancellationToken cancel) => ClosedLoop.RunAsync(
        lanes,
        new ClosedPlan(long.MaxValue, TimeSpan.MaxValue) { Done = () => main.IsCompleted },
        session.Time,
        cancel);

    private async Task<LoadFacts> OpenAsync(Lanes lanes, int rate, CancellationToken cancel)
    {
        var start = session.Time.GetTimestamp();
        var open = new OpenPlan(rate, checked(rate * plan.Seconds), TimeSpan.FromMilliseconds(plan.LateMsMax));
        var done = await OpenLoop.RunAsync(lanes, open, session.Time, cancel);
        return LaneFacts.Open(lanes, rate, done, session.Time.GetElapsedTime(start));
    }

    /// <summary>Waits until payments are done, and then until the last orders show it.</summary>
    private async Task<DrainFacts> SettleAsync(CancellationToken cancel)
    {
        var bound = TimeSpan.FromSeconds(plan.DrainSeconds);
        var start = session.Time.GetTimestamp();
        var drain = await BacklogWatch.UntilFinalAsync(session, bound, null, cancel);
        var last = Enumerable.Range(0, desk.Book.Count).Reverse()
            .Where(n => desk.Book[n].Outcome == OfferOutcome.Accepted && OrderOutcomes.Pays(desk.KindOf(n)))
            .Take(LastLookedAt)
            .Select(n => desk.Book[n].Id)
            .ToList();
        foreach (var id in last)
        {
            while ((await session.Api.Sales.OrderAsync(id, cancel)).Status is "PAYMENT_PENDING"
                && session.Time.GetElapsedTime(start) < bound)
            {
                await Task.Delay(LookEvery, session.Time, cancel);
            }
        }

        return drain;
    }
}
