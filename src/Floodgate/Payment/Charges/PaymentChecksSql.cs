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

    // Of a sale: what the merchant was given and the platform kept is what was captured; of a top-up, what is in the
    // wallet. What was refunded is what the merchant's refunds account was debited; the commission of the capture was
    // credited to the platform (a refund debits it); only a wallet's open authorization holds its customer's money.
    private static readonly Statement SelectUnposted = new(
        """
        select p.id from payment p left join (
            select e.payment_id,
                sum(case when a.kind in ('MerchantPayable', 'PlatformCommission') then
                    case when e.line % 2 = 1 then e.amount else -e.amount end else 0 end) as earned,
                sum(case when a.kind = 'MerchantRefunds' then e.amount else 0 end) as refunded,
                sum(case when a.kind <> 'CustomerHeld' then 0 when e.line % 2 = 1 then e.amount else -e.amount end)
                    as held,
                sum(case when a.kind = 'PlatformCommission' and e.line % 2 = 1 then e.amount else 0 end) as kept,
                sum(case when a.kind = 'CustomerWallet' and e.line % 2 = 1 then e.amount else 0 end) as filled
            from ledger_entry e join ledger_account a on a.id = e.account_id group by e.payment_id) j
            on j.payment_id = p.id
        where (p.purpose = 'SALE' and coalesce(j.earned, 0) <> p.captured)
            or (p.purpose = 'TOP_UP' and coalesce(j.filled, 0) <> p.captured)
            or coalesce(j.refunded, 0) <> p.refunded or coalesce(j.kept, 0) <> p.commission
            or coalesce(j.held, 0)
                <> case when p.method = 'WALLET' and p.state = 'AUTHORIZED' then p.authorized else 0 end
        order by p.id limit 10
        """);

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
            (select count(*) from log_dead_letter where topic = 'payment-requests' and state = 'OPEN')
        """);

    public static async ValueTask<long> CountBrokenAsync(Tx tx) =>
        (await tx.QueryAsync(CountBroken, Rows.None, r => r.Long(0)))[0];

    public static ValueTask<List<Guid>> SelectUnpostedAsync(Tx tx) =>
        tx.QueryAsync(SelectUnposted, Rows.None, r => r.Id(0));

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
/// <param name="Dead">Dead letters that are open.</param>
internal sealed record PaymentCounts(
    long Accepted, long Pending, long Appended, long Unread, long Ahead, long Due, long Replayed, long Dead);
