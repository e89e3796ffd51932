using Floodgate.Payment.Ledger;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>
/// The steps of a run, each a chain of short transactions of which every one can be the last of its process:
/// <list type="number">
/// <item>rates: fix what each account and class costs, once;</item>
/// <item>ranges: cut the lines into ranges of equal size, in the order of their key, so that a merchant with most of
/// the lines is cut like all others;</item>
/// <item>lines: settle a range, that is fees, sums by account and the mark that it is done, in one transaction;</item>
/// <item>payouts: a page of accounts with their payouts, ledger postings and events, in one transaction;</item>
/// <item>compare the sums, and end the run.</item>
/// </list>
/// No line is brought into this process, so memory does not grow with the day.
/// </summary>
internal sealed class RunSteps
{
    private const int ClassesPage = 1_000;
    private const int PayoutsPage = 500;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan OthersDelay = TimeSpan.FromMilliseconds(50);

    private readonly Database database;
    private readonly BatchReads reads;
    private readonly Journal journal;
    private readonly IEventLog log;
    private readonly BatchesSettings settings;
    private readonly TimeProvider time;
    private readonly Days days;

    public RunSteps(
        Database database, BatchReads reads, Journal journal, IEventLog log, (BatchesSettings Of, TimeProvider Time) by)
    {
        (this.database, this.reads, this.journal, this.log, settings, time) =
            (database, reads, journal, log, by.Of, by.Time);
        days = new(settings.Zone);
    }

    /// <summary>
    /// Carries a run on to its end. All earlier days must be settled: their payouts say what is carried over.
    /// </summary>
    public async Task ContinueAsync(
        SettlementRun run, Action<SettlementProgress>? progress, CancellationToken cancel)
    {
        var task = new RunTask(run.Day, progress);
        if (run.State == RunState.Planning)
        {
            await FixRatesAsync(task, cancel);
            await CutAsync(task, cancel);
        }

        await SettleAsync(task, cancel);
        await PayOutAsync(task, cancel);
        await TryAsync(tx => EndAsync(tx, task.Number), cancel);
    }

    private async Task FixRatesAsync(RunTask task, CancellationToken cancel)
    {
        List<ClassOfDay>? page = null;
        do
        {
            var after = page?[^1];
            page = await TryAsync(tx => FixRatesAsync(tx, task.Day, after), cancel);
            task.Tell("rates");
        }
        while (page.Count == ClassesPage);
    }

    /// <summary>
    /// The rates of a page of accounts and classes, by the policies and the volume of the month up to and with the day.
    /// Policies cannot change for a closed day, so whoever repeats it finds the same.
    /// </summary>
    private async ValueTask<List<ClassOfDay>> FixRatesAsync(Tx tx, DateOnly day, ClassOfDay? after)
    {
        var page = await BatchesSql.SelectClassesAsync(tx, day.DayNumber, after, ClassesPage);
        if (page.Count == 0)
        {
            return page;
        }

        var policies = await LinesSql.SelectPoliciesAsync(
            tx, [.. page.Select(c => c.Account.MerchantId).Distinct()]);
        var volumes = await BatchesSql.VolumesAsync(
            tx, (Days.MonthOf(day), day.DayNumber), (page[0].Account.Id, page[^1].Account.Id));
        var standard = new Rate(settings.CommissionBasisPoints, 0, 0, Rate.NoMax);
        var byMerchant = policies.ToLookup(p => p.Scope.MerchantId ?? "");
        BatchesSql.Insert(tx, day.DayNumber, page.ConvertAll(of =>
        {
            var (account, lineClass) = of;
            var policy = PolicyRules.Choose(
                byMerchant[account.MerchantId].Concat(byMerchant[""]),
                (account.MerchantId, lineClass, account.Currency),
                day);
            return (of, policy?.Terms.At(volumes.GetValueOrDefault(account.Id)) ?? standard, policy?.Id);
        }));
        return page;
    }

    private async Task CutAsync(RunTask task, CancellationToken cancel)
    {
        var lines = await database.ReadAsync(tx => BatchesSql.CountLinesAsync(tx, task.Number), cancel);
        var ranges = await CutAsync(task.Number, reads.ReadAsync, cancel);
        if (reads.HasReplica && ranges.Sum(r => r.Lines) != lines)
        {
            // The replica is behind the close of the day.
            ranges = await CutAsync(task.Number, database.ReadAsync, cancel);
        }

        Invariant.Check(ranges.Sum(r => r.Lines) == lines, "ranges cover every line of the day");
        await TryAsync(tx => BatchesSql.StartAsync(tx, task.Number, ranges), cancel);
        task.Tell("ranges");
    }

    private async ValueTask<List<LineRange>> CutAsync(
        long day,
        Func<Func<Tx, ValueTask<(LineKey Last, long Lines)?>>, CancellationToken,
            ValueTask<(LineKey Last, long Lines)?>> readAsync,
        CancellationToken cancel)
    {
        var ranges = new List<LineRange>();
        var after = LineKey.First;
        while (await readAsync(
            tx => BatchesSql.FindBoundaryAsync(tx, day, after, settings.RangeLines), cancel) is { } found)
        {
            ranges.Add(new(ranges.Count, after, found.Last, found.Lines));
            after = found.Last;
        }

        return ranges;
    }

    private async Task SettleAsync(RunTask task, CancellationToken cancel)
    {
        // SQLite has one writer: a second would only wait for it.
        var workers = database.Dialect == Dialect.Sqlite ? 1 : settings.WorkersMax;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, workers),
            new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancel },
            async (_, stop) => await SettleRangesAsync(task, stop));
    }

    private async Task SettleRangesAsync(RunTask task, CancellationToken cancel)
    {
        while (true)
        {
            if (await TryAsync(tx => SettleRangeAsync(tx, task.Number), cancel) is { } range)
            {
                BatchesLog.CountSettled(range.Lines);
                task.Tell("lines", range.Lines);
            }
            else if (await database.ReadAsync(tx => BatchesSql.CountUndoneAsync(tx, task.Number), cancel) == 0)
            {
                return;
            }
            else
            {
                // Others are at what is left; what they give up is free again.
                await Task.Delay(OthersDelay, time, cancel);
            }
        }
    }

    private async ValueTask<LineRange?> SettleRangeAsync(Tx tx, long day)
    {
        var range = await BatchesSql.ClaimAsync(tx, day);
        if (range is not null)
        {
            BatchesSql.Settle(tx, day, range, UtcInstant.Now(time).Ms);
        }

        return range;
    }

    private async Task PayOutAsync(RunTask task, CancellationToken cancel)
    {
        var after = 0L;
        while (await TryAsync(tx => PayOutAsync(tx, task.Day, after), cancel) is { } last)
        {
            after = last;
            task.Tell("payouts");
        }
    }

    /// <summary>
    /// Payouts of a page of accounts; those that are there already are passed over, with what follows from them. The
    /// last account of the page, or null when there was none.
    /// </summary>
    private async ValueTask<long?> PayOutAsync(Tx tx, DateOnly day, long afterAccount)
    {
        var nets = await BatchesSql.SelectNetsAsync(tx, day.DayNumber, afterAccount, PayoutsPage);
        if (nets.Count == 0)
        {
            return null;
        }

        var last = nets[^1].Account.Id;
        var totals = await BatchesSql.SelectDayTotalsAsync(tx, day.DayNumber, (nets[0].Account.Id, last));
        Invariant.Check(
            totals.SequenceEqual(nets.Select(n => (n.Account.Id, n.Captures + n.Refunds, n.Captured, n.Refunded))),
            "what was settled of each account is what was written for it");
        var carried = await BatchesSql.CarriedAsync(tx, day.DayNumber, nets.ConvertAll(n => n.Account.Id));
        var (end, nowMs) = (days.EndOf(day), UtcInstant.Now(time).Ms);
        var payouts = nets.ConvertAll(
            n => Payout.Of(n, day.DayNumber, end, carried.GetValueOrDefault(n.Account.Id), nowMs));
        var made = await BatchesSql.InsertAsync(tx, payouts);
        var news = payouts.FindAll(p => made.Contains(p.Id));
        await journal.PostAsync(tx, [.. news.SelectMany(p => p.Postings())]);
        await log.AppendAsync(tx, news.ConvertAll(BatchesEvents.Of));
        return last;
    }

    private async ValueTask<bool> EndAsync(Tx tx, long day)
    {
        var sums = await BatchesSql.RunSumsAsync(tx, day);
        Invariant.Check(
            sums.Planned == sums.Settled && sums.Settled == sums.Paid,
            $"every line of a day is settled and paid out once: {sums}");
        BatchesSql.End(tx, day, sums.Payouts, UtcInstant.Now(time).Ms);
        return true;
    }

    /// <summary>Runs a step, some times again while the database is away; each finds what is done already.</summary>
    private async Task<T> TryAsync<T>(Func<Tx, ValueTask<T>> step, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await database.WriteAsync(step, cancel);
            }
            catch (DatabaseUnavailableException) when (attempt < settings.AttemptsMax)
            {
                await Task.Delay(RetryDelay * (1 << Math.Min(attempt, 8)), time, cancel);
            }
        }
    }

    /// <summary>A run in this process, and who is told of it.</summary>
    private sealed class RunTask(DateOnly day, Action<SettlementProgress>? progress)
    {
        private readonly Lock gate = new();
        private string step = "";
        private long done;
        private long lines;

        public DateOnly Day => day;

        public long Number => day.DayNumber;

        public void Tell(string now, long settled = 0)
        {
            lock (gate)
            {
                done = now == step ? done + 1 : 1;
                (step, lines) = (now, lines + settled);
                progress?.Invoke(new(day, step, done, lines));
            }
        }
    }
}
