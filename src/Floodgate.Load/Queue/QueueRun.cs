using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Queue;

/// <summary>
/// Fills a waiting room whose admission is paused: yardstick, joins, a look at every place, streams, yardstick, audit.
/// </summary>
internal sealed class QueueRun(Session session, QueuePlan plan)
{
    private const string Group = "Waiting room";
    private readonly List<Figure> figures = [];
    private readonly Findings places = new();
    private readonly Findings streams = new();

    private LanePlan Lane(ITraffic traffic) =>
        new(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));

    /// <summary>Runs the plan and reports, goals not yet judged. The room stays paused.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var noOp = new NoOpYardstick(session, plan.NoOpSeconds);
        var before = await noOp.MeasureAsync("before", cancel);
        await WarmUpAsync(cancel);
        var (sale, traffic) = await OpenRoomAsync("", plan.Count, cancel);
        var residentBefore = await ResidentAsync(cancel);
        var (joins, use) = await new UseMeter(session).WhileAsync(() => JoinAsync(traffic, cancel), cancel);
        var perSecond = joins.Facts.AcceptedPerSecond;
        figures.Add(new Figure(Group, FigureNames.JoinsPerSecond, perSecond, FigureUnit.PerSecond));
        AddBytes(FigureNames.BytesPerWaiter, residentBefore, await ResidentAsync(cancel), plan.Count);
        await LookAsync(traffic, cancel);
        await ListenAsync(traffic.Book, cancel);
        var after = await noOp.MeasureAsync("after", cancel);
        var audit = await Auditor.RunAsync(session, AuditScope.OfSale(new SaleScope([sale], [])), cancel);
        audit = audit.With(places.Check("everybody has a place of their own, and nobody was overtaken"));
        return blank with
        {
            Load = joins.Facts,
            Seconds = joins.Seconds,
            Refusals = traffic.Codes.All,
            Yardsticks = [.. new[] { before, after }.OfType<Yardstick>()],
            NoOpRatio = before is null || after is null ? null : perSecond / ((before.PerSecond + after.PerSecond) / 2),
            Figures = figures,
            Use = use,
            Audit = plan.Streams > 0 ? audit.With(streams.Check("every stream stayed open and was pushed to")) : audit,
            Notes =
            [
                "Memory is the growth of the server's resident memory, so it has what the collector left lying about.",
            ],
        };
    }

    private async Task<(Guid Sale, JoinTraffic Traffic)> OpenRoomAsync(string name, int count, CancellationToken cancel)
    {
        var spec = new SaleSpec([new ProductSpec(1)]) { Name = name };
        var sale = await new SaleSetup(session).CreateAsync(spec, cancel);
        await session.Api.Sales.SetWaitingRoomAsync(sale.Id, new WireWaitingRoom(true, true, 1, 600, 1, 1), cancel);
        return (sale.Id, new JoinTraffic(session, sale.Id, count));
    }

    private async Task WarmUpAsync(CancellationToken cancel)
    {
        if (plan.WarmUp > 0)
        {
            var (_, traffic) = await OpenRoomAsync("warm-up", plan.WarmUp, cancel);
            await using var lanes = await Lanes.OpenAsync(Lane(traffic), plan.Connections, session.Time, cancel);
            await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(plan.WarmUp), session.Time, cancel);
        }
    }

    private async Task<(LoadFacts Facts, IReadOnlyList<SecondSample> Seconds)> JoinAsync(
        JoinTraffic traffic, CancellationToken cancel)
    {
        session.Tell($"{plan.Count} buyers join over {plan.Connections} connections");
        await using var lanes = await Lanes.OpenAsync(Lane(traffic), plan.Connections, session.Time, cancel);
        var watch = new SecondsWatch(session, lanes);
        var took = await watch.WhileAsync(
            ClosedLoop.RunAsync(lanes, ClosedPlan.Of(plan.Count), session.Time, cancel));
        return (LaneFacts.Closed(lanes, took), watch.Samples);
    }

    private async Task LookAsync(JoinTraffic joins, CancellationToken cancel)
    {
        var traffic = new PollTraffic(session, joins.Book);
        await using var lanes = await Lanes.OpenAsync(Lane(traffic), plan.Connections, session.Time, cancel);
        var took = await ClosedLoop.RunAsync(lanes, ClosedPlan.Of(joins.Book.Count), session.Time, cancel);
        var facts = LaneFacts.Closed(lanes, took);
        figures.Add(new Figure(Group, "looks at a ticket per second", facts.AcceptedPerSecond, FigureUnit.PerSecond));
        figures.Add(new Figure(Group, "a look at a ticket, p99", facts.Latency.P99Micros, FigureUnit.Micros));

        var joined = Enumerable.Range(0, joins.Book.Count)
            .Where(number => joins.Book[number].Outcome == OfferOutcome.Accepted).ToList();
        var waits = joined.ConvertAll(number => joins.WaitOf(number, traffic.Places[number]));
        var overtaken = Fairness.Overtaken(waits);
        figures.Add(new Figure(Group, FigureNames.Overtaken, overtaken, FigureUnit.Count));
        figures.Add(new Figure(Group, "order of arrival to place in line, rho", Fairness.Rho(waits), FigureUnit.Ratio));
        places.Look(overtaken == 0 ? null : $"{overtaken} were overtaken", "the line");
        foreach (var (place, count) in waits.CountBy(wait => wait.Turn))
        {
            places.Look(
                place < 1 || place > plan.Count ? $"is the place of {count}" : count > 1 ? $"was given {count} times"
                    : null,
                $"place {place}");
        }
    }

    private async Task ListenAsync(OfferBook joins, CancellationToken cancel)
    {
        if (plan.Streams == 0)
        {
            return;
        }

        var count = Math.Min(plan.Streams, joins.Count);
        session.Tell($"opening {count} streams");
        var before = await ResidentAsync(cancel);
        using var open = new TicketStreams(session, joins);
        await open.OpenAsync(count, cancel);
        session.Tell($"listening to them for {plan.StreamSeconds} s");
        open.Begin();
        await Task.Delay(TimeSpan.FromSeconds(plan.StreamSeconds), session.Time, cancel);
        var (pushes, gaps, broken) = open.Seen;
        figures.Add(new Figure(Group, "streams open at once", count, FigureUnit.Count));
        figures.Add(new Figure(Group, "pushes per second", (double)pushes / plan.StreamSeconds, FigureUnit.PerSecond));
        figures.Add(new Figure(Group, "time between two pushes, mean", gaps.MeanMicros, FigureUnit.Micros));
        figures.Add(new Figure(Group, FigureNames.PushP99, gaps.P99Micros, FigureUnit.Micros));
        figures.Add(new Figure(Group, "time between two pushes, longest", gaps.MaxMicros, FigureUnit.Micros));
        AddBytes("server memory for each stream", before, await ResidentAsync(cancel), count);
        streams.Look(broken == 0 ? null : $"{broken} streams ended", "the streams");
        streams.Look(pushes > 0 ? null : "nothing was pushed", "the streams");
    }

    private void AddBytes(string name, long? before, long? after, int count)
    {
        if (after - before is { } grown)
        {
            figures.Add(new Figure(Group, name, Math.Max(0, grown / (double)count), FigureUnit.Bytes));
        }
    }

    private async Task<long?> ResidentAsync(CancellationToken cancel) =>
        (await session.Api.UseAsync(cancel))?.ResidentBytes;
}
