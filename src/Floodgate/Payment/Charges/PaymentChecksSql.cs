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
    // wallet. What was refunded is what the merchant's refunds account was debited.
    private static readonly Statement SelectUnposted = new(
        """
        select p.id from payment p left join (
            select e.payment_id,
                sum(case when a.kind in ('MerchantPayable', 'PlatformCommission') then
                    case when e.line % 2 = 1 then e.amount else -e.amount end else 0 end) as earned,
                sum(case when a.kind = 'MerchantRefunds' then e.amount else 0 end) as refunded,
                sum(case when a.kind = 'CustomerWallet' and e.line % 2 = 1 then e.amount else 0 end) as filled
            from ledger_entry e join ledger_account a on a.id = e.account_id group by e.payment_id) j
            on j.payment_id = p.id
        where (p.purpose = 'SALE' and coalesce(j.earned, 0) <> p.captured)
            or (p.purpose = 'TOP_UP' and coalesce(j.filled, 0) <> p.captured)
            or coalesce(j.refunded, 0) <> p.refunded
        order by p.id limit 10
        """);

    private static readonly Statement SelectCounts = new(
        """
        select
            (select count(*) from payment) + (select count(*) from payment_operation),
            (select count(*) from payment where state in ('REQUESTED', 'UNKNOWN'))
                + (select count(*) from payment_operation where state in ('REQUESTED', 'UNKNOWN')),
            (select coalesce(cast(sum(next_offset) as bigint), 0) from log_partition where topic = 'payment-requests'),
            (select coalesce(cast(sum(o.next_offset) as bigint), 0) from log_group_offset o
                join log_partition p on p.id = o.partition_id
                where o.group_name = 'charges' and p.topic = 'payment-requests'),
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
        r => new PaymentCounts(r.Long(0), r.Long(1), r.Long(2), r.Long(3), r.Long(4), r.Long(5), r.Long(6))))[0];
}

/// <summary>What there is of requests, everywhere they can be, at one moment.</summary>
/// <param name="Accepted">Payments and operations.</param>
/// <param name="Pending">Of these, without their final answer.</param>
/// <param name="Appended">Events ever appended to <c>payment-requests</c>.</param>
/// <param name="Finished">Events that the group has committed.</param>
/// <param name="Due">Put off.</param>
/// <param name="Replayed">Dead letters appended again.</param>
/// <param name="Dead">Dead letters that are open.</param>
internal sealed record PaymentCounts(
    long Accepted, long Pending, long Appended, long Finished, long Due, long Replayed, long Dead);
