using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Hold;

/// <summary>
/// Lets crowds fight for one product each: yardstick, crowds, yardstick, other designs, audit. Nothing is paid, so the
/// holds end by themselves.
/// </summary>
internal sealed class HoldRun(Session session, HoldPlan plan)
{
    private const string Group = "Holds";
    private static readonly TimeSpan SoldOutWithin = TimeSpan.FromMinutes(10);
    private readonly OfferBook book = new();
    private readonly List<CrowdFacts> crowds = [];
    private readonly Findings exact = new();

    /// <summary>Runs the plan and reports, goals not yet judged.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var products = Enumerable.Repeat(plan.Product, plan.WarmUp + plan.Repeat).ToList();
        var sale = await new SaleSetup(session).CreateAsync(new SaleSpec(products), cancel);
        var noOp = new NoOpYardstick(session, plan.NoOpSeconds);
        var before = await noOp.MeasureAsync("before", cancel);
        var traffic = new HoldTraffic(session, sale, plan, book);
        await WarmUpAsync(traffic, cancel);
        var (load, use) = await new UseMeter(session).WhileAsync(() => CrowdsAsync(traffic, cancel), cancel);
        var after = await noOp.MeasureAsync("after", cancel);
        var perSecond = crowds.Sum(crowd => crowd.Decided) / crowds.Sum(crowd => crowd.Seconds);
        var designs = await LockYardsticks.MeasureAsync(session, plan, perSecond, cancel);
        session.Tell("audit: reading orders, seats and payments");
        var offered = new OfferedOrders(book, n => Buyers.NameOf(session.RunId, n), _ => false);
        var audit = await Auditor.RunAsync(session, AuditScope.OfSale(new SaleScope([sale.Id], [offered])), cancel);
        return blank with
        {
            Load = load,
            Refusals = traffic.Codes.All,
            Yardsticks = [.. new[] { before, after }.OfType<Yardstick>()],
            NoOpRatio = before is null || after is null
                ? null
                : perSecond / ((before.PerSecond + after.PerSecond) / 2),
            Figures = Figures(perSecond),
            Designs = designs,
            Pictures = Pictures(),
            Use = use,
            Audit = audit.With(exact.Check("every crowd got exactly what there was")),
            Notes = plan.WarmUp > 0 ? [$"{plan.WarmUp} crowds came before; refusals count theirs too."] : [],
        };
    }

    private async Task WarmUpAsync(HoldTraffic traffic, CancellationToken cancel)
    {
        await using var lanes = await OpenAsync(traffic, cancel);
        for (var i = 0; i < plan.WarmUp; i++)
        {
            await CrowdAsync(traffic, lanes, i, cancel);
        }

        crowds.Clear();
    }

    private async Task<LoadFacts> CrowdsAsync(HoldTraffic traffic, CancellationToken cancel)
    {
        await using var lanes = await OpenAsync(traffic, cancel);
        for (var i = 0; i < plan.Repeat && !cancel.IsCancellationRequested; i++)
        {
            await CrowdAsync(traffic, lanes, plan.WarmUp + i, cancel);
        }

        return LaneFacts.Closed(lanes, TimeSpan.FromSeconds(crowds.Sum(crowd => crowd.Seconds)));
    }

    private Task<Lanes> OpenAsync(HoldTraffic traffic, CancellationToken cancel) => Lanes.OpenAsync(
        new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds)),
        plan.ConnectionsUsed,
        session.Time,
        cancel);

    private async Task CrowdAsync(HoldTraffic traffic, Lanes lanes, int number, CancellationToken cancel)
    {
        traffic.Begin(number);
        var errorsBefore = lanes.Sum().Errors;
        var loop = plan.UntilSoldOut
            ? new ClosedPlan(long.MaxValue, SoldOutWithin) { Done = () => traffic.SoldOut }
            : ClosedPlan.Of(plan.Buyers);
        var start = session.Time.GetTimestamp();
        var took = await ClosedLoop.RunAsync(lanes, loop, session.Time, cancel);
        var crowd = traffic.Crowd;
        var errors = lanes.Sum().Errors - errorsBefore;
        var until = session.Time.GetElapsedTime(start, crowd.LastAcceptedAt).TotalSeconds;
        crowds.Add(new CrowdFacts(took.TotalSeconds, until, crowd, errors));
        var got = crowd.Accepted * plan.PerOrder;
        exact.Look(
            got <= plan.Expected && got + (errors * plan.PerOrder) >= plan.Expected
                ? null
                : $"got {got}, right is {plan.Expected}",
            $"crowd {number}");
        session.Tell($"crowd {number}: {crowd.Decided} decided in {Units.Seconds(took.TotalSeconds)}, "
            + $"{Units.Count(crowd.Decided / took.TotalSeconds)}/s, {got} of {plan.Product.Capacity} held");
    }

    private List<Figure> Figures(double perSecond)
    {
        var decided = crowds.Sum(crowd => crowd.Decided);
        var accepted = crowds.Sum(crowd => crowd.Accepted);
        var untilSeconds = crowds.Sum(crowd => crowd.UntilSoldOut);
        var figures = new List<Figure>
        {
            new(Group, "crowds", crowds.Count, FigureUnit.Count),
            new(Group, FigureNames.HoldsPerSecond, perSecond, FigureUnit.PerSecond),
            new(
                Group, "the same until sold out", crowds.Sum(crowd => crowd.DecidedUntilSoldOut) / untilSeconds,
                FigureUnit.PerSecond),
            new(Group, "holds taken per second until sold out", accepted / untilSeconds, FigureUnit.PerSecond),
            new(Group, "slowest crowd, decided per second", crowds.Min(c => c.Decided / c.Seconds),
                FigureUnit.PerSecond),
            new(Group, "units or seats held", accepted * plan.PerOrder, FigureUnit.Count),
            new(Group, FigureNames.RefusedShare, decided == 0 ? 0 : 1 - ((double)accepted / decided), FigureUnit.Ratio),
        };
        if (plan is { Seats: not null, BestAvailable: > 1 } && accepted > 0)
        {
            var side = (double)crowds.Sum(crowd => crowd.Adjacent) / accepted;
            figures.Add(new Figure(Group, "share of orders with seats side by side", side, FigureUnit.Ratio));
        }

        return figures;
    }

    private List<Picture> Pictures() => crowds.Count < 2
        ? []
        :
        [
            new Picture("Holds decided per second", "crowd", FigureUnit.PerSecond,
            [
                new PictureLine("", [.. crowds.Select((c, i) => new PicturePoint(i + 1, c.Decided / c.Seconds))]),
            ]),
        ];

    /// <summary>One crowd with its times in seconds.</summary>
    private sealed record CrowdFacts(double Seconds, double UntilSoldOut, Crowd Crowd, long Errors)
    {
        public long Decided => Crowd.Decided;

        public long Accepted => Crowd.Accepted;

        public long Adjacent => Crowd.Adjacent;

        public long DecidedUntilSoldOut => Crowd.DecidedAtLastAccepted;
    }
}
