using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Ledger;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>How far processing is, at one moment.</summary>
/// <param name="Lag">Events that the group has not committed.</param>
/// <param name="Due">Charges put off.</param>
/// <param name="InFlight">Events in work.</param>
/// <param name="InFlightMax">The limit of that.</param>
/// <param name="IsPaused">True while an operator has paused it.</param>
public sealed record Progress(long Lag, long Due, int InFlight, int InFlightMax, bool IsPaused);

/// <summary>The door for supervision: what must hold of payments, and how far their processing is.</summary>
public sealed class PaymentChecks
{
    private readonly Journal journal;
    private readonly ChargeWorker worker;
    private readonly LogSettings logSettings;
    private readonly ProviderGates gates;
    private readonly Discards discards;

    internal PaymentChecks(
        Journal journal, ChargeWorker worker, LogSettings logSettings, ProviderGates gates, Discards discards)
    {
        this.journal = journal;
        this.worker = worker;
        this.logSettings = logSettings;
        this.gates = gates;
        this.discards = discards;
    }

    /// <summary>Why processing stands still by itself; null while all is well.</summary>
    public Exception? Failure => worker.Consumer.Failure ?? worker.Failure;

    /// <summary>Events in work now.</summary>
    public int InFlight => worker.Consumer.InFlight;

    /// <summary>The number of an open breaker.</summary>
    public const int BreakerOpen = 2;

    /// <summary>The breakers as numbers, for the metrics: 0 closed, 1 half-open, 2 open.</summary>
    public IEnumerable<(string Provider, int State)> Breakers =>
        gates.All.Select(g => (g.Provider.Name, NumberOf(g.Breaker.State)));

    /// <summary>How far processing is. Cheap.</summary>
    public async ValueTask<Progress> ProgressAsync(Tx tx) => new(
        await worker.Consumer.LagAsync(tx),
        await ChargesSql.CountDueAsync(tx),
        worker.Consumer.InFlight,
        logSettings.InFlightMax,
        worker.Consumer.IsPaused);

    /// <summary>
    /// Checks every rule over all rows. Give it a snapshot: it compares tables. Its cost grows with what is
    /// stored; it reads only.
    /// </summary>
    public async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(Tx tx)
    {
        var totals = await journal.TotalsAsync(tx);
        var unequal = await journal.UnequalAccountsAsync(tx);
        var broken = await PaymentChecksSql.CountBrokenAsync(tx);
        var unposted = await PaymentChecksSql.SelectUnpostedAsync(tx);
        var unparted = await PaymentChecksSql.SelectUnpartedAsync(tx);
        var counts = await PaymentChecksSql.SelectCountsAsync(tx);
        var unstored = await PaymentChecksSql.CountUnstoredAsync(tx);
        return
        [
            new(
                "debits-equal-credits",
                totals.TrueForAll(t => t.Debit == t.Credit),
                string.Join("; ", totals.Select(t => $"{t.Currency}: debits {t.Debit}, credits {t.Credit}"))),
            new(
                "accounts-equal-entries",
                unequal.Count == 0,
                unequal.Count == 0 ? "every account is the sum of its entries"
                    : $"accounts {string.Join(", ", unequal)} differ from their entries"),
            new(
                "refunded-at-most-captured-at-most-authorized", broken == 0, $"{broken} payments break it"),
            new(
                "captured-payments-have-postings",
                unposted.Count == 0,
                unposted.Count == 0 ? "every payment is posted as it stands"
                    : $"payments {string.Join(", ", unposted)} differ from their postings"),
            new(
                "parts-have-postings",
                unparted.Count == 0,
                unparted.Count == 0 ? "every part is posted as it stands"
                    : $"the parts of payments {string.Join(", ", unparted)} differ from their postings"),
            new(
                "accepted-requests-are-in-the-log",
                counts.Appended == counts.Accepted + counts.Replayed + unstored,
                $"accepted {counts.Accepted}, asked by orders and not stored {unstored}, replayed {counts.Replayed}, "
                    + $"appended {counts.Appended}"),
            new(
                "accepted-is-final-or-in-flight",
                counts.Unread == counts.Ahead && counts.Pending <= counts.Unread + counts.Due + counts.Dead,
                $"accepted {counts.Accepted}, final {counts.Accepted - counts.Pending}, pending {counts.Pending}: "
                    + $"in the log {counts.Unread} of {counts.Ahead}, put off {counts.Due}, dead {counts.Dead}"),
        ];
    }

    /// <summary>
    /// Settles what a discarded dead letter was about, so that it still reaches a final state and its order gets a
    /// result.
    /// </summary>
    public ValueTask DiscardedAsync(Tx tx, DeadLetter letter) => letter.Topic == PaymentEvents.Requests.Name
        ? discards.SettleAsync(tx, letter.Type, letter.Payload)
        : ValueTask.CompletedTask;

    private static int NumberOf(BreakerState state) => state switch
    {
        BreakerState.Closed => 0,
        BreakerState.HalfOpen => 1,
        _ => BreakerOpen,
    };
}
