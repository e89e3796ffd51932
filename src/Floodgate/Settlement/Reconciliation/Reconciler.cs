using System.Buffers;
using System.Text;
using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Ledger;
using Floodgate.Payment.Results;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>The topic of finished reconciliations (DESIGN section 5); schema in docs/events.md.</summary>
public static class ReconciliationEvents
{
    /// <summary>Facts for outside: books were compared.</summary>
    public static readonly Topic Completed = new(9, "reconciliation.completed", 1, 30);
}

/// <summary>What the reconciler needs besides the database.</summary>
/// <param name="Settings">Its limits.</param>
/// <param name="Time">The clock.</param>
/// <param name="Ids">New ids.</param>
/// <param name="EventLog">Where its end is told.</param>
public sealed record ReconcilerTools(ReconciliationSettings Settings, TimeProvider Time, Ids Ids, IEventLog EventLog);

/// <summary>The books that have checks of their own over all rows.</summary>
public sealed record ReconcilerBooks(
    StatementBook Statements, Journal Journal, PaymentChecks Payments, IEnumerable<Comparison> Comparisons);

/// <summary>
/// Compares what the provider, the payments, the ledger and the orders say, and writes down what does not agree. It
/// mends nothing. The same window may be compared again at any time: the same error stays one finding.
/// </summary>
public sealed class Reconciler(Database database, ReconcilerBooks books, ReconcilerTools tools)
{
    // Their rules are told with more evidence by findings of their own.
    private static readonly string[] ToldByFindings = ["debits-equal-credits", "accounts-equal-entries"];

    /// <summary>
    /// Asks for a reconciliation. The one of this key is answered again; null when that was of another window or
    /// depth.
    /// </summary>
    public async ValueTask<(ReconciliationRun? Run, bool IsReplay)> AskAsync(
        string key, Window window, bool isDeep, CancellationToken cancel) => await database.WriteAsync(
        async tx =>
        {
            var run = new ReconciliationRun(tools.Ids.Next(), key, window, isDeep)
            {
                RequestedMs = UtcInstant.Now(tools.Time).Ms,
            };
            if (await ReconciliationSql.InsertAsync(tx, run))
            {
                return ((ReconciliationRun?)run, false);
            }

            var earlier = (await ReconciliationSql.FindByKeyAsync(tx, key))!;
            var isSame = earlier.IsDeep == isDeep && earlier.Window.FromMs == window.FromMs
                && (earlier.Window.UntilMs == window.UntilMs || earlier.State != "WAITING");
            return (isSame ? earlier : null, true);
        },
        cancel);

    /// <summary>Asks for the next one by timetable: from some hours before the end of the last one to now.</summary>
    public async ValueTask AskNextAsync(UtcInstant due, bool isDeep, CancellationToken cancel)
    {
        var last = await database.ReadAsync(ReconciliationSql.LastUntilAsync, cancel) ?? 0;
        var from = Math.Max(0, new UtcInstant(last).Plus(TimeSpan.FromHours(-tools.Settings.OverlapHours)).Ms);
        var until = Math.Max(due.Ms, from + 1);
        await AskAsync($"timetable/{(isDeep ? "deep/" : "")}{due}", new(from, until), isDeep, cancel);
    }

    /// <summary>Carries out everything that was asked for, oldest first.</summary>
    public async ValueTask<string> WorkAsync(Action<string> report, CancellationToken cancel)
    {
        await books.Statements.SweepAsync(cancel);
        var (done, failed, findings) = (0, 0, 0L);
        foreach (var run in await database.ReadAsync(ReconciliationSql.SelectWaitingAsync, cancel))
        {
            try
            {
                findings += (await RunAsync(run, fetches: true, report, cancel)).Findings;
                done++;
            }
            catch (Exception error) when (error is not (DatabaseUnavailableException or OperationCanceledException))
            {
                // Told in its row; those behind it must not wait for ever.
                await database.WriteAsync(
                    tx => ReconciliationSql.UpdateAsync(tx, run with
                    {
                        State = "FAILED",
                        EndedMs = UtcInstant.Now(tools.Time).Ms,
                        Detail = error.Message.ReplaceLineEndings(" "),
                    }),
                    cancel);
                failed++;
            }
        }

        Invariant.Check(failed == 0, "every reconciliation comes to its end; see their details");
        return $"{done} reconciliations, {findings} findings";
    }

    /// <summary>
    /// Carries out one: the statement is fetched unless told otherwise, each comparison is made a page at a time, and
    /// the report and its event are written together.
    /// </summary>
    public async ValueTask<ReconciliationRun> RunAsync(
        ReconciliationRun asked, bool fetches, Action<string> report, CancellationToken cancel)
    {
        var startedMs = UtcInstant.Now(tools.Time).Ms;
        var isFetched = fetches && await books.Statements.FetchAsync(cancel);
        var run = asked with
        {
            State = "DONE",
            Window = asked.Window with
            {
                UntilMs = Math.Max(
                    asked.Window.FromMs,
                    Math.Min(asked.Window.UntilMs, startedMs - (tools.Settings.GraceSeconds * 1_000L))),
            },
            Detail = isFetched || !fetches ? "" : "The provider's statement could not be fetched to its end. ",
        };
        if (!run.Window.IsEmpty)
        {
            run = await CompareAsync(run, report, cancel);
            report("totals");
            run = await SumAsync(run, cancel);
        }

        if (run.IsDeep)
        {
            report("checks over all rows");
            await SaveAsync(run.Id, await CheckAsync(cancel), cancel);
        }

        return await database.WriteAsync(
            async tx =>
            {
                var ended = run with
                {
                    EndedMs = UtcInstant.Now(tools.Time).Ms,
                    Findings = await ReconciliationSql.CountSeenAsync(tx, run.Id),
                };
                if (await ReconciliationSql.UpdateAsync(tx, ended))
                {
                    await tools.EventLog.AppendAsync(tx, [EventOf(ended)]);
                }

                return ended;
            },
            cancel);
    }

    /// <summary>A reconciliation, or null.</summary>
    public ValueTask<ReconciliationRun?> FindAsync(Guid id, CancellationToken cancel) =>
        database.ReadAsync(tx => ReconciliationSql.FindAsync(tx, id), cancel);

    /// <summary>Reconciliations, newest first, older than the one of this id.</summary>
    public ValueTask<List<ReconciliationRun>> ListAsync(Guid before, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => ReconciliationSql.SelectRunsAsync(tx, before, max), cancel);

    /// <summary>Findings of a reconciliation, by id.</summary>
    public ValueTask<List<Finding>> FindingsAsync(Guid run, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => ReconciliationSql.SelectFindingsAsync(tx, run, after, max), cancel);

    /// <summary>Findings of a state, by id.</summary>
    public ValueTask<List<Finding>> FindingsAsync(FindingState state, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(
            tx => ReconciliationSql.SelectFindingsAsync(tx, ReconciliationSql.Word(state), after, max), cancel);

    /// <summary>Writes down what was made of a finding; null when there is none of this id.</summary>
    public ValueTask<Finding?> CloseAsync(Guid id, FindingState state, string note, CancellationToken cancel) =>
        database.WriteAsync(
            tx => ReconciliationSql.CloseAsync(tx, id, state, note, UtcInstant.Now(tools.Time).Ms), cancel);

    /// <summary>How many findings nobody has looked at: the number to be alarmed by.</summary>
    public static ValueTask<long> CountOpenAsync(Tx tx) => ReconciliationSql.CountOpenAsync(tx);

    private async ValueTask<ReconciliationRun> CompareAsync(
        ReconciliationRun run, Action<string> report, CancellationToken cancel)
    {
        var covered = await CoveredAsync(run.Window, cancel);
        var (compared, unmatched) = (0L, 0L);
        foreach (var comparison in books.Comparisons)
        {
            foreach (var window in comparison.NeedsStatement ? covered : [run.Window])
            {
                for (string? from = null; ;)
                {
                    var page = await database.ReadAsync(tx => comparison.PageAsync(tx, window, from), cancel);
                    await SaveAsync(run.Id, page.Found, cancel);
                    compared += page.Compared;
                    unmatched += page.Compared > 0 ? page.Found.DistinctBy(found => found.Subject).Count() : 0;
                    report($"{comparison.Name}: {compared} compared, {unmatched} unmatched");
                    if (page.Next is null)
                    {
                        break;
                    }

                    from = page.Next;
                }
            }
        }

        var open = run.Window.UntilMs - run.Window.FromMs - covered.Sum(w => w.UntilMs - w.FromMs);
        return run with
        {
            Compared = compared,
            Matched = compared - unmatched,
            Detail = run.Detail + (open == 0
                ? ""
                : $"Of the window {open / 1_000} s are in no statement, and were not looked up there. "),
        };
    }

    /// <summary>
    /// The parts of the window for which a statement is whole. What is recorded here was decided there a little before,
    /// so a statement's first moments are left to the one before it.
    /// </summary>
    private async ValueTask<List<Window>> CoveredAsync(Window window, CancellationToken cancel)
    {
        var statements = await database.ReadAsync(ReconciliationSql.SelectLoadedAsync, cancel);
        var graceMs = tools.Settings.GraceSeconds * 1_000L;
        return
        [
            .. Window.Merge(statements.Select(statement => statement.Covers))
                .Select(w => window.Within(w.FromMs == 0 ? w : w with { FromMs = w.FromMs + graceMs }))
                .Where(w => !w.IsEmpty),
        ];
    }

    private async ValueTask<ReconciliationRun> SumAsync(ReconciliationRun run, CancellationToken cancel)
    {
        var within = new SortedDictionary<string, (long Debit, long Credit)>(StringComparer.Ordinal);
        for (var range = Comparisons.RangeOf(run.Window, null); ;)
        {
            var end = Comparisons.RangeOf(run.Window, null).UpTo;
            range = range with
            {
                UpTo = await database.ReadAsync(
                    tx => ReconciliationSql.NextPaymentAsync(tx, range.After, end), cancel),
            };
            foreach (var (currency, debit, credit) in await database.ReadAsync(
                tx => ReconciliationSql.SumEntriesAsync(tx, range), cancel))
            {
                var sum = within.GetValueOrDefault(currency);
                within[currency] = (checked(sum.Debit + debit), checked(sum.Credit + credit));
            }

            if (range.UpTo == end)
            {
                break;
            }

            range = range with { After = range.UpTo };
        }

        var all = await database.ReadAsync(books.Journal.TotalsAsync, cancel);
        var unequal = all.Where(t => t.Debit != t.Credit).Select(t => new Found(
            "totals_differ", t.Currency, $"debits {t.Debit}, credits {t.Credit} over all accounts of {t.Currency}"));
        await SaveAsync(run.Id, [.. unequal], cancel);
        return run with
        {
            IsBalanced = all.TrueForAll(t => t.Debit == t.Credit) && within.Values.All(t => t.Debit == t.Credit),
            Totals = string.Join("; ", all.Select(t => $"{t.Currency}: debits {t.Debit}, credits {t.Credit}").Concat(
                within.Select(t => $"in the window {t.Key}: debits {t.Value.Debit}, credits {t.Value.Credit}"))),
        };
    }

    /// <summary>Every check that modules have over all rows, in one moment.</summary>
    private async ValueTask<IReadOnlyList<Found>> CheckAsync(CancellationToken cancel) =>
        await database.ReadSnapshotAsync<IReadOnlyList<Found>>(
            async tx =>
            {
                InvariantCheck[] checks =
                [
                    .. await books.Payments.CheckAsync(tx),
                    .. await OrderChecks.CheckAsync(tx),
                    .. await ResultChecks.CheckAsync(tx),
                    .. await SettlementChecks.CheckAsync(tx),
                ];
                return
                [
                    .. (await books.Journal.UnequalAccountsAsync(tx)).Select(id => new Found(
                        "account_differs", $"{id}", $"account {id} is not the sum of its entries")),
                    .. checks.Where(check => !check.Holds && !ToldByFindings.Contains(check.Name))
                        .Select(check => new Found("check_failed", check.Name, check.Detail)),
                ];
            },
            cancel);

    private async ValueTask SaveAsync(Guid run, IReadOnlyList<Found> found, CancellationToken cancel)
    {
        // One row of a statement may not be changed twice, and all writers lock them in one order.
        List<(Guid, Found)> distinct =
        [
            .. found.DistinctBy(f => (f.Kind, f.Subject))
                .OrderBy(f => f.Kind, StringComparer.Ordinal).ThenBy(f => f.Subject, StringComparer.Ordinal)
                .Select(f => (tools.Ids.Next(), f)),
        ];
        if (distinct.Count > 0)
        {
            await database.WriteAsync(
                async tx =>
                {
                    await ReconciliationSql.SaveAsync(tx, run, distinct, UtcInstant.Now(tools.Time).Ms);
                    return 0;
                },
                cancel);
        }
    }

    private static NewEvent EventOf(ReconciliationRun run)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("reconciliationId", run.Id);
            json.WriteString("from", new UtcInstant(run.Window.FromMs).ToString());
            json.WriteString("until", new UtcInstant(run.Window.UntilMs).ToString());
            json.WriteBoolean("balanced", run.IsBalanced);
            json.WriteNumber("compared", run.Compared);
            json.WriteNumber("matched", run.Matched);
            json.WriteNumber("findings", run.Findings);
            json.WriteString("completedAt", new UtcInstant(run.EndedMs).ToString());
            json.WriteEndObject();
        }

        return new(
            ReconciliationEvents.Completed,
            new UtcInstant(run.Window.UntilMs).ToString()[..10],
            "reconciliation.completed/1",
            Encoding.UTF8.GetString(buffer.WrittenSpan));
    }
}
