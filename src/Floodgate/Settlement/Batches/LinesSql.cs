using Floodgate.Storage.Database;

namespace Floodgate.Settlement.Batches;

/// <summary>Every statement that writes lines, and those about policies: all take turns at the calendar.</summary>
internal static class LinesSql
{
    private const string LineTable = "settlement_line";

    private const string PolicyColumns =
        """
        p.id, p.merchant_id, p.product_class, p.currency, p.basis_points, p.fixed, p.fee_min, p.fee_max, p.tiers,
        p.valid_from, p.valid_until
        """;

    private static readonly Column[] LineColumns =
    [
        Column.Long("day"), Column.Long("account_id"), Column.Id("event_id"), Column.Long("line"),
        Column.Id("payment_id"), Column.Long("is_refund"), Column.Text("class"), Column.Long("amount"),
        Column.Text("order_id"), Column.Long("at_ms"), Column.Long("origin_day"), Column.Long("origin_amount"),
        Column.Long("refunded_before"),
    ];

    private static readonly Statement LockCalendar = new(
        "select c.closed_through from settlement_calendar c where c.id = 1 {for update}");

    private static readonly Statement CloseCalendar = new(
        """
        update settlement_calendar set closed_through = rows.day
        from {rows} where settlement_calendar.id = 1 and settlement_calendar.closed_through < rows.day
        """,
        Column.Long("day"));

    private static readonly Statement InsertAccounts = new(
        """
        insert into settlement_account (merchant_id, currency) select rows.merchant_id, rows.currency from {rows}
        where true on conflict (merchant_id, currency) do nothing
        """,
        Column.Text("merchant_id"), Column.Text("currency"));

    private static readonly Statement SelectAccounts = new(
        """
        select a.id, a.merchant_id, a.currency from {rows}
        join settlement_account a on a.merchant_id = rows.merchant_id and a.currency = rows.currency
        """,
        Column.Text("merchant_id"), Column.Text("currency"));

    private static readonly Statement SelectLinesOf = new(
        """
        select l.day, l.account_id, l.event_id, l.line, l.payment_id, l.is_refund, l.class, l.amount, l.order_id,
            l.at_ms
        from {rows} join settlement_line l on l.payment_id = rows.payment_id
        """,
        Column.Id("payment_id"));

    private static readonly Statement AddTotals = new(
        """
        insert into settlement_day_total (day, account_id, class, lines, captured, refunded)
        select rows.day, rows.account_id, rows.class, rows.lines, rows.captured, rows.refunded from {rows} where true
        on conflict (day, account_id, class) do update set lines = settlement_day_total.lines + excluded.lines,
            captured = settlement_day_total.captured + excluded.captured,
            refunded = settlement_day_total.refunded + excluded.refunded
        """,
        Column.Long("day"), Column.Long("account_id"), Column.Text("class"), Column.Long("lines"),
        Column.Long("captured"), Column.Long("refunded"));

    private static readonly Statement InsertPolicy = new(
        """
        insert into commission_policy (id, merchant_id, product_class, currency, basis_points, fixed, fee_min, fee_max,
            tiers, valid_from, valid_until)
        select rows.id, rows.merchant_id, rows.product_class, rows.currency, rows.basis_points, rows.fixed,
            rows.fee_min, rows.fee_max, rows.tiers, rows.valid_from, rows.valid_until from {rows}
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("product_class"), Column.Text("currency"),
        Column.Long("basis_points"), Column.Long("fixed"), Column.Long("fee_min"), Column.Long("fee_max"),
        Column.Text("tiers"), Column.Long("valid_from"), Column.Long("valid_until"));

    private static readonly Statement EndPolicy = new(
        "update commission_policy set valid_until = rows.valid_until from {rows} where commission_policy.id = rows.id",
        Column.Id("id"), Column.Long("valid_until"));

    private static readonly Statement SelectPolicy = new(
        $$"""select {{PolicyColumns}} from {rows} join commission_policy p on p.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectPolicies = new(
        $$"""
        select {{PolicyColumns}} from commission_policy p where p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page from {rows})
        """,
        Column.Id("after"), Column.Long("page"));

    // Those for one merchant, or for all of them.
    private static readonly Statement SelectPoliciesOf = new(
        $$"""select {{PolicyColumns}} from {rows} join commission_policy p on p.merchant_id = rows.merchant_id""",
        Column.Text("merchant_id"));

    private static readonly Statement SelectPoliciesOfAll = new(
        $$"""select {{PolicyColumns}} from commission_policy p where p.merchant_id is null""");

    /// <summary>
    /// Locks the calendar until the commit; the last closed day. Writers of lines, closers of days and writers of
    /// policies take turns at it, so that whoever comes after a close sees it, and whoever came before is in it.
    /// </summary>
    public static async ValueTask<long> LockCalendarAsync(Tx tx) =>
        (await tx.QueryAsync(LockCalendar, Rows.None, r => r.Long(0))).Single();

    public static void Close(Tx tx, long day) => tx.Queue(CloseCalendar, Rows.One(day).Long(d => d));

    /// <summary>Creates the accounts that are not there; all of them with their ids.</summary>
    public static ValueTask<List<SettlementAccount>> EnsureAccountsAsync(
        Tx tx, IReadOnlyList<(string MerchantId, string Currency)> names)
    {
        tx.Queue(InsertAccounts, Names(names));
        return tx.QueryAsync(
            SelectAccounts, Names(names), r => new SettlementAccount(r.Long(0), r.Text(1), r.Text(2)));
    }

    /// <summary>The lines of payments, as far as further ones depend on them.</summary>
    public static ValueTask<List<Line>> SelectLinesAsync(Tx tx, IReadOnlyList<Guid> paymentIds) => tx.QueryAsync(
        SelectLinesOf,
        Rows.Over(paymentIds).Id(p => p),
        r => new Line(
            r.Long(0), r.Long(1), r.Id(2), (int)r.Long(3), r.Id(4), r.Flag(5), r.Text(6), r.Long(7), r.TextOrNull(8),
            r.Long(9)));

    /// <summary>Writes lines, and adds them to the totals of their days.</summary>
    public static async ValueTask InsertAsync(Tx tx, IReadOnlyList<Line> lines)
    {
        await tx.CopyAsync(
            LineTable,
            LineColumns,
            Rows.Over(lines).Long(l => l.Day).Long(l => l.AccountId).Id(l => l.EventId).Long(l => l.Number)
                .Id(l => l.PaymentId).Flag(l => l.IsRefund).Text(l => l.Class).Long(l => l.Amount)
                .Text(l => l.OrderId).Long(l => l.AtMs).Long(l => l.OriginDay).Long(l => l.OriginAmount)
                .Long(l => l.RefundedBefore));
        var totals = lines.GroupBy(l => (l.Day, l.AccountId, l.Class))
            .OrderBy(g => g.Key.Day).ThenBy(g => g.Key.AccountId).ThenBy(g => g.Key.Class, StringComparer.Ordinal)
            .ToList();
        tx.Queue(
            AddTotals,
            Rows.Over(totals).Long(g => g.Key.Day).Long(g => g.Key.AccountId).Text(g => g.Key.Class)
                .Long(g => g.Count()).Long(g => g.Where(l => !l.IsRefund).Sum(l => l.Amount))
                .Long(g => g.Where(l => l.IsRefund).Sum(l => l.Amount)));
    }

    public static void Insert(Tx tx, CommissionPolicy policy) => tx.Queue(
        InsertPolicy,
        Rows.One(policy).Id(p => p.Id).Text(p => p.Scope.MerchantId).Text(p => p.Scope.ProductClass)
            .Text(p => p.Scope.Currency).Long(p => p.Terms.BasisPoints).Long(p => p.Terms.Fixed)
            .Long(p => p.Terms.FeeMin).Long(p => p.Terms.FeeMax ?? Rate.NoMax)
            .Text(p => BatchesJson.Text(p.Terms.Tiers)).Long(p => p.ValidFrom.DayNumber)
            .Long(p => (p.ValidUntil ?? DateOnly.MaxValue).DayNumber));

    public static void End(Tx tx, CommissionPolicy policy) => tx.Queue(
        EndPolicy,
        Rows.One(policy).Id(p => p.Id).Long(p => (p.ValidUntil ?? DateOnly.MaxValue).DayNumber),
        1,
        "a policy that was found is ended");

    public static async ValueTask<CommissionPolicy?> FindPolicyAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(SelectPolicy, Rows.One(id).Id(i => i), MapPolicy)).FirstOrDefault();

    public static ValueTask<List<CommissionPolicy>> SelectPoliciesAsync(Tx tx, Guid after, int page) => tx.QueryAsync(
        SelectPolicies, Rows.One(after).Id(a => a).Long(_ => page), MapPolicy);

    /// <summary>The policies that name one of these merchants, and those that name none.</summary>
    public static async ValueTask<List<CommissionPolicy>> SelectPoliciesAsync(
        Tx tx, IReadOnlyList<string> merchantIds) =>
    [
        .. await tx.QueryAsync(SelectPoliciesOfAll, Rows.None, MapPolicy),
        .. await tx.QueryAsync(SelectPoliciesOf, Rows.Over(merchantIds).Text(m => m), MapPolicy),
    ];

    private static Rows Names(IReadOnlyList<(string MerchantId, string Currency)> names) =>
        Rows.Over(names).Text(n => n.MerchantId).Text(n => n.Currency);

    private static CommissionPolicy MapPolicy(Row r)
    {
        var (most, until) = (r.Long(7), DateOnly.FromDayNumber((int)r.Long(10)));
        return new(
            r.Id(0),
            new(r.TextOrNull(1), r.TextOrNull(2), r.TextOrNull(3)),
            new((int)r.Long(4), r.Long(5), r.Long(6), most == Rate.NoMax ? null : most, BatchesJson.Tiers(r.Text(8))),
            DateOnly.FromDayNumber((int)r.Long(9)),
            until == DateOnly.MaxValue ? null : until);
    }
}
