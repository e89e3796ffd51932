using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>The door for supervision: what must hold between the ledger, lines and payouts.</summary>
public sealed class SettlementChecks
{
    private readonly LineWorker lines;
    private readonly SettlementWorker settling;

    internal SettlementChecks(LineWorker lines, SettlementWorker settling) =>
        (this.lines, this.settling) = (lines, settling);

    /// <summary>Why lines are not written, or runs not carried on; null while all is well.</summary>
    public Exception? Failure => lines.Consumer.Failure ?? settling.Failure;

    /// <summary>
    /// Checks every rule over all rows, in a snapshot: it compares tables. Its cost grows with what is stored; it reads
    /// only.
    /// </summary>
    public static async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(Tx tx)
    {
        // What is on its way may be missing in lines; nothing may ever be too much.
        var isBehind = await ChecksSql.IsBehindAsync(tx);
        var unposted = await ChecksSql.SelectUnequalToLedgerAsync(tx, isStrict: !isBehind);
        var uncounted = await ChecksSql.SelectUnequalTotalsAsync(tx);
        var unequal = await ChecksSql.SelectUnequalPayoutsAsync(tx);
        var unpaid = await ChecksSql.SelectUnpostedPayoutsAsync(tx);
        var uncarried = await ChecksSql.SelectUncarriedAsync(tx);
        var doubled = await ChecksSql.SelectDoubledAsync(tx);
        return
        [
            Of("settlement-lines-equal-ledger", unposted,
                isBehind ? "no more is in lines than in the ledger; some is on its way"
                    : "lines are what the ledger's accounts of merchants say",
                "lines differ from the ledger for merchants"),
            Of("settlement-totals-equal-lines", uncounted, "every day's totals are the sums of its lines",
                "totals differ from lines for accounts"),
            Of("payouts-equal-settled-lines", unequal, "every payout of a settled day is the sum of its lines",
                "payouts differ from settled lines for accounts"),
            Of("payouts-are-posted", unpaid, "every payout is in the ledger as it stands",
                "payouts differ from their postings"),
            Of("payouts-carry-over", uncarried, "every payout begins with what the one before left",
                "payouts do not begin with what the one before left"),
            Of("one-payout-per-merchant-and-day", doubled, "no merchant is paid twice for a day",
                "several payouts for one day for merchants"),
        ];
    }

    private static InvariantCheck Of(string name, List<string> found, string good, string bad) =>
        new(name, found.Count == 0, found.Count == 0 ? good : $"{bad}: {string.Join(", ", found)}");
}

/// <summary>Statements that compare whole tables; for operators, never on the way of a settlement.</summary>
internal static class ChecksSql
{
    // A letter that was discarded is missing for good, and is meant to be seen.
    private static readonly Statement CountBehind = new(
        """
        select (select count(*) from log_partition p
                left join log_group_offset o on o.partition_id = p.id and o.group_name = 'settlement'
                where p.topic in ('payment.captured', 'payment.refunded')
                    and p.next_offset > coalesce(o.next_offset, 0))
            + (select count(*) from log_dead_letter d where d.group_name = 'settlement' and d.state = 'OPEN')
        """);

    // Fees that were given back were credited to merchants without having been captured.
    private static readonly Statement SelectUnequalToLedger = new(
        """
        select u.merchant_id || ' ' || u.currency from (
            select a.merchant_id, a.currency, t.captured, t.refunded from settlement_day_total t
                join settlement_account a on a.id = t.account_id
            union all select p.merchant_id, p.currency, p.fee_returned, 0 from payout p
            union all select l.owner, l.currency, -l.credit_total, 0 from ledger_account l
                where l.kind = 'MerchantPayable'
            union all select l.owner, l.currency, 0, -l.debit_total from ledger_account l
                where l.kind = 'MerchantRefunds') u
        group by u.merchant_id, u.currency
        having sum(u.captured) > 0 or sum(u.refunded) > 0 or ((select rows.is_strict from {rows}) = 1
            and (sum(u.captured) <> 0 or sum(u.refunded) <> 0))
        order by u.merchant_id limit 10
        """,
        Column.Long("is_strict"));

    private static readonly Statement SelectUnequalTotals = new(
        """
        select cast(u.account_id as text) from (
            select t.day, t.account_id, t.class, t.lines, t.captured, t.refunded from settlement_day_total t
            union all select l.day, l.account_id, l.class, -count(*),
                    -sum(case when l.is_refund = 0 then l.amount else 0 end),
                    -sum(case when l.is_refund = 1 then l.amount else 0 end)
                from settlement_line l group by l.day, l.account_id, l.class) u
        group by u.day, u.account_id, u.class
        having sum(u.lines) <> 0 or sum(u.captured) <> 0 or sum(u.refunded) <> 0
        order by u.account_id limit 10
        """);

    private static readonly Statement SelectUnequalPayouts = new(
        """
        select cast(u.account_id as text) from (
            select p.day, p.account_id, p.captures + p.refunds as lines, p.captured - p.refunded as amount,
                    p.fee - p.fee_returned as fee
                from payout p join settlement_run r on r.day = p.day and r.state = 'SETTLED'
            union all select l.day, l.account_id, -1, -l.amount, -l.fee
                from settled_line l join settlement_run r on r.day = l.day and r.state = 'SETTLED'
            union all select t.day, t.account_id, 0, 0, 0
                from settlement_day_total t join settlement_run r on r.day = t.day and r.state = 'SETTLED') u
        group by u.day, u.account_id
        having sum(u.lines) <> 0 or sum(u.amount) <> 0 or sum(u.fee) <> 0 or max(u.lines) <= 0
        order by u.account_id limit 10
        """);

    private static readonly Statement SelectUnpostedPayouts = new(
        """
        select p.merchant_id from payout p left join (
            select e.payment_id,
                sum(case when a.kind = 'MerchantPayout' and e.line % 2 = 1 then e.amount else 0 end) as paid,
                sum(case when a.kind <> 'PlatformCommission' then 0 when e.line % 2 = 1 then e.amount
                    else -e.amount end) as kept,
                sum(case when a.kind = 'MerchantRefunds' and e.line % 2 = 1 then e.amount else 0 end) as refunded
            from payout o join ledger_entry e on e.payment_id = o.id join ledger_account a on a.id = e.account_id
            group by e.payment_id) j on j.payment_id = p.id
        where coalesce(j.paid, 0) <> p.amount or coalesce(j.kept, 0) <> p.fee - p.fee_returned
            or coalesce(j.refunded, 0) <> p.refunded
        order by p.id limit 10
        """);

    private static readonly Statement SelectUncarried = new(
        """
        select p.merchant_id from payout p left join payout q on q.account_id = p.account_id and q.day = (
            select max(x.day) from payout x where x.account_id = p.account_id and x.day < p.day)
        where p.carried_in <> coalesce(q.carried_out, 0) order by p.id limit 10
        """);

    private static readonly Statement SelectDoubled = new(
        """
        select p.merchant_id from payout p group by p.merchant_id, p.currency, p.day having count(*) > 1
        order by p.merchant_id limit 10
        """);

    public static async ValueTask<bool> IsBehindAsync(Tx tx) =>
        (await tx.QueryAsync(CountBehind, Rows.None, r => r.Long(0))).Single() > 0;

    public static ValueTask<List<string>> SelectUnequalToLedgerAsync(Tx tx, bool isStrict) =>
        tx.QueryAsync(SelectUnequalToLedger, Rows.One(isStrict).Flag(s => s), r => r.Text(0));

    public static ValueTask<List<string>> SelectUnequalTotalsAsync(Tx tx) => FindAsync(tx, SelectUnequalTotals);

    public static ValueTask<List<string>> SelectUnequalPayoutsAsync(Tx tx) => FindAsync(tx, SelectUnequalPayouts);

    public static ValueTask<List<string>> SelectUnpostedPayoutsAsync(Tx tx) => FindAsync(tx, SelectUnpostedPayouts);

    public static ValueTask<List<string>> SelectUncarriedAsync(Tx tx) => FindAsync(tx, SelectUncarried);

    public static ValueTask<List<string>> SelectDoubledAsync(Tx tx) => FindAsync(tx, SelectDoubled);

    private static ValueTask<List<string>> FindAsync(Tx tx, Statement statement) =>
        tx.QueryAsync(statement, Rows.None, r => r.Text(0));
}
