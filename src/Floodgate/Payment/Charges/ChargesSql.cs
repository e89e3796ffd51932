using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>Every statement about payments. No index names the state, so PostgreSQL updates it in place.</summary>
internal static class ChargesSql
{
    public static readonly Migration[] Migrations =
    [
        new("charges-001", """
            create table payment (
                id {id} primary key,
                merchant_id text not null,
                idempotency_key text not null,
                user_id text,
                order_id text,
                amount bigint not null check (amount > 0),
                currency text not null,
                method text not null,
                purpose text not null,
                is_capture bigint not null,
                state text not null,
                authorized bigint not null,
                captured bigint not null,
                refunded bigint not null,
                capturing bigint not null,
                refunding bigint not null,
                is_voiding bigint not null,
                commission bigint not null,
                fail_reason text,
                requested_ms bigint not null,
                processed_ms bigint not null,
                unique (merchant_id, idempotency_key),
                check (refunded + refunding <= captured and captured + capturing <= authorized
                    and authorized <= amount and refunding >= 0 and capturing >= 0)
            ) {clustered} {room for updates};
            create index payment_of_merchant on payment (merchant_id, id);
            create table payment_operation (
                id {id} primary key,
                payment_id {id} not null,
                merchant_id text not null,
                idempotency_key text not null,
                kind text not null,
                asked bigint not null,
                amount bigint not null check (amount > 0),
                currency text not null,
                state text not null,
                fail_reason text,
                requested_ms bigint not null,
                processed_ms bigint not null,
                unique (merchant_id, idempotency_key)
            ) {clustered} {room for updates};
            create index payment_operation_of_payment on payment_operation (payment_id, id);
            create table charge_due (
                id {id} primary key,
                payment_id {id} not null,
                provider text not null,
                due_ms bigint not null,
                attempts bigint not null
            ) {clustered};
            create index charge_due_by_time on charge_due (provider, due_ms)
            """),
        new("charges-002", """
            alter table payment add column parts text;
            alter table payment add column not_after_ms bigint not null default 0;
            alter table payment_operation add column part_merchant_id text;
            alter table charge_due add column not_after_ms bigint not null default 0;
            create index charge_due_by_end on charge_due (provider, not_after_ms) where not_after_ms > 0
            """),
        new("charges-003", "alter table payment drop column commission"),
    ];

    private const string PaymentColumns =
        """
        p.id, p.merchant_id, p.idempotency_key, p.user_id, p.order_id, p.amount, p.currency, p.method, p.purpose,
        p.is_capture, p.requested_ms, p.state, p.authorized, p.captured, p.refunded, p.capturing, p.refunding,
        p.is_voiding, p.fail_reason, p.processed_ms, p.parts, p.not_after_ms
        """;

    private const string OperationColumns =
        """
        o.id, o.payment_id, o.merchant_id, o.idempotency_key, o.kind, o.asked, o.amount, o.currency, o.requested_ms,
        o.state, o.fail_reason, o.processed_ms, o.part_merchant_id
        """;

    private static readonly Statement InsertPayments = new(
        """
        insert into payment (id, merchant_id, idempotency_key, user_id, order_id, amount, currency, method, purpose,
            is_capture, state, authorized, captured, refunded, capturing, refunding, is_voiding, fail_reason,
            requested_ms, processed_ms)
        select rows.id, rows.merchant_id, rows.idempotency_key, rows.user_id, rows.order_id, rows.amount,
            rows.currency, rows.method, rows.purpose, rows.is_capture, 'REQUESTED', 0, 0, 0, 0, 0, 0, null,
            rows.requested_ms, 0
        from {rows} where true on conflict (merchant_id, idempotency_key) do nothing returning id
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("idempotency_key"), Column.Text("user_id"),
        Column.Text("order_id"), Column.Long("amount"), Column.Text("currency"), Column.Text("method"),
        Column.Text("purpose"), Column.Long("is_capture"), Column.Long("requested_ms"));

    // On any conflict nothing: the id, which an earlier delivery has stored, or the key, which another payment has.
    private static readonly Statement InsertAnswered = new(
        """
        insert into payment (id, merchant_id, idempotency_key, user_id, order_id, amount, currency, method, purpose,
            is_capture, state, authorized, captured, refunded, capturing, refunding, is_voiding, fail_reason,
            requested_ms, processed_ms, parts, not_after_ms)
        select rows.id, rows.merchant_id, rows.idempotency_key, rows.user_id, rows.order_id, rows.amount,
            rows.currency, rows.method, 'SALE', 1, rows.state, rows.authorized, rows.captured, 0, 0, 0, 0,
            rows.fail_reason, rows.requested_ms, rows.processed_ms, rows.parts, rows.not_after_ms
        from {rows} where true on conflict do nothing returning id
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("idempotency_key"), Column.Text("user_id"),
        Column.Text("order_id"), Column.Long("amount"), Column.Text("currency"), Column.Text("method"),
        Column.Text("state"), Column.Long("authorized"), Column.Long("captured"), Column.Text("fail_reason"),
        Column.Long("requested_ms"), Column.Long("processed_ms"), Column.Text("parts"), Column.Long("not_after_ms"));

    private static readonly Statement SelectStored = new(
        "select p.id from {rows} join payment p on p.id = rows.id", Column.Id("id"));

    private static readonly Statement SelectByKeys = new(
        $$"""
        select {{PaymentColumns}} from {rows} join payment p
            on p.merchant_id = rows.merchant_id and p.idempotency_key = rows.idempotency_key
        """,
        Column.Text("merchant_id"), Column.Text("idempotency_key"));

    private static readonly Statement SelectByIds = new(
        $$"""select {{PaymentColumns}} from {rows} join payment p on p.id = rows.id""", Column.Id("id"));

    private static readonly Statement LockByIds = new(
        $$"""select {{PaymentColumns}} from {rows} join payment p on p.id = rows.id order by p.id {for update}""",
        Column.Id("id"));

    // A join would let PostgreSQL walk the primary key from its start; values of a subselect bound the index.
    private static readonly Statement SelectPage = new(
        $$"""
        select {{PaymentColumns}} from payment p where p.merchant_id = (select rows.merchant_id from {rows})
            and p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page_max from {rows})
        """,
        Column.Text("merchant_id"), Column.Id("after"), Column.Long("page_max"));

    private static readonly Statement SelectPageOfAll = new(
        $$"""
        select {{PaymentColumns}} from payment p where p.id > (select rows.after from {rows})
        order by p.id limit (select rows.page_max from {rows})
        """,
        Column.Id("after"), Column.Long("page_max"));

    // The guard is the idempotency of provider answers: only a pending payment changes.
    private static readonly Statement SettleCharges = new(
        """
        update payment set state = rows.state, authorized = rows.authorized, captured = rows.captured,
            fail_reason = rows.fail_reason, processed_ms = rows.processed_ms
        from {rows} where payment.id = rows.id and payment.state in ('REQUESTED', 'UNKNOWN')
            and payment.state <> rows.state
        returning payment.id
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("authorized"), Column.Long("captured"),
        Column.Text("fail_reason"), Column.Long("processed_ms"));

    private static readonly Statement UpdatePayments = new(
        """
        update payment set state = rows.state, captured = rows.captured, refunded = rows.refunded,
            capturing = rows.capturing, refunding = rows.refunding, is_voiding = rows.is_voiding, parts = rows.parts
        from {rows} where payment.id = rows.id
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("captured"), Column.Long("refunded"),
        Column.Long("capturing"), Column.Long("refunding"), Column.Long("is_voiding"), Column.Text("parts"));

    private static readonly Statement InsertOperations = new(
        """
        insert into payment_operation (id, payment_id, merchant_id, idempotency_key, kind, asked, amount, currency,
            state, fail_reason, requested_ms, processed_ms, part_merchant_id)
        select rows.id, rows.payment_id, rows.merchant_id, rows.idempotency_key, rows.kind, rows.asked, rows.amount,
            rows.currency, 'REQUESTED', null, rows.requested_ms, 0, rows.part_merchant_id
        from {rows} where true on conflict (merchant_id, idempotency_key) do nothing returning id
        """,
        Column.Id("id"), Column.Id("payment_id"), Column.Text("merchant_id"), Column.Text("idempotency_key"),
        Column.Text("kind"), Column.Long("asked"), Column.Long("amount"), Column.Text("currency"),
        Column.Long("requested_ms"), Column.Text("part_merchant_id"));

    private static readonly Statement SelectOperationsByKeys = new(
        $$"""
        select {{OperationColumns}} from {rows} join payment_operation o
            on o.merchant_id = rows.merchant_id and o.idempotency_key = rows.idempotency_key
        """,
        Column.Text("merchant_id"), Column.Text("idempotency_key"));

    private static readonly Statement SelectOperationsByIds = new(
        $$"""select {{OperationColumns}} from {rows} join payment_operation o on o.id = rows.id""", Column.Id("id"));

    private static readonly Statement SelectOperationsOfPayment = new(
        $$"""
        select {{OperationColumns}} from {rows} join payment_operation o on o.payment_id = rows.payment_id
        order by o.id limit 1000
        """,
        Column.Id("payment_id"));

    private static readonly Statement UpdateOperations = new(
        """
        update payment_operation set state = rows.state, fail_reason = rows.fail_reason,
            processed_ms = rows.processed_ms
        from {rows} where payment_operation.id = rows.id and payment_operation.state in ('REQUESTED', 'UNKNOWN')
        """,
        Column.Id("id"), Column.Text("state"), Column.Text("fail_reason"), Column.Long("processed_ms"));

    private static readonly Statement UpsertDue = new(
        """
        insert into charge_due (id, payment_id, provider, due_ms, attempts, not_after_ms)
        select rows.id, rows.payment_id, rows.provider, rows.due_ms, rows.attempts, rows.not_after_ms
        from {rows} where true
        on conflict (id) do update set due_ms = excluded.due_ms, attempts = excluded.attempts,
            not_after_ms = excluded.not_after_ms
        """,
        Column.Id("id"), Column.Id("payment_id"), Column.Text("provider"), Column.Long("due_ms"),
        Column.Long("attempts"), Column.Long("not_after_ms"));

    private static readonly Statement DeleteDue = new(
        "delete from charge_due where id in (select rows.id from {rows})", Column.Id("id"));

    private static readonly Statement SelectDue = new(
        """
        select d.id, d.payment_id, d.attempts from charge_due d
        where d.provider = (select rows.provider from {rows}) and d.due_ms <= (select rows.now_ms from {rows})
        order by d.due_ms limit 5000
        """,
        Column.Text("provider"), Column.Long("now_ms"));

    // Only charges that no provider can have seen have an end here.
    private static readonly Statement SelectEnded = new(
        """
        select d.id, d.payment_id, d.attempts from charge_due d
        where d.provider = (select rows.provider from {rows}) and d.not_after_ms > 0
            and d.not_after_ms < (select rows.now_ms from {rows})
        order by d.not_after_ms limit 1000
        """,
        Column.Text("provider"), Column.Long("now_ms"));

    private static readonly Statement LoseSightOfDue = new(
        """
        update payment set state = 'UNKNOWN' where state = 'REQUESTED'
            and id in (select d.payment_id from charge_due d where d.not_after_ms > 0)
        """);

    private static readonly Statement ForgetEnds = new(
        "update charge_due set not_after_ms = 0 where not_after_ms > 0");

    private static readonly Statement NextDue = new(
        "select min(d.due_ms) from charge_due d where d.provider = (select rows.provider from {rows})",
        Column.Text("provider"));

    private static readonly Statement CountDue = new("select count(*) from charge_due");

    public static ValueTask<List<Guid>> InsertAsync(Tx tx, IReadOnlyList<Payment> payments) => tx.QueryAsync(
        InsertPayments,
        Rows.Over(payments).Id(p => p.Id).Text(p => p.Request.MerchantId).Text(p => p.Request.IdempotencyKey)
            .Text(p => p.Request.UserId).Text(p => p.Request.OrderId).Long(p => p.Request.Amount.AmountMinor)
            .Text(p => p.Request.Amount.Currency.Code).Text(p => Words.Of(p.Request.Method))
            .Text(p => Words.Of(p.Request.Purpose)).Flag(p => p.Request.Capture).Long(p => p.RequestedAtMs),
        r => r.Id(0));

    /// <summary>
    /// Stores payments with their first answer; the ids of those that are stored now. A payment of the others' id or
    /// key was there before.
    /// </summary>
    public static ValueTask<List<Guid>> InsertAnsweredAsync(Tx tx, IReadOnlyList<Payment> payments) => tx.QueryAsync(
        InsertAnswered,
        Rows.Over(payments).Id(p => p.Id).Text(p => p.Request.MerchantId).Text(p => p.Request.IdempotencyKey)
            .Text(p => p.Request.UserId).Text(p => p.Request.OrderId).Long(p => p.Request.Amount.AmountMinor)
            .Text(p => p.Request.Amount.Currency.Code).Text(p => Words.Of(p.Request.Method))
            .Text(p => Words.Of(p.State)).Long(p => p.Authorized).Long(p => p.Captured)
            .Text(p => p.FailReason).Long(p => p.RequestedAtMs).Long(p => p.ProcessedAtMs).Text(p => p.Parts?.Text)
            .Long(p => p.NotAfterMs),
        r => r.Id(0));

    /// <summary>Which of these payments are stored.</summary>
    public static ValueTask<List<Guid>> SelectStoredAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectStored, Rows.Over(ids).Id(i => i), r => r.Id(0));

    public static ValueTask<List<Payment>> SelectByKeysAsync(Tx tx, IReadOnlyList<PaymentRequest> requests) =>
        tx.QueryAsync(
            SelectByKeys, Rows.Over(requests).Text(r => r.MerchantId).Text(r => r.IdempotencyKey), MapPayment);

    public static ValueTask<List<Payment>> SelectAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectByIds, Rows.Over(ids).Id(i => i), MapPayment);

    public static ValueTask<List<Payment>> LockAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(LockByIds, Rows.Over(ids).Id(i => i), MapPayment);

    /// <summary>A page after an id, of one merchant or, with null, of all; at most so many.</summary>
    public static ValueTask<List<Payment>> SelectPageAsync(Tx tx, string? merchantId, Guid after, int max) =>
        merchantId is null
            ? tx.QueryAsync(SelectPageOfAll, Rows.One(after).Id(a => a).Long(_ => max), MapPayment)
            : tx.QueryAsync(
                SelectPage, Rows.One(after).Text(_ => merchantId).Id(a => a).Long(_ => max), MapPayment);

    /// <summary>Writes the provider's first answer; the ids of those that were pending and did change.</summary>
    public static ValueTask<List<Guid>> SettleAsync(Tx tx, IReadOnlyList<Payment> payments) => tx.QueryAsync(
        SettleCharges,
        Rows.Over(payments).Id(p => p.Id).Text(p => Words.Of(p.State)).Long(p => p.Authorized).Long(p => p.Captured)
            .Text(p => p.FailReason).Long(p => p.ProcessedAtMs),
        r => r.Id(0));

    public static void Update(Tx tx, IReadOnlyCollection<Payment> payments) => tx.Queue(
        UpdatePayments,
        Rows.Over(payments.ToList()).Id(p => p.Id).Text(p => Words.Of(p.State)).Long(p => p.Captured)
            .Long(p => p.Refunded).Long(p => p.Capturing).Long(p => p.Refunding).Flag(p => p.IsVoiding)
            .Text(p => p.Parts?.Text),
        payments.Count,
        "every locked payment is updated");

    public static ValueTask<List<Guid>> InsertAsync(Tx tx, IReadOnlyList<Operation> operations) => tx.QueryAsync(
        InsertOperations,
        Rows.Over(operations).Id(o => o.Id).Id(o => o.PaymentId).Text(o => o.Request.MerchantId)
            .Text(o => o.Request.IdempotencyKey).Text(o => Words.Of(o.Request.Kind))
            .Long(o => o.Request.Amount?.AmountMinor ?? 0).Long(o => o.Amount)
            .Text(o => o.Request.Amount?.Currency.Code ?? "").Long(o => o.RequestedAtMs)
            .Text(o => o.Request.PartMerchantId),
        r => r.Id(0));

    public static ValueTask<List<Operation>> SelectByKeysAsync(Tx tx, IReadOnlyList<OperationRequest> requests) =>
        tx.QueryAsync(
            SelectOperationsByKeys,
            Rows.Over(requests).Text(r => r.MerchantId).Text(r => r.IdempotencyKey),
            MapOperation);

    public static ValueTask<List<Operation>> SelectOperationsAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        tx.QueryAsync(SelectOperationsByIds, Rows.Over(ids).Id(i => i), MapOperation);

    public static ValueTask<List<Operation>> SelectOperationsOfAsync(Tx tx, Guid paymentId) =>
        tx.QueryAsync(SelectOperationsOfPayment, Rows.One(paymentId).Id(i => i), MapOperation);

    public static void Update(Tx tx, IReadOnlyList<Operation> operations) => tx.Queue(
        UpdateOperations,
        Rows.Over(operations).Id(o => o.Id).Text(o => Words.Of(o.State)).Text(o => o.FailReason)
            .Long(o => o.ProcessedAtMs),
        operations.Count,
        "every pending operation is updated");

    public static void Upsert(Tx tx, IReadOnlyList<DueCharge> due) => tx.Queue(
        UpsertDue,
        Rows.Over(due).Id(d => d.Id).Id(d => d.PaymentId).Text(d => d.Provider).Long(d => d.DueMs)
            .Long(d => d.Attempts).Long(d => d.NotAfterMs));

    public static void DeleteDues(Tx tx, IReadOnlyList<Guid> ids) => tx.Queue(DeleteDue, Rows.Over(ids).Id(i => i));

    public static ValueTask<List<DueCharge>> SelectDueAsync(Tx tx, string provider, long nowMs) => tx.QueryAsync(
        SelectDue,
        Rows.One(provider).Text(p => p).Long(_ => nowMs),
        r => new DueCharge(r.Id(0), r.Id(1), provider, nowMs, (int)r.Long(2)));

    /// <summary>Charges that no provider can have seen and whose order has expired.</summary>
    public static ValueTask<List<DueCharge>> SelectEndedAsync(Tx tx, string provider, long nowMs) => tx.QueryAsync(
        SelectEnded,
        Rows.One(provider).Text(p => p).Long(_ => nowMs),
        r => new DueCharge(r.Id(0), r.Id(1), provider, nowMs, (int)r.Long(2)));

    /// <summary>
    /// At the start of a worker: the one before may have called the provider for what it had put off and died before it
    /// could tell, so their outcome is not known.
    /// </summary>
    public static void LoseSight(Tx tx)
    {
        tx.Queue(LoseSightOfDue, Rows.None);
        tx.Queue(ForgetEnds, Rows.None);
    }

    public static async ValueTask<long?> NextDueMsAsync(Tx tx, string provider) =>
        (await tx.QueryAsync(NextDue, Rows.One(provider).Text(p => p), r => r.LongOrNull(0)))[0];

    public static async ValueTask<long> CountDueAsync(Tx tx) =>
        (await tx.QueryAsync(CountDue, Rows.None, r => r.Long(0)))[0];

    private static Payment MapPayment(Row r)
    {
        var request = new PaymentRequest(
            r.Text(1), r.Text(2), r.TextOrNull(3), r.TextOrNull(4),
            new Money(r.Long(5), Currency.FromStored(r.Text(6))),
            Words.Method(r.Text(7)), Words.Purpose(r.Text(8)), r.Flag(9));
        return new Payment(r.Id(0), request, r.Long(10))
        {
            State = Words.State(r.Text(11)),
            Authorized = r.Long(12),
            Captured = r.Long(13),
            Refunded = r.Long(14),
            Capturing = r.Long(15),
            Refunding = r.Long(16),
            IsVoiding = r.Flag(17),
            FailReason = r.TextOrNull(18),
            ProcessedAtMs = r.Long(19),
            Parts = PaymentParts.FromStored(r.TextOrNull(20)),
            NotAfterMs = r.Long(21),
        };
    }

    private static Operation MapOperation(Row r)
    {
        Money? asked = r.Long(5) == 0 ? null : new Money(r.Long(5), Currency.FromStored(r.Text(7)));
        var request = new OperationRequest(r.Text(2), r.Text(3), r.Id(1), Words.Kind(r.Text(4)), asked, r.TextOrNull(
            12));
        return new Operation(r.Id(0), r.Id(1), request, r.Long(6), r.Long(8))
        {
            State = Words.OperationState(r.Text(9)),
            FailReason = r.TextOrNull(10),
            ProcessedAtMs = r.Long(11),
        };
    }
}

/// <summary>A charge or operation that waits for its time: parked, to be tried again, or to be asked about.</summary>
/// <param name="Id">The payment's or operation's id.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="Provider">Whom to ask.</param>
/// <param name="DueMs">Not before.</param>
/// <param name="Attempts">Tries so far.</param>
/// <param name="NotAfterMs">When it is given up, if no provider can have seen it; 0 for never.</param>
internal sealed record DueCharge(
    Guid Id, Guid PaymentId, string Provider, long DueMs, int Attempts, long NotAfterMs = 0);
