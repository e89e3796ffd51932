using Floodgate.Payment.Ledger;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>How far a run is.</summary>
public enum RunState
{
    /// <summary>Its day is closed; rates and ranges are being fixed.</summary>
    Planning,

    /// <summary>Ranges are being settled, then payouts made.</summary>
    Running,

    /// <summary>All of it is paid out or carried over. Final.</summary>
    Settled,
}

/// <summary>The settlement of one day. It is there once the day is closed, and is carried on by whoever runs.</summary>
/// <param name="Day">The day.</param>
/// <param name="State">How far it is.</param>
/// <param name="OpenedMs">When the day was closed.</param>
/// <param name="SettledMs">When it was settled; 0 before.</param>
/// <param name="Ranges">Into how many ranges its lines are cut.</param>
/// <param name="Lines">How many lines it has.</param>
/// <param name="Payouts">How many payouts came of it.</param>
/// <param name="RangesDone">Ranges that are settled.</param>
/// <param name="LinesDone">Lines in them.</param>
public sealed record SettlementRun(
    DateOnly Day,
    RunState State,
    long OpenedMs,
    long SettledMs,
    long Ranges,
    long Lines,
    long Payouts,
    long RangesDone,
    long LinesDone);

/// <summary>The sums of a day's payouts in one currency, in minor units.</summary>
internal sealed record SettlementTotals(
    string Currency,
    long Captured,
    long Refunded,
    long Fee,
    long FeeReturned,
    long CarriedIn,
    long Amount,
    long CarriedOut);

/// <summary>Lines of one account and class that a day has.</summary>
internal sealed record ClassOfDay(SettlementAccount Account, string Class);

/// <summary>A place in the order of a day's lines.</summary>
internal readonly record struct LineKey(long AccountId, Guid EventId, long Number)
{
    /// <summary>Before all lines.</summary>
    public static LineKey First { get; } = new(0, Guid.Empty, -1);
}

/// <summary>Lines that are settled in one transaction: those behind one place up to another.</summary>
internal sealed record LineRange(long Number, LineKey After, LineKey Last, long Lines);

/// <summary>What a day was for one account, in minor units.</summary>
/// <param name="Account">Merchant and currency.</param>
/// <param name="Captures">Captured lines.</param>
/// <param name="Refunds">Refunded lines.</param>
/// <param name="Captured">Sum of the former.</param>
/// <param name="Refunded">Sum of the latter.</param>
/// <param name="Fee">Fees of captured lines.</param>
/// <param name="FeeReturned">Fees given back with refunded lines.</param>
internal sealed record Net(
    SettlementAccount Account, long Captures, long Refunds, long Captured, long Refunded, long Fee, long FeeReturned)
{
    /// <summary>What the merchant gains or loses by it.</summary>
    public long Amount => Captured - Fee - Refunded + FeeReturned;
}

/// <summary>What a merchant is paid for one day, or owes after it. One for each day with lines.</summary>
/// <param name="Id">Made of merchant, currency and day, so a repeat is the same payout.</param>
/// <param name="Day">The day's number.</param>
/// <param name="Net">What it is made of.</param>
/// <param name="CarriedIn">Owed since before: zero or less.</param>
/// <param name="CreatedMs">When it was made.</param>
internal sealed record Payout(Guid Id, long Day, Net Net, long CarriedIn, long CreatedMs)
{
    /// <summary>What is paid; zero or more.</summary>
    public long Amount { get; init; } = Math.Max(Net.Amount + CarriedIn, 0);

    /// <summary>What is owed to us and carried over to the next day; zero or less.</summary>
    public long CarriedOut { get; init; } = Math.Min(Net.Amount + CarriedIn, 0);

    /// <summary>The payout of a net at the end of its day.</summary>
    public static Payout Of(Net net, long day, UtcInstant end, long carriedIn, long nowMs) => new(
        Ids.Of(end, "payout", net.Account.MerchantId, net.Account.Currency, Days.Text(day)), day, net, carriedIn,
        nowMs);

    /// <summary>
    /// What it moves in the ledger, under its own id: fees to the platform and back, refunds off what was earned, the
    /// rest to be paid. What is left of the earned is what is carried over.
    /// </summary>
    public IReadOnlyList<Posting> Postings()
    {
        var currency = Currency.FromStored(Net.Account.Currency);
        var payable = AccountName.Payable(Net.Account.MerchantId, currency);
        var commission = AccountName.Commission(currency);
        (AccountName Debit, AccountName Credit, long Amount)[] moves =
        [
            (payable, commission, Net.Fee),
            (commission, payable, Net.FeeReturned),
            (payable, AccountName.Refunds(Net.Account.MerchantId, currency), Net.Refunded),
            (payable, AccountName.Payout(Net.Account.MerchantId, currency), Amount),
        ];
        var taken = moves.Sum(m => m.Debit == payable ? m.Amount : -m.Amount);
        Invariant.Check(
            Net.Captured - taken == CarriedOut - CarriedIn, "what a day leaves behind is what it carries over");
        return
        [
            .. moves.Where(m => m.Amount > 0).Index().Select(m => new Posting(
                Id, Id, m.Index, m.Item.Debit, m.Item.Credit, new Money(m.Item.Amount, currency))),
        ];
    }
}

/// <summary>A line of a payout's statement; its ledger entries are those of its payment and event.</summary>
/// <param name="EventId">What moved the money.</param>
/// <param name="Number">From 0 within the event.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="IsRefund">Given back.</param>
/// <param name="Class">The commission class.</param>
/// <param name="Amount">More than zero, in minor units.</param>
/// <param name="Fee">More than zero when charged, less when given back.</param>
/// <param name="OrderId">The order, if the payment names one.</param>
/// <param name="AtMs">When the money moved.</param>
internal sealed record StatementLine(
    Guid EventId,
    long Number,
    Guid PaymentId,
    bool IsRefund,
    string Class,
    long Amount,
    long Fee,
    string? OrderId,
    long AtMs)
{
    /// <summary>What the merchant gains or loses by it.</summary>
    public long Net => (IsRefund ? -Amount : Amount) - Fee;
}
