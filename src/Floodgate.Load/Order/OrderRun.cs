using System.Text.Json.Nodes;
using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>
/// Sends whole orders and follows them to the end: yardstick, load, all final, yardstick, the same in SQL, audit.
/// </summary>
internal sealed class OrderRun(Session session, OrderPlan plan)
{
    private const string Group = "Orders";
    private const double DeclineRatio = 0.03;

    /// <summary>Runs the plan and reports, goals not yet judged. Puts the provider's knobs back.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var stage = await OrderStage.BuildAsync(session, plan, cancel);
        var desk = new OrderDesk(plan, stage, new OfferBook());
        using var comeBacks = new ComeBacks(session, desk);
        desk.ComesBack = comeBacks.Add;
        var noOp = new NoOpYardstick(session, plan.NoOpSeconds);
        var before = await noOp.MeasureAsync("before", cancel);
        var load = new OrderLoad(session, plan, desk, comeBacks);
        await load.WarmUpAsync(cancel);
        var outcomes = new OrderOutcomes(desk, desk.Book.Count);
        var (done, use) = await WithDeclinesAsync(
            () => new UseMeter(session).WhileAsync(() => load.RunAsync(cancel), cancel), cancel);
        var after = await noOp.MeasureAsync("after", cancel);
        var audit = await AuditAsync(desk, comeBacks, outcomes, cancel);
        var perSecond = outcomes.Final / done.FinalSeconds;
        return blank with
        {
            Load = done.Facts,
            Seconds = done.Seconds,
            Drain = done.Drain,
            Refusals = load.Codes.All,
            Yardsticks = [.. new[] { before, after }.OfType<Yardstick>()],
            Designs = await OrderYardstick.MeasureAsync(session, plan, perSecond, cancel),
            Figures = [.. Figures(done, perSecond, comeBacks), .. outcomes.Figures()],
            Use = use,
            Audit = audit,
            Notes = [.. Notes()],
        };
    }

    private async Task<AuditResult> AuditAsync(
        OrderDesk desk, ComeBacks comeBacks, OrderOutcomes outcomes, CancellationToken cancel)
    {
        session.Tell("audit: reading orders and payments");
        var offered = new OfferedOrders(
            desk.Book,
            n => desk.Stage.BuyerOf(session.RunId, n, desk.KindOf(n), plan),
            n => OrderOutcomes.Pays(desk.KindOf(n)));
        var scope = new SaleScope([desk.Stage.Sale.Id], [offered])
        {
            Repeats = outcomes.Repeats,
            Read = outcomes.Read,
        };
        var audit = await Auditor.RunAsync(session, AuditScope.OfSale(scope), cancel);
        return plan.Mixed ? audit.With(comeBacks.PaidTwice) : audit;
    }

    private IEnumerable<Figure> Figures(OrderLoadFacts done, double perSecond, ComeBacks comeBacks)
    {
        yield return new Figure(Group, FigureNames.FinalPerSecond, perSecond, FigureUnit.PerSecond);
        yield return new Figure(
            Group, "from the first order until all are final", done.FinalSeconds, FigureUnit.Seconds);
        if (done.Waits is { } waits)
        {
            yield return new Figure(Group, "orders whose buyer waited for the end", waits.Offered, FigureUnit.Count);
            yield return new Figure(
                Group, "time to the final state, mean", waits.Latency.MeanMicros, FigureUnit.Micros);
            yield return new Figure(
                Group, "time to the final state, p50", waits.Latency.PercentileMicros(50), FigureUnit.Micros);
            yield return new Figure(
                Group, FigureNames.FinalP95, waits.Latency.PercentileMicros(95), FigureUnit.Micros);
            yield return new Figure(
                Group, "time to the final state, p99", waits.Latency.PercentileMicros(99), FigureUnit.Micros);
        }

        if (plan.Mixed)
        {
            var (whole, part, refused) = comeBacks.Cancelled;
            yield return new Figure(Group, "given back whole", whole, FigureUnit.Count);
            yield return new Figure(Group, "given back in part", part, FigureUnit.Count);
            yield return new Figure(Group, "not given back: was not confirmed", refused, FigureUnit.Count);
            foreach (var code in comeBacks.Codes.All)
            {
                yield return new Figure(Group, $"later requests refused: {code.Code}", code.Count, FigureUnit.Count);
            }
        }
    }

    private IEnumerable<string> Notes()
    {
        if (plan.WaitPercent > 0)
        {
            yield return "Orders whose buyer waits count in what is final, not in offered and accepted.";
        }

        if (plan.Mixed)
        {
            yield return "Mixed: of 20 orders one has no cover, one is abandoned, one cancelled, one paid twice"
                + " at once, one a repeat, one cancelled in part; the provider declines 3 % of what goes"
                + " through the gateway.";
        }
    }

    private async Task<T> WithDeclinesAsync<T>(Func<Task<T>> work, CancellationToken cancel)
    {
        if (!plan.Mixed)
        {
            return await work();
        }

        var faults = await session.Api.FaultsAsync(cancel);
        var declining = (JsonObject)faults.DeepClone();
        declining["declineRatio"] = DeclineRatio;
        try
        {
            await session.Api.SetFaultsAsync(declining, cancel);
            return await work();
        }
        finally
        {
            // Not cancellable: a provider left declining would spoil whatever runs next.
            await session.Api.SetFaultsAsync(faults, CancellationToken.None);
        }
    }
}
