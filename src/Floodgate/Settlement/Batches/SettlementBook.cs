using Floodgate.Payment.Ledger;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>What can come of asking for the settlement of a day, in the order in which it is checked.</summary>
public enum SettlementOutcome
{
    /// <summary>The day was closed before: its run, settled or not.</summary>
    Opened,

    /// <summary>The day has not begun.</summary>
    InFuture,

    /// <summary>The day is not over, or was only a moment ago.</summary>
    NotOver,

    /// <summary>Captures or refunds of the day are in the log and not lines yet: ask again soon.</summary>
    Behind,

    /// <summary>The day is closed now, with every earlier one.</summary>
    Closed,
}

/// <summary>An outcome; the run when there is one, else when the day can be settled.</summary>
public readonly record struct Asked(SettlementOutcome Outcome, SettlementRun? Run, UtcInstant From)
{
    /// <summary>True when the run can be carried on.</summary>
    public bool IsOpen => Run is not null;
}

/// <summary>How far a run is, told after each of its transactions.</summary>
/// <param name="Day">Which day.</param>
/// <param name="Step"><c>rates</c>, <c>ranges</c>, <c>lines</c> or <c>payouts</c>.</param>
/// <param name="Done">Transactions of this step by this runner.</param>
/// <param name="Lines">Lines settled by this runner so far.</param>
public readonly record struct SettlementProgress(DateOnly Day, string Step, long Done, long Lines);

/// <summary>
/// Settles days: closes them, and carries their runs on to the end. Any number of callers on any number of nodes may do
/// so at once: they share the work and every step is done once, by guards in the database. A run that was left in the
/// middle, by whatever end of its process, is carried on where it was, with the same result. A settled day never
/// changes.
/// </summary>
public sealed class SettlementBook
{
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(1);

    private readonly Database database;
    private readonly BatchesSettings settings;
    private readonly TimeProvider time;
    private readonly Days days;
    private readonly RunSteps steps;

    /// <summary>On a database whose topics were created.</summary>
    internal SettlementBook(
        Database database, BatchReads reads, Journal journal, IEventLog log, (BatchesSettings Of, TimeProvider Time) by)
    {
        (this.database, settings, time) = (database, by.Of, by.Time);
        days = new(settings.Zone);
        steps = new(database, reads, journal, log, by);
    }

    /// <summary>The book of a process that only settles, such as the command line.</summary>
    public static SettlementBook Over(
        Database database, IEventLog log, BatchesSettings settings, TimeProvider time) =>
        new(database, new(database, settings), new(database, time), log, (settings, time));

    /// <summary>
    /// Closes the day and every earlier one, so that its lines are fixed: what comes later counts for the next open
    /// day. A day can be closed when it has been over for <see cref="BatchesSettings.CloseDelayMinutes"/> and the log
    /// holds nothing of it that is not a line. Idempotent. Locks the calendar.
    /// </summary>
    public ValueTask<Asked> OpenAsync(DateOnly day, CancellationToken cancel) =>
        database.WriteAsync(tx => OpenAsync(tx, day), cancel);

    /// <summary>
    /// Opens the day and settles it, after every earlier day that is open; returns when that is done, or with why it
    /// cannot be. Progress is told after each transaction.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away: run it again.</exception>
    /// <exception cref="InvariantViolatedException">The sums do not add up: nothing more is done.</exception>
    public async ValueTask<Asked> RunAsync(
        DateOnly day, Action<SettlementProgress>? progress, CancellationToken cancel)
    {
        var asked = await OpenAsync(day, cancel);
        if (!asked.IsOpen)
        {
            return asked;
        }

        await ContinueAsync(day, progress, cancel);
        return asked with { Run = await FindAsync(day, cancel) };
    }

    /// <summary>
    /// Settles the day before the one that a moment is in, as soon as it can be closed. Tells how far it is in lines
    /// for people, and returns the run.
    /// </summary>
    internal async ValueTask<SettlementRun> RunBeforeAsync(
        UtcInstant due, Action<string> tell, CancellationToken cancel)
    {
        var day = days.Of(due).AddDays(-1);
        while (true)
        {
            var asked = await RunAsync(day, told => tell(BatchesModule.TextOf(told)), cancel);
            if (asked.Run is { } run)
            {
                return run;
            }

            tell(BatchesModule.TextOf(day, asked));
            await Task.Delay(AskAgainAfter, time, cancel);
        }
    }

    /// <summary>Carries on every run up to this day that is not settled; how many days were.</summary>
    public async ValueTask<int> ContinueAsync(
        DateOnly until, Action<SettlementProgress>? progress, CancellationToken cancel)
    {
        for (var settled = 0; ; settled++)
        {
            // One after the other: a day begins with what the one before carried over.
            var run = await database.ReadAsync(
                tx => BatchesSql.FindUnfinishedAsync(tx, until.DayNumber), cancel);
            if (run is null)
            {
                return settled;
            }

            await steps.ContinueAsync(run, progress, cancel);
        }
    }

    /// <summary>The run of a day, or null.</summary>
    public ValueTask<SettlementRun?> FindAsync(DateOnly day, CancellationToken cancel) =>
        database.ReadAsync(tx => BatchesSql.FindRunAsync(tx, day.DayNumber), cancel);

    /// <summary>Runs of before a day, the latest first; null for all.</summary>
    public ValueTask<List<SettlementRun>> ListAsync(DateOnly? before, int max, CancellationToken cancel) =>
        database.ReadAsync(
            tx => BatchesSql.SelectRunsAsync(tx, (before ?? DateOnly.MaxValue).DayNumber, max), cancel);

    private async ValueTask<Asked> OpenAsync(Tx tx, DateOnly day)
    {
        var closedThrough = await LinesSql.LockCalendarAsync(tx);
        if (await BatchesSql.FindRunAsync(tx, day.DayNumber) is { } known)
        {
            return new(SettlementOutcome.Opened, known, default);
        }

        var (now, end) = (UtcInstant.Now(time), days.EndOf(day));
        var from = end.Plus(TimeSpan.FromMinutes(settings.CloseDelayMinutes));
        if (now.CompareTo(from) < 0)
        {
            var isFuture = day > days.Of(now);
            return new(isFuture ? SettlementOutcome.InFuture : SettlementOutcome.NotOver, null, from);
        }

        if (await BatchesSql.IsBehindAsync(tx, end.Ms))
        {
            return new(SettlementOutcome.Behind, null, now);
        }

        var open = await BatchesSql.OpenDaysAsync(tx, closedThrough, day.DayNumber);
        BatchesSql.Open(tx, [.. open.Append(day.DayNumber).Distinct()], now.Ms);
        LinesSql.Close(tx, day.DayNumber);
        return new(SettlementOutcome.Closed, await BatchesSql.FindRunAsync(tx, day.DayNumber), default);
    }
}

/// <summary>
/// Where a settlement reads what does not change any more: a replica when there is one, so that the primary serves
/// payments.
/// </summary>
internal sealed class BatchReads : IAsyncDisposable
{
    private readonly Database primary;
    private readonly Database? replica;

    public BatchReads(Database primary, BatchesSettings settings)
    {
        this.primary = primary;
        replica = settings.ReplicaConnectionString.Length > 0
            ? Database.Open(new(settings.ReplicaConnectionString, "", ConnectionsMax: settings.WorkersMax + 2))
            : null;
    }

    /// <summary>True when there is a replica, which may be behind.</summary>
    public bool HasReplica => replica is not null;

    /// <summary>Reads from the replica, or where all is.</summary>
    public ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        (replica ?? primary).ReadAsync(work, cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => replica?.DisposeAsync() ?? ValueTask.CompletedTask;
}
