using Floodgate.Load.Accept;
using Floodgate.Load.Audit;
using Floodgate.Load.Queue;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Rush;

/// <summary>
/// A whole on-sale: a crowd that comes as crowds do, the waiting room, orders, payments; until everybody has seats or
/// has gone. The server may be killed and started again meanwhile.
/// </summary>
internal sealed class RushRun(Session session, RushPlan plan)
{
    private const string Group = "Rush";
    private const int PassSeconds = 600;
    private const int RateMin = 10;
    private const int DotsMax = 2_000;

    /// <summary>For setting up before the first buyer comes, in seconds.</summary>
    private const int SetUpSeconds = 3;

    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(100);
    private readonly List<(double At, long Waiting, long Inside, long Bought, long Gone)> moments = [];

    /// <summary>Runs the plan and reports, goals not yet judged.</summary>
    public async Task<RunReport> RunAsync(RunReport blank, CancellationToken cancel)
    {
        var noOp = new NoOpYardstick(session, plan.NoOpSeconds);
        var before = await noOp.MeasureAsync("before", cancel);
        var spec = new SaleSpec([new ProductSpec(0, plan.Seats)], plan.EarlySeconds + SetUpSeconds);
        var sale = await new SaleSetup(session).CreateAsync(spec, cancel);
        var rateMin = Math.Min(RateMin, plan.RateMax);
        var room = new WireWaitingRoom(true, false, plan.ActiveMax, PassSeconds, rateMin, plan.RateMax);
        await session.Api.Sales.SetWaitingRoomAsync(sale.Id, room, cancel);

        var agenda = new RushAgenda(session.Time);
        var traffic = new RushTraffic(session, plan, sale, PassSeconds, agenda);
        var (done, use) = await new UseMeter(session).WhileAsync(
            () => JourneysAsync(traffic, agenda, sale.OpensAt, cancel), cancel);
        var drain = await BacklogWatch.UntilFinalAsync(session, TimeSpan.FromMinutes(5), null, cancel);
        var after = await noOp.MeasureAsync("after", cancel);
        var turns = Turns.Of(traffic, TimestampOf(sale.OpensAt));
        var audit = await AuditAsync(traffic, turns, sale, cancel);
        return blank with
        {
            Load = done.Facts,
            Seconds = done.Seconds,
            Drain = drain,
            Refusals = traffic.Codes.All,
            Yardsticks = [.. new[] { before, after }.OfType<Yardstick>()],
            Figures = Figures(traffic, turns, done.Facts.Seconds - (sale.OpensAt - done.StartedAt).TotalSeconds),
            Pictures = Pictures(traffic),
            Use = use,
            Audit = audit,
            Notes = [.. Notes(done.Facts)],
        };
    }

    private async Task<Journeys> JourneysAsync(
        RushTraffic traffic, RushAgenda agenda, DateTimeOffset opensAt, CancellationToken cancel)
    {
        var now = session.Time.GetUtcNow();
        for (var number = 0; number < plan.Buyers; number++)
        {
            var at = opensAt.AddSeconds(plan.ArrivesAt(number)) - now;
            agenda.Add(number, at > TimeSpan.Zero ? at : TimeSpan.Zero);
        }

        session.Tell($"{plan.Buyers} buyers want {plan.Seats.Count} seats; the sale opens in "
            + Units.Seconds((opensAt - now).TotalSeconds));
        var lanePlan = new LanePlan(session.EndPoint, traffic, TimeSpan.FromSeconds(plan.TimeoutSeconds));
        await using var lanes = await Lanes.OpenAsync(lanePlan, plan.Connections, session.Time, cancel);
        var watch = new SecondsWatch(session, lanes);
        var endsAt = opensAt.AddSeconds(plan.SecondsMax);
        var start = session.Time.GetTimestamp();
        return new Journeys(await watch.WhileAsync(DriveAsync()), watch.Samples, now);

        async Task<LoadFacts> DriveAsync()
        {
            using var noting = session.Time.CreateTimer(
                _ => NoteMoment(traffic, (session.Time.GetUtcNow() - opensAt).TotalSeconds),
                null,
                TimeSpan.Zero,
                TimeSpan.FromSeconds(1));
            var lanesAtWork = lanes.All.Select(lane => Task.Run(() => DriveLaneAsync(lane, agenda), cancel)).ToList();
            await agenda.RunAsync(() => traffic.Ended == plan.Buyers || cancel.IsCancellationRequested
                || session.Time.GetUtcNow() > endsAt);
            await Task.WhenAll(lanesAtWork);
            cancel.ThrowIfCancellationRequested();
            return LaneFacts.Closed(lanes, session.Time.GetElapsedTime(start)) with { Loop = "crowd" };
        }
    }

    /// <summary>A moment of the wall clock in timestamps of the run's clock.</summary>
    private long TimestampOf(DateTimeOffset at) => session.Time.GetTimestamp()
        + (long)((at - session.Time.GetUtcNow()).TotalSeconds * session.Time.TimestampFrequency);

    private async Task DriveLaneAsync(Lane lane, RushAgenda agenda)
    {
        await foreach (var (buyer, dueAt) in agenda.Due.ReadAllAsync())
        {
            if (!await lane.CarryAsync(dueAt, buyer))
            {
                await Task.Delay(ReconnectPause, session.Time);
            }
        }
    }

    private void NoteMoment(RushTraffic traffic, double at)
    {
        var (joined, admitted, inside) = traffic.Now;
        var gone = traffic.Of(RushEnd.WentHome) + traffic.Of(RushEnd.Left) + traffic.Of(RushEnd.Vanished);
        lock (moments)
        {
            moments.Add((Math.Round(at, 1), joined - admitted - gone, inside, traffic.Of(RushEnd.Bought), gone));
        }
    }

    private async Task<AuditResult> AuditAsync(
        RushTraffic traffic, Turns turns, SaleOnSite sale, CancellationToken cancel)
    {
        session.Tell("audit: reading orders, seats and payments");
        var offered = new OfferedOrders(
            traffic.Book, n => Buyers.NameOf(session.RunId, n), n => plan.TemperOf(n) != Temper.ChangesMind);
        var audit = await Auditor.RunAsync(session, AuditScope.OfSale(new SaleScope([sale.Id], [offered])), cancel);
        var journeys = new Findings();
        journeys.Look(
            traffic.Ended == plan.Buyers ? null : $"{plan.Buyers - traffic.Ended} are still under way", "the crowd");
        var order = new Findings();
        order.Look(
            turns.Overtaken == 0 ? null : $"{turns.Overtaken} were overtaken", "those who came after the opening");
        order.Look(
            turns.LateBeforeEarly is var wrong and > 0 ? $"{wrong} were let in before somebody of the draw"
                : null,
            "those who came after the opening");
        return audit
            .With(journeys.Check("everybody's journey came to an end"))
            .With(traffic.Places)
            .With(order.Check("the draw comes before the line, and the line keeps its order"));
    }

    private List<Figure> Figures(RushTraffic traffic, Turns turns, double secondsFromOpening)
    {
        var bought = traffic.Of(RushEnd.Bought);
        List<Figure> figures =
        [
            new(Group, "buyers", plan.Buyers, FigureUnit.Count),
            new(Group, "seats", plan.Seats.Count, FigureUnit.Count),
            new(Group, FigureNames.Sold, bought * plan.PerOrder, FigureUnit.Count),
            new(Group, FigureNames.RushSeconds, secondsFromOpening, FigureUnit.Seconds),
            new(Group, "let in", traffic.Now.Admitted, FigureUnit.Count),
            new(Group, FigureNames.Overtaken, turns.Overtaken, FigureUnit.Count),
        ];
        foreach (var (end, name) in Ends)
        {
            figures.Add(new Figure("How it ended for them", name, traffic.Of(end), FigureUnit.Count));
        }

        AddRho(figures, "drawn: order of arrival to order of admission, rho", turns.Early);
        AddRho(figures, "in line: order of arrival to order of admission, rho", turns.Late);
        return figures;
    }

    private static void AddRho(List<Figure> figures, string name, List<Wait> all)
    {
        var waits = all.FindAll(wait => wait.Turn < Turns.None);
        if (waits.Count > 1 && Fairness.Rho(waits) is var rho && !double.IsNaN(rho))
        {
            figures.Add(new Figure(Group, name, rho, FigureUnit.Ratio));
        }
    }

    private static readonly (RushEnd End, string Name)[] Ends =
    [
        (RushEnd.Bought, "bought"),
        (RushEnd.WentHome, "told while waiting that all is sold"),
        (RushEnd.TooLate, "let in, and nothing was left"),
        (RushEnd.Left, "gave up waiting and said so"),
        (RushEnd.Vanished, "gave up waiting without a word"),
        (RushEnd.GaveBack, "held seats and gave them back"),
        (RushEnd.NotPaid, "payment failed"),
        (RushEnd.Refused, "refused for another reason"),
    ];

    private List<Picture> Pictures(RushTraffic traffic)
    {
        lock (moments)
        {
            return
            [
                new Picture("People", "seconds after the opening", FigureUnit.Count,
                [
                    Line("waiting", m => m.Waiting),
                    Line("inside, not ordered yet", m => m.Inside),
                    Line("bought", m => m.Bought),
                    Line("went or gave up", m => m.Gone),
                ]),
                new Picture("Bought and inside", "seconds after the opening", FigureUnit.Count,
                [
                    Line("bought", m => m.Bought),
                    Line("inside, not ordered yet", m => m.Inside),
                ]),
                new Picture(
                    "Who was let in when", "place in the order of arrival", FigureUnit.Count, [Admissions(traffic)])
                {
                    Scatter = true,
                },
            ];
        }

        PictureLine Line(string name, Func<(double At, long Waiting, long Inside, long Bought, long Gone), long> of) =>
            new(name, [.. moments.Select(m => new PicturePoint(m.At, of(m)))]);
    }

    private static PictureLine Admissions(RushTraffic traffic)
    {
        var byArrival = traffic.All.Where(buyer => buyer.SentAt > 0).OrderBy(buyer => buyer.SentAt).ToList();
        var turns = byArrival.Where(buyer => buyer.AdmittedMs > 0).OrderBy(buyer => buyer.AdmittedMs)
            .Select((buyer, turn) => (buyer, turn)).ToDictionary(one => one.buyer, one => one.turn + 1);
        var step = Math.Max(1, turns.Count / DotsMax);
        return new PictureLine("place in the order of admission",
        [
            .. byArrival.Select((buyer, arrival) => (buyer, arrival))
                .Where(one => turns.TryGetValue(one.buyer, out var turn) && turn % step == 0)
                .Select(one => new PicturePoint(one.arrival + 1, turns[one.buyer])),
        ]);
    }

    private static IEnumerable<string> Notes(LoadFacts facts)
    {
        yield return "Offered, accepted and refused count requests: joins, looks, orders and so on.";
        if (facts.Errors > 0)
        {
            yield return $"{facts.Errors} requests had no answer and were sent again; if the server was restarted in "
                + "the run, these are that, and its CPU time counts from the restart.";
        }
    }

    /// <summary>The turns of those who came before the opening and after it, gathered once.</summary>
    private sealed record Turns(List<Wait> Early, List<Wait> Late)
    {
        /// <summary>Of who waited to the end and was not let in: it would have come after all others.</summary>
        public const long None = long.MaxValue;

        /// <summary>How many of those who came late were overtaken.</summary>
        public int Overtaken { get; } = Fairness.Overtaken(Late);

        /// <summary>How many of those who came late were let in before the last of those who came early.</summary>
        public int LateBeforeEarly
        {
            get
            {
                var lastEarly = Early.Select(wait => wait.Turn).DefaultIfEmpty(0).Max();
                return Late.Count(wait => wait.Turn < lastEarly);
            }
        }

        /// <summary>
        /// Who gave up has no turn; whose join was under way at the moment of the opening may belong to either and
        /// is left out.
        /// </summary>
        public static Turns Of(RushTraffic traffic, long opensAt)
        {
            var (early, late) = (new List<Wait>(), new List<Wait>());
            foreach (var buyer in traffic.All)
            {
                if (buyer.AnsweredAt == 0 || buyer.End is RushEnd.Left or RushEnd.Vanished or RushEnd.Refused)
                {
                    continue;
                }

                var wait = new Wait(
                    buyer.SentAt, buyer.AnsweredAt, buyer.AdmittedMs > 0 ? buyer.AdmittedMs : None);
                if (buyer.AnsweredAt < opensAt)
                {
                    early.Add(wait);
                }
                else if (buyer.SentAt > opensAt)
                {
                    late.Add(wait);
                }
            }

            return new(early, late);
        }
    }

    private sealed record Journeys(LoadFacts Facts, IReadOnlyList<SecondSample> Seconds, DateTimeOffset StartedAt);
}
