using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>Every statement about orders.</summary>
internal static class OrdersSql
{
    // The lines of an order are a text in its row: they are written once with it, read with it, and never looked for by
    // themselves. What falls due is a table of its own, written in the order of time and never changed: an index over a
    // column of the order would be rewritten with each of its states.
    public static readonly Migration[] Migrations =
    [
        new("orders-001", """
            create table sale_order (
                id {id} primary key,
                sale_id {id} not null,
                buyer text not null,
                idempotency_key text not null,
                request_hash text not null,
                currency text not null,
                amount bigint not null check (amount > 0),
                lines text not null,
                payment_id {id} not null,
                ticket {id} not null,
                created_ms bigint not null,
                state text not null,
                method text,
                pay_key text,
                expires_ms bigint not null,
                changed_ms bigint not null,
                refunded bigint not null check (refunded >= 0),
                refunding bigint not null check (refunding >= 0),
                fail_reason text,
                unique (buyer, idempotency_key),
                check (refunded + refunding <= amount)
            ) {clustered} {room for updates};
            create index sale_order_of_sale on sale_order (sale_id, id);
            create table order_due (
                due_ms bigint not null,
                order_id {id} not null,
                primary key (due_ms, order_id)
            ) {clustered};
            create table order_refund (
                operation_id {id} primary key,
                order_id {id} not null,
                merchant_id text not null,
                amount bigint not null check (amount > 0),
                state text not null
            ) {clustered}
            """),
    ];

    private const string Columns =
        """
        o.id, o.sale_id, o.buyer, o.idempotency_key, o.request_hash, o.currency, o.amount, o.lines, o.payment_id,
        o.ticket, o.created_ms, o.state, o.method, o.pay_key, o.expires_ms, o.changed_ms, o.refunded, o.refunding,
        o.fail_reason
        """;

    private static readonly Statement InsertOrders = new(
        """
        insert into sale_order (id, sale_id, buyer, idempotency_key, request_hash, currency, amount, lines, payment_id,
            ticket, created_ms, state, method, pay_key, expires_ms, changed_ms, refunded, refunding, fail_reason)
        select rows.id, rows.sale_id, rows.buyer, rows.idempotency_key, rows.request_hash, rows.currency, rows.amount,
            rows.lines, rows.payment_id, rows.ticket, rows.created_ms, rows.state, rows.method, rows.pay_key,
            rows.expires_ms, rows.created_ms, 0, 0, null
        from {rows} where true on conflict (buyer, idempotency_key) do nothing returning id
        """,
        Column.Id("id"), Column.Id("sale_id"), Column.Text("buyer"), Column.Text("idempotency_key"),
        Column.Text("request_hash"), Column.Text("currency"), Column.Long("amount"), Column.Text("lines"),
        Column.Id("payment_id"), Column.Id("ticket"), Column.Long("created_ms"), Column.Text("state"),
        Column.Text("method"), Column.Text("pay_key"), Column.Long("expires_ms"));

    private static readonly Statement SelectByKeys = new(
        $$"""
        select {{Columns}} from {rows} join sale_order o
            on o.buyer = rows.buyer and o.idempotency_key = rows.idempotency_key
        """,
        Column.Text("buyer"), Column.Text("idempotency_key"));

    private static readonly Statement SelectByIds = new(
        $$"""select {{Columns}} from {rows} join sale_order o on o.id = rows.id""", Column.Id("id"));

    private static readonly Statement LockByIds = new(
        $$"""select {{Columns}} from {rows} join sale_order o on o.id = rows.id order by o.id {for update}""",
        Column.Id("id"));

    private static readonly Statement SelectPage = new(
        $$"""
        select {{Columns}} from sale_order o where o.id > (select rows.after from {rows})
        order by o.id limit (select rows.page from {rows})
        """,
        Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectPageOfSale = new(
        $$"""
        select {{Columns}} from sale_order o where o.sale_id = (select rows.sale_id from {rows})
            and o.id > (select rows.after from {rows})
        order by o.id limit (select rows.page from {rows})
        """,
        Column.Id("sale_id"), Column.Id("after"), Column.Long("page"));

    private static readonly Statement SelectPageOfBuyer = new(
        $$"""
        select {{Columns}} from sale_order o where o.buyer = (select rows.buyer from {rows})
            and o.id > (select rows.after from {rows})
        order by o.id limit (select rows.page from {rows})
        """,
        Column.Text("buyer"), Column.Id("after"), Column.Long("page"));

    // The guard repeats the transition's: an order leaves the state in which it was locked, and no other.
    private static readonly Statement UpdateOrders = new(
        """
        update sale_order set state = rows.state, lines = rows.lines, method = rows.method, pay_key = rows.pay_key,
            expires_ms = rows.expires_ms, changed_ms = rows.changed_ms, refunded = rows.refunded,
            refunding = rows.refunding, fail_reason = rows.fail_reason
        from {rows} where sale_order.id = rows.id and sale_order.state = rows.before
        """,
        Column.Id("id"), Column.Text("before"), Column.Text("state"), Column.Text("lines"), Column.Text("method"),
        Column.Text("pay_key"), Column.Long("expires_ms"), Column.Long("changed_ms"), Column.Long("refunded"),
        Column.Long("refunding"), Column.Text("fail_reason"));

    // The deadline of a payment is that of the hold before it when both were asked for in one millisecond.
    private static readonly Statement InsertDues = new(
        """
        insert into order_due (due_ms, order_id) select rows.due_ms, rows.order_id from {rows} where true
        on conflict (due_ms, order_id) do nothing
        """,
        Column.Long("due_ms"), Column.Id("order_id"));

    private static readonly Statement SelectDues = new(
        """
        select d.due_ms, d.order_id from order_due d where d.due_ms <= (select rows.now_ms from {rows})
        order by d.due_ms, d.order_id limit (select rows.page from {rows})
        """,
        Column.Long("now_ms"), Column.Long("page"));

    private static readonly Statement DeleteDues = new(
        "delete from order_due where (due_ms, order_id) in (select rows.due_ms, rows.order_id from {rows})",
        Column.Long("due_ms"), Column.Id("order_id"));

    private static readonly Statement InsertRefunds = new(
        """
        insert into order_refund (operation_id, order_id, merchant_id, amount, state)
        select rows.operation_id, rows.order_id, rows.merchant_id, rows.amount, 'REQUESTED' from {rows}
        """,
        Column.Id("operation_id"), Column.Id("order_id"), Column.Text("merchant_id"), Column.Long("amount"));

    // The guard is the idempotency of refunds' answers: the first one counts.
    private static readonly Statement EndRefunds = new(
        """
        update order_refund set state = rows.state from {rows} where order_refund.operation_id = rows.operation_id
            and order_refund.state = 'REQUESTED'
        returning order_refund.operation_id, order_refund.order_id, order_refund.merchant_id, order_refund.amount
        """,
        Column.Id("operation_id"), Column.Text("state"));

    /// <summary>Writes new orders; the ids of those whose key was free.</summary>
    public static ValueTask<List<Guid>> InsertAsync(Tx tx, IReadOnlyList<Order> orders) => tx.QueryAsync(
        InsertOrders,
        Rows.Over(orders).Id(o => o.Id).Id(o => o.Facts.SaleId).Text(o => o.Facts.Buyer)
            .Text(o => o.Facts.IdempotencyKey).Text(o => o.Facts.RequestHash).Text(o => o.Facts.Amount.Currency.Code)
            .Long(o => o.Facts.Amount.AmountMinor).Text(o => Write(o.Lines)).Id(o => o.Facts.PaymentId)
            .Id(o => o.Facts.Ticket).Long(o => o.Facts.CreatedMs).Text(o => NameOf(o.State)).Text(o => o.Method)
            .Text(o => o.PayKey).Long(o => o.ExpiresMs),
        r => r.Id(0));

    public static ValueTask<List<Order>> SelectByKeysAsync(
        Tx tx, IReadOnlyList<(string Buyer, string Key)> keys) => tx.QueryAsync(
        SelectByKeys, Rows.Over(keys).Text(k => k.Buyer).Text(k => k.Key), Map);

    public static ValueTask<List<Order>> SelectAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectByIds, Rows.Over(ids).Id(i => i), Map);

    public static ValueTask<List<Order>> LockAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(LockByIds, Rows.Over(ids).Id(i => i), Map);

    /// <summary>Orders after an id: of one buyer, else of one sale, else of all.</summary>
    public static ValueTask<List<Order>> SelectPageAsync(
        Tx tx, string? buyer, Guid? saleId, Guid after, int page) => (buyer, saleId) switch
    {
        (not null, _) => tx.QueryAsync(
            SelectPageOfBuyer, Rows.One(buyer).Text(b => b).Id(_ => after).Long(_ => page), Map),
        (_, { } sale) => tx.QueryAsync(
            SelectPageOfSale, Rows.One(sale).Id(s => s).Id(_ => after).Long(_ => page), Map),
        _ => tx.QueryAsync(SelectPage, Rows.One(after).Id(a => a).Long(_ => page), Map),
    };

    public static void Update(Tx tx, IReadOnlyList<(Order Before, Order After)> changes) => tx.Queue(
        UpdateOrders,
        Rows.Over(changes).Id(c => c.After.Id).Text(c => NameOf(c.Before.State)).Text(c => NameOf(c.After.State))
            .Text(c => Write(c.After.Lines)).Text(c => c.After.Method).Text(c => c.After.PayKey)
            .Long(c => c.After.ExpiresMs).Long(c => c.After.ChangedMs).Long(c => c.After.Refunded)
            .Long(c => c.After.Refunding).Text(c => c.After.FailReason),
        changes.Count,
        "every locked order is updated");

    public static void InsertDue(Tx tx, IReadOnlyList<Order> orders) => tx.Queue(
        InsertDues, Rows.Over(orders).Long(o => o.ExpiresMs).Id(o => o.Id));

    public static ValueTask<List<DueOrder>> SelectDueAsync(Tx tx, long nowMs, int page) => tx.QueryAsync(
        SelectDues, Rows.One(nowMs).Long(n => n).Long(_ => page), r => new DueOrder(r.Long(0), r.Id(1)));

    public static void Delete(Tx tx, IReadOnlyList<DueOrder> dues) => tx.Queue(
        DeleteDues, Rows.Over(dues).Long(d => d.DueMs).Id(d => d.OrderId));

    public static void Insert(Tx tx, IReadOnlyList<Refund> refunds) => tx.Queue(
        InsertRefunds,
        Rows.Over(refunds).Id(r => r.OperationId).Id(r => r.OrderId).Text(r => r.MerchantId).Long(r => r.Amount));

    /// <summary>Ends refunds; those that were not ended before.</summary>
    public static ValueTask<List<Refund>> EndAsync(
        Tx tx, IReadOnlyList<(Guid OperationId, bool IsDone)> answers) => tx.QueryAsync(
        EndRefunds,
        Rows.Over(answers).Id(a => a.OperationId).Text(a => a.IsDone ? "SUCCEEDED" : "FAILED"),
        r => new Refund(r.Id(0), r.Id(1), r.Text(2), r.Long(3)));

    /// <summary>A state as it is stored and shown.</summary>
    public static string NameOf(OrderState state) => state switch
    {
        OrderState.TemporaryAssigned => "TEMPORARY_ASSIGNED",
        OrderState.PaymentPending => "PAYMENT_PENDING",
        OrderState.Confirmed => "CONFIRMED",
        OrderState.PaymentFailed => "PAYMENT_FAILED",
        OrderState.Expired => "EXPIRED",
        _ => "CANCELLED",
    };

    private static OrderState StateOf(string name) => name switch
    {
        "TEMPORARY_ASSIGNED" => OrderState.TemporaryAssigned,
        "PAYMENT_PENDING" => OrderState.PaymentPending,
        "CONFIRMED" => OrderState.Confirmed,
        "PAYMENT_FAILED" => OrderState.PaymentFailed,
        "EXPIRED" => OrderState.Expired,
        "CANCELLED" => OrderState.Cancelled,
        _ => throw new InvalidOperationException(
            $"'{name}' is stored by a newer version of this program; run that one."),
    };

    private static string Write(IReadOnlyList<OrderLine> lines) =>
        JsonSerializer.Serialize(lines, StoredLines.Default.IReadOnlyListOrderLine);

    private static Order Map(Row r) => new(
        new OrderFacts(
            r.Id(0), r.Id(1), r.Text(2), r.Text(3), r.Text(4), new Money(r.Long(6), Currency.FromStored(r.Text(5))),
            r.Id(8), r.Id(9), r.Long(10)),
        JsonSerializer.Deserialize(r.Text(7), StoredLines.Default.IReadOnlyListOrderLine)!)
    {
        State = StateOf(r.Text(11)),
        Method = r.TextOrNull(12),
        PayKey = r.TextOrNull(13),
        ExpiresMs = r.Long(14),
        ChangedMs = r.Long(15),
        Refunded = r.Long(16),
        Refunding = r.Long(17),
        FailReason = r.TextOrNull(18),
    };
}

/// <summary>When an order is to be looked at because its time may be over.</summary>
internal readonly record struct DueOrder(long DueMs, Guid OrderId);

/// <summary>The lines of an order as its row keeps them.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(IReadOnlyList<OrderLine>))]
internal sealed partial class StoredLines : JsonSerializerContext;
