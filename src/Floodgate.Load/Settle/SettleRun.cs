using System.Globalization;
using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;

namespace Floodgate.Load.Settle;

/// <summary>
/// Settles days of growing size: writes the lines, has them settled, computes the day by itself and compares, has them
/// settled again, and measures one raw insert of the same rows; at the end other designs beside it.
/// </summary>
internal sealed class SettleRun(Session session, SettlePlan plan)
{
    private const string Group = "Settlement";
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan TellEvery = TimeSpan.FromSeconds(2);

    private readonly SettleMarket market = new(session.RunId, plan.Merchants);
    private readonly SettleApi api = session.Api.Settlements;
    private readonly List<DayFacts> days = [];
    private readonly Findings runs = new();
    private readonly Findings payouts = new();
    private readonly Findings statements = new();
    private readonly Findings repeats = new();
    private long statementLines;

    /// <summary>Runs the plan and reports, goals not yet judged.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var database = await AsideAsync(Open);
        try
        {
            return await RunAsync(database, blank, cancel);
        }
        finally
        {
            await Task.Run(database.Dispose, CancellationToken.None);
        }
    }

    private async Task<RunReport> RunAsync(IBulkDatabase database, RunReport blank, CancellationToken cancel)
    {
        var first = await AsideAsync(() => FirstDay(database));
        await CreatePoliciesAsync(database, first, cancel);
        var seed = new SettleSeed(database, market, plan.IsLinesOnly);
        var yardsticks = new SettleYardsticks(database, session);
        var book = new ExpectedBook(market);
        await Task.Run(seed.OpenAccounts, cancel);
        for (var i = 0; i < plan.Sizes.Count; i++)
        {
            await SettleAsync(new(database, seed, yardsticks), book, (first + i, plan.Sizes[i]), cancel);
        }

        var insert = plan.LadderLines > 0
            ? await AsideAsync(() => yardsticks.Insert(market, first))
            : ((double, double)?)null;
        var ladder = plan.LadderLines > 0
            ? await AsideAsync(() => yardsticks.Ladder(market, first, plan.LadderLines))
            : [];
        var last = days[^1];
        return blank with
        {
            Figures = [.. Figures(last, insert), .. Curve()],
            Designs = Designs(last, insert, ladder),
            Pictures = Pictures(),
            Use = last.Use,
            Audit = await AuditAsync(cancel),
            Notes = Notes(),
        };
    }

    /// <summary>
    /// Runs what blocks on the pool. Answers of the server are read, and what awaits them goes on, on the thread that
    /// sees data arrive (see Program.cs): a driver that blocked it would wait for itself.
    /// </summary>
    private static Task<T> AsideAsync<T>(Func<T> work) => Task.Run(work);

    private IBulkDatabase Open() => plan.Database.Contains('=') && !File.Exists(plan.Database)
        ? PostgreSqlBulk.Open(plan.Database, session.RunId)
        : SqliteBulk.Open(plan.Database, session.RunId);

    /// <summary>
    /// The first of the days to settle: none is closed, and all are over in every zone and after every delay of a
    /// close, as the day before yesterday is. On an empty database it leaves one day for another run.
    /// </summary>
    private long FirstDay(IBulkDatabase database)
    {
        var closed = database.Query("select closed_through from settlement_calendar", row => row.Long(0))[0];
        var last = DateOnly.FromDateTime(session.Time.GetUtcNow().UtcDateTime).DayNumber - 2;
        var first = Math.Max(last - plan.Sizes.Count, closed + 1);
        return first + plan.Sizes.Count - 1 <= last
            ? first
            : throw new CannotRunException(
                $"The server's calendar is closed through {Text(closed)}, and {plan.Sizes.Count} days up to "
                    + $"{Text(last)} are wanted: start a server on an empty database.");
    }

    private async Task CreatePoliciesAsync(IBulkDatabase database, long first, CancellationToken cancel)
    {
        foreach (var (lineClass, currency, terms) in market.Policies)
        {
            var policy = await api.CreatePolicyAsync(
                new(market.Classes[lineClass], currency, terms.BasisPoints, terms.Fixed, terms.Min, terms.Max,
                    terms.Tiers, Text(first)),
                cancel);
            var found = await AsideAsync(() => database.Query(
                $"select basis_points from commission_policy where id = {database.Literal(policy.Id)}",
                row => row.Long(0)));
            if (found.Count == 0)
            {
                throw new CannotRunException(
                    $"--database is not the one that the server at {session.Address.Url} uses: "
                        + "it lacks a policy just made.");
            }
        }
    }

    private async Task SettleAsync(Bench bench, ExpectedBook book, (long Day, int Lines) of, CancellationToken cancel)
    {
        var (day, lines) = of;
        var start = session.Time.GetTimestamp();
        await Task.Run(
            () => bench.Seed.Write(
                day, lines, written => session.Tell($"{Text(day)}: {written:#,0} of {lines:#,0} lines written")),
            cancel);
        var wrote = session.Time.GetElapsedTime(start).TotalSeconds;
        var planned = await AsideAsync(() => bench.Database.Query(
            $"select cast(sum(lines) as bigint) from settlement_day_total where day = {day}", row => row.Long(0))[0]);
        if (plan.PauseSeconds > 0)
        {
            session.Tell($"{Text(day)}: lines are written; settling in {plan.PauseSeconds} s");
            await Task.Delay(TimeSpan.FromSeconds(plan.PauseSeconds), session.Time, cancel);
        }

        session.Tell($"{Text(day)}: settling {planned:#,0} lines");
        var (took, use) = await new UseMeter(session).WhileAsync(() => UntilSettledAsync(day, cancel), cancel);
        var run = await api.FindAsync(Text(day), cancel);
        runs.Look(
            run.Lines == planned && run.LinesDone == planned ? null : $"settled {run.LinesDone} of {planned} lines",
            Text(day));

        session.Tell($"{Text(day)}: settled in {Units.Seconds(took)}; computing the day and comparing");
        var expected = book.Next(day, lines);
        var listed = await PayoutsAsync(day, cancel);
        PayoutChecks.Look(market, expected, listed, payouts);
        await CompareStatementAsync(expected, lines, listed, cancel);
        await RepeatAsync(day, run, listed, cancel);
        days.Add(new(lines, wrote, took, await AsideAsync(() => bench.Yardsticks.Raw(day)), use));
    }

    /// <summary>
    /// Seconds from the request to the end of the run. The server may be killed and started again meanwhile: what
    /// counts is the day that comes of it.
    /// </summary>
    private async Task<double> UntilSettledAsync(long day, CancellationToken cancel)
    {
        var start = session.Time.GetTimestamp();
        var (told, away) = (TimeSpan.Zero, "");
        for (WireSettlement? run = null; run is not { IsSettled: true };)
        {
            try
            {
                run = run is null ? await api.SettleAsync(Text(day), cancel) : await api.FindAsync(Text(day), cancel);
            }
            catch (CannotRunException error) when (error.IsAway)
            {
                away = $" ({error.Message})";
            }

            await Task.Delay(LookEvery, session.Time, cancel);
            var elapsed = session.Time.GetElapsedTime(start);
            if (elapsed - told >= TellEvery)
            {
                told = elapsed;
                session.Tell($"{Text(day)}: {run?.Status}, {run?.LinesDone:#,0} of {run?.Lines:#,0} lines{away}");
                away = "";
            }

            if (elapsed.TotalSeconds > plan.TimeoutSeconds)
            {
                throw new CannotRunException(
                    $"{Text(day)} is {run?.Status ?? "not asked for"} after --timeout-seconds {plan.TimeoutSeconds}: "
                        + $"look at the server's log.{away}");
            }
        }

        return session.Time.GetElapsedTime(start).TotalSeconds;
    }

    private async Task<List<WirePayout>> PayoutsAsync(long day, CancellationToken cancel)
    {
        var found = new List<WirePayout>();
        await foreach (var payout in api.AllPayoutsAsync(cancel))
        {
            if (payout.Date == Text(day) && payout.MerchantId.StartsWith(market.NamePrefix, StringComparison.Ordinal))
            {
                found.Add(payout);
            }
        }

        return found;
    }

    // One of middling size: the largest has every seventh line.
    private async Task CompareStatementAsync(
        ExpectedDay expected, int lines, List<WirePayout> listed, CancellationToken cancel)
    {
        var merchant = Array.FindIndex(
            expected.Payouts, Math.Min(market.Merchants / 10, market.Merchants - 1), payout => payout.HasLines);
        if (merchant < 0 || listed.Find(payout => payout.MerchantId == market.NameOf(merchant)) is not { } payout)
        {
            statements.Look("there is no payout with a statement", Text(expected.Day));
            return;
        }

        var own = market.LinesOf(expected.Day, lines).Where(line => line.Merchant == merchant)
            .Select(line => (line, expected.FeeOf(line)));
        await PayoutChecks.LookAsync(market, own, api.StatementAsync(payout.Id, cancel), statements);
        statementLines += expected.Payouts[merchant].Captures + expected.Payouts[merchant].Refunds;
    }

    private async Task RepeatAsync(
        long day, WireSettlement run, List<WirePayout> listed, CancellationToken cancel)
    {
        var again = await api.SettleAsync(Text(day), cancel);
        repeats.Look(again == run ? null : $"is {again}, was {run}", Text(day));
        repeats.Look(
            listed.SequenceEqual(await PayoutsAsync(day, cancel)) ? null : "has other payouts than before", Text(day));
    }

    private async Task<AuditResult> AuditAsync(CancellationToken cancel)
    {
        List<AuditCheck> checks =
        [
            runs.Check("every line of a day is settled"),
            payouts.Check("every payout is what the policies say, to the last minor unit"),
            statements.Check("a statement has each line with its fee"),
            repeats.Check("a second run changes nothing"),
        ];
        if (!plan.IsLinesOnly)
        {
            session.Tell("audit: asking for the server's invariants");
            checks.Add(Auditor.Server(await session.Api.InvariantsAsync(cancel)));
        }

        return new(checks.TrueForAll(check => check.Holds), 0, 0, statementLines, checks, []);
    }

    private static IEnumerable<Figure> Figures(DayFacts last, (double BulkSeconds, double EachPerSecond)? insert)
    {
        yield return new(Group, "captured and refunded lines", last.Lines, FigureUnit.Count);
        yield return new(Group, FigureNames.SettleSeconds, last.Seconds, FigureUnit.Seconds);
        yield return new(Group, "lines settled per second", last.PerSecond, FigureUnit.PerSecond);
        yield return new(Group, "one raw insert .. select of the same rows", last.RawSeconds, FigureUnit.Seconds);
        yield return new(Group, FigureNames.SettleToRaw, last.Seconds / last.RawSeconds, FigureUnit.Ratio);
        if (insert is { } rows)
        {
            yield return new(Group, FigureNames.BulkSeconds, rows.BulkSeconds, FigureUnit.Seconds);
            yield return new(
                Group, "the same rows with a commit each, extrapolated", SettleYardsticks.BulkRows / rows.EachPerSecond,
                FigureUnit.Seconds);
        }
    }

    private IEnumerable<Figure> Curve() => days.Count < 2
        ? []
        : days.SelectMany(day => new List<Figure>
        {
            new("Curve", $"{Units.Count(day.Lines)} lines", day.Seconds, FigureUnit.Seconds),
            new("Curve", $"{Units.Count(day.Lines)} lines, raw insert", day.RawSeconds, FigureUnit.Seconds),
            new("Curve", $"{Units.Count(day.Lines)} lines, per second", day.PerSecond, FigureUnit.PerSecond),
            new("Curve", $"{Units.Count(day.Lines)} lines, written by bulk", day.WriteSeconds, FigureUnit.Seconds),
            new("Curve", $"{Units.Count(day.Lines)} lines, peak memory", day.PeakBytes, FigureUnit.Bytes),
        });

    private static List<DesignYardstick> Designs(
        DayFacts last,
        (double BulkSeconds, double EachPerSecond)? insert,
        IReadOnlyList<(string Design, int Workers, double PerSecond)> ladder)
    {
        List<(string Design, int Workers, double PerSecond)> all =
            [("one raw insert .. select", 1, last.Lines / last.RawSeconds), .. ladder];
        if (insert is { } rows)
        {
            all.Add(("row by row, a commit each", 1, rows.EachPerSecond));
        }

        return all.ConvertAll(design => new DesignYardstick(
            design.Design, design.Workers, Math.Round(design.PerSecond, 1), last.PerSecond / design.PerSecond));
    }

    private List<Picture> Pictures() => days.Count < 2
        ? []
        :
        [
            new("Time by lines of the day", "lines", FigureUnit.Seconds,
                [Line("settled", day => day.Seconds), Line("raw insert", day => day.RawSeconds)]) { IsCurve = true },
            new("Peak server memory by lines of the day", "lines", FigureUnit.Bytes, [Line("", day => day.PeakBytes)])
            {
                IsCurve = true,
            },
        ];

    private PictureLine Line(string name, Func<DayFacts, double> figure) =>
        new(name, [.. days.Select(day => new PicturePoint(day.Lines, figure(day)))]);

    private List<string> Notes()
    {
        var notes = new List<string>();
        if (plan.IsLinesOnly)
        {
            notes.Add("--lines-only: the ledger knows nothing of these lines, so the server's invariants are not "
                + "judged and will not hold.");
        }

        if (plan.LadderLines > 0)
        {
            notes.Add($"The other designs settled {Units.Count(plan.LadderLines)} lines, row by row 1,000; all at a "
                + "flat percentage, without sums and without a place to carry on from.");
        }

        return notes;
    }

    private static string Text(long day) =>
        DateOnly.FromDayNumber((int)day).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>What works on the database.</summary>
    private sealed record Bench(IBulkDatabase Database, SettleSeed Seed, SettleYardsticks Yardsticks);

    /// <summary>A day with its times in seconds.</summary>
    private sealed record DayFacts(
        int Lines, double WriteSeconds, double Seconds, double RawSeconds, ResourceUse Use)
    {
        public double PerSecond => Lines / Seconds;

        public double PeakBytes => Use.ServerPeakResidentBytes ?? 0;
    }
}
