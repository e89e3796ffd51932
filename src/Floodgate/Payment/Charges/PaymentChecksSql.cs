using Floodgate.Storage.Database;

namespace Floodgate.Payment.Charges;

/// <summary>Statements that compare whole tables; for operators, never on the way of a payment.</summary>
internal static class PaymentChecksSql
{
    private static readonly Statement CountBroken = new(
        """
        select count(*) from payment where refunded + refunding > captured or captured + capturing > authorized
            or authorized > amount or refunded < 0
        """);

    // Of a sale: what the merchant was given is what was captured; of a top-up, what is in the wallet. What was
    // refunded is what the merchant's refunds account was debited; only a wallet's open authorization holds its
    // customer's money.
    private static readonly Statement SelectUnposted = new(
        """
        select p.id from payment p left join (
            select e.payment_id,
                sum(case when a.kind <> 'MerchantPayable' then 0 when e.line % 2 = 1 then e.amount else -e.amount end)
                    as earned,
                sum(case when a.kind = 'MerchantRefunds' then e.amount else 0 end) as refunded,
                sum(case when a.kind <> 'CustomerHeld' then 0 when e.line % 2 = 1 then e.amount else -e.amount end)
                    as held,
                sum(case when a.kind = 'CustomerWallet' and e.line % 2 = 1 then e.amount else 0 end) as filled
            from ledger_entry e join ledger_account a on a.id = e.account_id group by e.payment_id) j
            on j.payment_id = p.id
        where (p.purpose = 'SALE' and coalesce(j.earned, 0) <> p.captured)
            or (p.purpose = 'TOP_UP' and coalesce(j.filled, 0) <> p.captured)
            or coalesce(j.refunded, 0) <> p.refunded
            or coalesce(j.held, 0)
                <> case when p.method = 'WALLET' and p.state = 'AUTHORIZED' then p.authorized else 0 end
        order by p.id limit 10
        """);

    // Of each part: what its merchant was credited with the charge, and what was given back, are what the part says;
    // and all parts together are what the payment says.
    private const string Unparted =
        """
        select p.id from payment p join (
            select p.id, {part merchant} as merchant, {part amount} as amount, {part refunded} as refunded
            from {parts}) t on t.id = p.id
        left join (
            select e.payment_id, a.owner,
                sum(case when a.kind = 'MerchantPayable' and e.event_id = e.payment_id and e.line % 2 = 1
                    then e.amount else 0 end) as earned,
                sum(case when a.kind = 'MerchantRefunds' then e.amount else 0 end) as returned
            from payment p join ledger_entry e on e.payment_id = p.id join ledger_account a on a.id = e.account_id
            where p.parts is not null and a.kind in ('MerchantPayable', 'MerchantRefunds')
            group by e.payment_id, a.owner) j on j.payment_id = p.id and j.owner = t.merchant
        group by p.id, p.amount, p.captured, p.refunded
        having sum(t.amount) <> p.amount or sum(t.refunded) <> p.refunded
            or sum(case when p.captured > 0 and coalesce(j.earned, 0) <> t.amount or p.captured = 0 and
                coalesce(j.earned, 0) <> 0 or coalesce(j.returned, 0) <> t.refunded then 1 else 0 end) > 0
        order by p.id limit 10
        """;

    // The two databases have no function in common that reads JSON.
    private static readonly Statement SelectUnparted = new(
        Unparted.Replace("{part merchant}", "r.\"merchantId\"").Replace("{part amount}", "r.amount")
            .Replace("{part refunded}", "r.refunded")
            .Replace("{parts}", """
                payment p cross join lateral jsonb_to_recordset(p.parts::jsonb)
                    as r("merchantId" text, amount bigint, refunded bigint)
                where p.parts is not null
                """),
        Unparted.Replace("{part merchant}", "json_extract(r.value, '$.merchantId')")
            .Replace("{part amount}", "json_extract(r.value, '$.amount')")
            .Replace("{part refunded}", "json_extract(r.value, '$.refunded')")
            .Replace("{parts}", "payment p cross join json_each(p.parts) r where p.parts is not null"),
        []);

    // Orders' requests whose payment or refund need not be stored yet: not read, or under a letter. An event
    // that is both is one.
    private static readonly Statement SelectAsked = new(
        """
        select e.type, e.payload from log_partition p
            left join log_group_offset o on o.partition_id = p.id and o.group_name = 'charges'
            join log_event e on e.partition_id = p.id and e.at_offset >= coalesce(o.next_offset, 0)
            where p.topic = 'payment-requests' and e.type like 'order.%'
                and not exists (select 1 from log_dead_letter d where d.group_name = 'charges'
                    and d.topic = p.topic and d.partition_no = p.partition_no and d.at_offset = e.at_offset)
        union all
        select d.type, d.payload from log_dead_letter d
            where d.group_name = 'charges' and d.topic = 'payment-requests' and d.state in ('OPEN', 'DISCARDED')
                and d.type like 'order.%'
        """);

    private static readonly Statement CountStored = new(
        """
        select cast(1 as bigint) from {rows} where exists (select 1 from payment p where p.id = rows.id)
            or exists (select 1 from payment_operation o where o.id = rows.id)
        """,
        Column.Id("id"));

    private static readonly Statement SelectCounts = new(
        """
        select
            (select count(*) from payment) + (select count(*) from payment_operation),
            (select count(*) from payment where state in ('REQUESTED', 'UNKNOWN'))
                + (select count(*) from payment_operation where state in ('REQUESTED', 'UNKNOWN')),
            (select coalesce(cast(sum(next_offset) as bigint), 0) from log_partition where topic = 'payment-requests'),
            (select count(*) from log_partition p
                left join log_group_offset o on o.partition_id = p.id and o.group_name = 'charges'
                join log_event e on e.partition_id = p.id and e.at_offset >= coalesce(o.next_offset, 0)
                where p.topic = 'payment-requests'),
            (select coalesce(cast(sum(p.next_offset - coalesce(o.next_offset, 0)) as bigint), 0) from log_partition p
                left join log_group_offset o on o.partition_id = p.id and o.group_name = 'charges'
                where p.topic = 'payment-requests'),
            (select count(*) from charge_due),
            (select count(*) from log_dead_letter where topic = 'payment-requests' and state = 'REPLAYED'),
            (select count(*) from log_dead_letter where topic = 'payment-requests' and state = 'OPEN'
                and type not like 'order.payment-requested/%')
        """);

    public static async ValueTask<long> CountBrokenAsync(Tx tx) =>
        (await tx.QueryAsync(CountBroken, Rows.None, r => r.Long(0)))[0];

    public static ValueTask<List<Guid>> SelectUnpostedAsync(Tx tx) =>
        tx.QueryAsync(SelectUnposted, Rows.None, r => r.Id(0));

    /// <summary>Payments in parts that differ from their postings, or from their parts (at most 10).</summary>
    public static ValueTask<List<Guid>> SelectUnpartedAsync(Tx tx) =>
        tx.QueryAsync(SelectUnparted, Rows.None, r => r.Id(0));

    /// <summary>
    /// How many orders' requests are in the log of which nothing is stored here yet, or ever will be.
    /// </summary>
    public static async ValueTask<long> CountUnstoredAsync(Tx tx)
    {
        // Only the ids are kept of what can be a long backlog.
        var asked = await tx.QueryAsync(SelectAsked, Rows.None, r => PaymentEvents.Parse(r.Text(0), r.Text(1)).Id);
        var known = asked.FindAll(id => id != Guid.Empty);
        return asked.Count - (await tx.QueryAsync(CountStored, Rows.Over(known).Id(i => i), r => r.Long(0))).Count;
    }

    public static async ValueTask<PaymentCounts> SelectCountsAsync(Tx tx) => (await tx.QueryAsync(
        SelectCounts,
        Rows.None,
        r => new PaymentCounts(
            r.Long(0), r.Long(1), r.Long(2), r.Long(3), r.Long(4), r.Long(5), r.Long(6), r.Long(7))))[0];
}

/// <summary>What there is of requests, everywhere they can be, at one moment.</summary>
/// <param name="Accepted">Payments and operations.</param>
/// <param name="Pending">Of these, without their final answer.</param>
/// <param name="Appended">Events ever appended to <c>payment-requests</c>.</param>
/// <param name="Unread">Events that are there and that the group has not committed.</param>
/// <param name="Ahead">How many there must be, by the offsets.</param>
/// <param name="Due">Put off.</param>
/// <param name="Replayed">Dead letters appended again.</param>
/// <param name="Dead">Dead letters that are open; an order's payment is under none once it is stored.</param>
internal sealed record PaymentCounts(
    long Accepted, long Pending, long Appended, long Unread, long Ahead, long Due, long Replayed, long Dead);
