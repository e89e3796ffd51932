using Floodgate.Storage.Database;

namespace Floodgate.Payment.Results;

/// <summary>Every statement that compares orders with payments.</summary>
internal static class ResultsSql
{
    private static readonly Statement SelectUnpaid = new(
        """
        select o.id from sale_order o left join payment p on p.id = o.payment_id
        where (o.state = 'CONFIRMED' or (o.state = 'CANCELLED' and o.method is not null))
            and (p.id is null or p.captured <> o.amount or p.currency <> o.currency
                or p.refunded > o.refunded + o.refunding or p.refunded < o.refunded)
        order by o.id limit 10
        """);

    // Whatever was taken for an order that is over goes back: it is given back, or on its way, or the outcome has not
    // been read yet, or the provider refused to give it back, which the order tells.
    private static readonly Statement SelectKept = new(
        """
        select o.id from sale_order o join payment p on p.id = o.payment_id
        where o.state in ('EXPIRED', 'PAYMENT_FAILED') and p.captured > o.refunded + o.refunding
            and coalesce(o.fail_reason, '') <> 'refund_failed'
            and not exists (select 1 from log_partition q
                join log_group_offset g on g.partition_id = q.id and g.group_name = 'results'
                where q.topic = 'payment-results' and q.next_offset > g.next_offset)
        order by o.id limit 10
        """);

    public static ValueTask<List<Guid>> SelectUnpaidAsync(Tx tx) =>
        tx.QueryAsync(SelectUnpaid, Rows.None, r => r.Id(0));

    public static ValueTask<List<Guid>> SelectKeptAsync(Tx tx) =>
        tx.QueryAsync(SelectKept, Rows.None, r => r.Id(0));
}
