using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Browse;

/// <summary>What <c>browse</c> was asked to do; see the options of <see cref="BrowseCommand"/>.</summary>
internal sealed record BrowsePlan
{
    /// <summary>Connections of each closed loop.</summary>
    public int Connections { get; init; } = 64;

    /// <summary>How long each lasts, in seconds.</summary>
    public int Seconds { get; init; } = 5;

    /// <summary>Products in the sale.</summary>
    public int Products { get; init; } = 1_000;

    /// <summary>Products on the long page.</summary>
    public int Limit { get; init; } = 1_000;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;
}

/// <summary>
/// Reads pages of a catalogue of 1,000 products in closed loops, cached and uncached, beside the no-op endpoint.
/// </summary>
internal sealed class BrowseRun(Session session, BrowsePlan plan)
{
    private const string Group = "Pages";
    private const int PageLimit = 40;
    private const int WarmUpSecondsMax = 2;

    /// <summary>No product is shown in fewer bytes than its id takes.</summary>
    private const int ProductBytesMin = 36;

    private const string NoCache = "Cache-Control: no-cache\r\n";
    private readonly Findings answers = new();

    /// <summary>Runs the plan and reports, goals not yet judged.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var products = Enumerable.Repeat(new ProductSpec(1), plan.Products).ToList();
        var sale = await new SaleSetup(session).CreateAsync(new SaleSpec(products), cancel);
        var page = $"/v1/products?saleId={sale.Id}&limit={PageLimit}";
        var shown = Math.Min(PageLimit, plan.Products);
        var noOpBefore = await LoopAsync("no-op", "/v1/ops/no-op", "", 0, cancel);
        var (cached, use) = await new UseMeter(session).WhileAsync(
            () => LoopAsync($"page of {PageLimit}, cached", page, "", shown, cancel), cancel);
        var uncached = await LoopAsync($"page of {PageLimit}, uncached", page, NoCache, shown, cancel);
        var longPage = $"/v1/products?saleId={sale.Id}&limit={plan.Limit}";
        var whole = Math.Min(plan.Limit, plan.Products);
        var longCached = await LoopAsync($"page of {plan.Limit}, cached", longPage, "", whole, cancel);
        var longUncached = await LoopAsync($"page of {plan.Limit}, uncached", longPage, NoCache, whole, cancel);
        var noOpAfter = await LoopAsync("no-op", "/v1/ops/no-op", "", 0, cancel);
        var noOp = (noOpBefore.AcceptedPerSecond + noOpAfter.AcceptedPerSecond) / 2;
        var check = answers.Check("every page was answered with 200 and all its products");
        return blank with
        {
            Load = cached,
            NoOpRatio = cached.AcceptedPerSecond / noOp,
            Yardsticks = [YardstickOf("before", noOpBefore), YardstickOf("after", noOpAfter)],
            Figures =
            [
                new(Group, FigureNames.CachedPerSecond, cached.AcceptedPerSecond, FigureUnit.PerSecond),
                new(Group, FigureNames.CachedMean, cached.Latency.MeanMicros, FigureUnit.Micros),
                new(Group, "cached pages, p99", cached.Latency.P99Micros, FigureUnit.Micros),
                new(Group, "uncached pages per second", uncached.AcceptedPerSecond, FigureUnit.PerSecond),
                new(Group, "uncached pages, mean latency", uncached.Latency.MeanMicros, FigureUnit.Micros),
                new(Group, "uncached pages, p99", uncached.Latency.P99Micros, FigureUnit.Micros),
                new(Group, FigureNames.CachedToNoOp, cached.AcceptedPerSecond / noOp, FigureUnit.Ratio),
                new(
                    Group, FigureNames.CachedToUncached, cached.AcceptedPerSecond / uncached.AcceptedPerSecond,
                    FigureUnit.Ratio),
                new(
                    Group, "mean latency cut by the cache",
                    1 - (cached.Latency.MeanMicros / uncached.Latency.MeanMicros), FigureUnit.Ratio),
                .. Long(longCached, "cached"),
                .. Long(longUncached, "uncached"),
                new(
                    Group, "long pages, cached to uncached",
                    longCached.AcceptedPerSecond / longUncached.AcceptedPerSecond, FigureUnit.Ratio),
            ],
            Use = use,
            Audit = new AuditResult(check.Holds, 0, 0, 0, [check], []),
            Notes =
            [
                "The load above is that of the cached pages.",
                "Cache-Control: no-cache passes by the cache in demo mode.",
            ],
        };
    }

    private IEnumerable<Figure> Long(LoadFacts load, string how)
    {
        var what = $"pages of {plan.Limit}, {how}";
        yield return new Figure(Group, $"{what}, per second", load.AcceptedPerSecond, FigureUnit.PerSecond);
        yield return new Figure(Group, $"{what}, mean latency", load.Latency.MeanMicros, FigureUnit.Micros);
        yield return new Figure(Group, $"{what}, p99", load.Latency.P99Micros, FigureUnit.Micros);
    }

    private static Yardstick YardstickOf(string when, LoadFacts noOp) => new(
        when, noOp.Connections, Math.Round(noOp.AcceptedPerSecond, 1), noOp.Latency, noOp.Refused + noOp.Errors);

    private async Task<LoadFacts> LoopAsync(
        string what, string path, string headers, int products, CancellationToken cancel)
    {
        session.Tell($"{what}: {plan.Seconds} s over {plan.Connections} connections");
        var traffic = new PageTraffic(session.Address.Url.Authority, path, headers, products * ProductBytesMin);
        var lanePlan = new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));
        await WarmUpAsync(lanePlan, cancel);
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.Connections, session.Time, cancel);
        var loop = ClosedPlan.For(TimeSpan.FromSeconds(plan.Seconds));
        var took = await ClosedLoop.RunAsync(lanes, loop, session.Time, cancel);
        var facts = LaneFacts.Closed(lanes, took);
        session.Tell($"{what}: {Units.Count(facts.AcceptedPerSecond)}/s");
        answers.Look(
            facts.Accepted == facts.Offered && facts.Accepted > 0
                ? null
                : $"{facts.Refused} refused, {facts.Errors} errors, {facts.Accepted} right",
            what);
        return facts;
    }

    private async Task WarmUpAsync(LanePlan lanePlan, CancellationToken cancel)
    {
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.Connections, session.Time, cancel);
        var loop = ClosedPlan.For(TimeSpan.FromSeconds(Math.Min(WarmUpSecondsMax, plan.Seconds)));
        await ClosedLoop.RunAsync(lanes, loop, session.Time, cancel);
    }
}
