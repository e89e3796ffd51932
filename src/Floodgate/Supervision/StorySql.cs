using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>Every statement that tells of one order.</summary>
internal static class StorySql
{
    private static readonly Column[] Ids = [Column.Id("order_id"), Column.Id("payment_id")];

    private static readonly Statement Find = new(
        "select o.id, o.payment_id from {rows} join sale_order o on o.id = rows.order_id", Column.Id("order_id"));

    // Each answers moments, stages and words, in the order of the flow. What has no moment of its own is told at that
    // of the order's last change.
    private static readonly Statement[] Tales =
    [
        new(
            """
            select q.admitted_ms, 'queue', 'place ' || q.place || ', admitted; the ticket is ' || q.state
            from {rows} join sale_order o on o.id = rows.order_id join queue_ticket q on q.id = o.ticket
            """,
            Ids),
        new(
            """
            select o.created_ms, 'order', 'placed for ' || o.amount || ' ' || o.currency || ' by ' || o.buyer
            from {rows} join sale_order o on o.id = rows.order_id
            """,
            Ids),
        new(
            """
            select o.created_ms, 'hold', 'held: ' || o.lines from {rows} join sale_order o on o.id = rows.order_id
            """,
            Ids),
        new(
            """
            select p.requested_ms, 'payment', 'asked of ' || p.method || ' for ' || p.amount || ' ' || p.currency
            from {rows} join payment p on p.id = rows.payment_id
            """,
            Ids),
        new(
            """
            select p.processed_ms, 'payment', 'answered: ' || p.state || ', captured ' || p.captured || ', refunded '
                || p.refunded || coalesce(', because ' || p.fail_reason, '')
            from {rows} join payment p on p.id = rows.payment_id where p.processed_ms > 0
            """,
            Ids),
        new(
            """
            select p.requested_ms, 'payment', 'waits for its outcome: ' || p.state
            from {rows} join payment p on p.id = rows.payment_id where p.processed_ms = 0
            """,
            Ids),
        new(
            """
            select o.requested_ms, 'payment', o.kind || ' of ' || o.amount || ' asked'
            from {rows} join payment_operation o on o.payment_id = rows.payment_id order by o.id
            """,
            Ids),
        new(
            """
            select o.processed_ms, 'payment', o.kind || ' of ' || o.amount || ': ' || o.state
                || coalesce(', because ' || o.fail_reason, '')
            from {rows} join payment_operation o on o.payment_id = rows.payment_id where o.processed_ms > 0
            order by o.id
            """,
            Ids),
        new(
            """
            select l.at_ms, 'provider', l.kind || ' of ' || l.amount || ' ' || l.currency || ' in line ' || l.line_no
                || ' of its statement'
            from {rows} join provider_line l on l.ref_id = rows.payment_id
            union all
            select l.at_ms, 'provider', l.kind || ' of ' || l.amount || ' ' || l.currency || ' in line ' || l.line_no
                || ' of its statement'
            from {rows} join payment_operation o on o.payment_id = rows.payment_id
            join provider_line l on l.ref_id = o.id
            """,
            Ids),
        new(
            """
            select e.at_ms, 'ledger', case when e.line % 2 = 0 then 'debit ' else 'credit ' end || a.kind || ' of '
                || a.owner || ': ' || e.amount || ' ' || a.currency
            from {rows} join ledger_entry e on e.payment_id = rows.payment_id
            join ledger_account a on a.id = e.account_id order by e.at_ms, e.event_id, e.line
            """,
            Ids),
        new(
            """
            select o.changed_ms, 'order', 'is ' || o.state || ', refunded ' || o.refunded
                || coalesce(', because ' || o.fail_reason, '')
            from {rows} join sale_order o on o.id = rows.order_id
            """,
            Ids),
        new(
            """
            select l.at_ms, 'settlement', case when l.is_refund = 1 then 'REFUND ' else 'CAPTURE ' end || l.amount
                || ' ' || a.currency || ' of ' || a.merchant_id || ', class ' || l.class
                || coalesce(', fee ' || s.fee, ', not settled yet')
            from {rows} join settlement_line l on l.payment_id = rows.payment_id
            join settlement_account a on a.id = l.account_id
            left join settled_line s on s.day = l.day and s.account_id = l.account_id and s.event_id = l.event_id
                and s.line = l.line
            order by l.event_id, l.line
            """,
            Ids),
        new(
            """
            select distinct p.created_ms, 'payout', p.amount || ' ' || p.currency || ' to ' || p.merchant_id || ' for '
                || p.captures || ' captures and ' || p.refunds || ' refunds of the day'
            from {rows} join settlement_line l on l.payment_id = rows.payment_id
            join payout p on p.account_id = l.account_id and p.day = l.day
            """,
            Ids),
    ];

    public static async ValueTask<StorySubject?> FindAsync(Tx tx, Guid order)
    {
        var found = await tx.QueryAsync(
            Find, Rows.One(order).Id(o => o), r => new StorySubject(r.Id(0), r.Id(1)));
        return found.Count == 0 ? null : found[0];
    }

    public static async ValueTask<List<StoryLine>> TellAsync(Tx tx, StorySubject subject)
    {
        var lines = new List<StoryLine>();
        foreach (var tale in Tales)
        {
            lines.AddRange(await tx.QueryAsync(
                tale,
                Rows.One(subject).Id(s => s.OrderId).Id(s => s.PaymentId),
                r => new StoryLine(new UtcInstant(r.Long(0)), r.Text(1), r.Text(2))));
        }

        return lines;
    }
}

/// <summary>The totals of a sale, from what payments say and from what the journal says.</summary>
internal static class ReplaySql
{
    private static readonly Statement OfPayments = new(
        """
        select p.currency, cast(sum(p.captured) as bigint), cast(sum(p.refunded) as bigint)
        from sale_order o join payment p on p.id = o.payment_id where o.sale_id = (select rows.sale_id from {rows})
        group by p.currency having sum(p.captured) > 0 order by p.currency
        """,
        Column.Id("sale_id"));

    // What merchants were credited and the platform kept is what was captured; what merchants' refunds were debited is
    // what was given back.
    private static readonly Statement OfJournal = new(
        """
        select a.currency,
            cast(sum(case when a.kind not in ('MerchantPayable', 'PlatformCommission') then 0
                when e.line % 2 = 1 then e.amount else -e.amount end) as bigint),
            cast(sum(case when a.kind <> 'MerchantRefunds' then 0
                when e.line % 2 = 0 then e.amount else -e.amount end) as bigint)
        from sale_order o join ledger_entry e on e.payment_id = o.payment_id
        join ledger_account a on a.id = e.account_id where o.sale_id = (select rows.sale_id from {rows})
        group by a.currency order by a.currency
        """,
        Column.Id("sale_id"));

    public static async ValueTask<string> OfPaymentsAsync(Tx tx, Guid sale) =>
        Text(await tx.QueryAsync(OfPayments, Rows.One(sale).Id(s => s), Map));

    public static async ValueTask<string> OfJournalAsync(Tx tx, Guid sale) =>
        Text(await tx.QueryAsync(OfJournal, Rows.One(sale).Id(s => s), Map));

    private static (string Currency, long Captured, long Refunded) Map(Row r) => (r.Text(0), r.Long(1), r.Long(2));

    private static string Text(List<(string Currency, long Captured, long Refunded)> totals) =>
        string.Join("; ", totals.Select(t => $"{t.Currency}: captured {t.Captured}, refunded {t.Refunded}"));
}
