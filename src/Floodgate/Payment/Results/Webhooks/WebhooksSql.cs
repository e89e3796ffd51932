using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>Every statement about endpoints and deliveries.</summary>
internal static class WebhooksSql
{
    /// <summary>Rows closed or swept at a time.</summary>
    public const int SweepMax = 1_000;

    // What is due is found endpoint by endpoint, so that one with a million waiting deliveries hides no other.
    public static readonly Migration[] Migrations =
    [
        new("webhooks-001", """
            create table webhook_endpoint (
                id {id} primary key,
                merchant_id text not null,
                request_key text not null,
                request_hash text not null,
                url text not null,
                events text not null,
                secret text not null,
                old_secret text,
                old_until_ms bigint not null,
                rotate_key text,
                state text not null check (state in ('ENABLED', 'DISABLED', 'REMOVED')),
                created_ms bigint not null,
                changed_ms bigint not null,
                unique (merchant_id, request_key)
            ) {clustered} {room for updates};
            create index webhook_endpoint_of_merchant on webhook_endpoint (merchant_id, id);
            create table webhook_delivery (
                id {id} primary key,
                endpoint_id {id} not null,
                message_id {id} not null,
                type text not null,
                payload text not null,
                state text not null check (state in ('PENDING', 'DELIVERED', 'FAILED')),
                attempts bigint not null,
                due_ms bigint not null,
                last_status bigint,
                last_error text,
                created_ms bigint not null
            ) {clustered} {room for updates};
            create index webhook_delivery_of_endpoint on webhook_delivery (endpoint_id, state, id);
            create index webhook_delivery_due on webhook_delivery (endpoint_id, due_ms) where state = 'PENDING'
            """),
    ];

    private const string EndpointColumns = "e.id, e.merchant_id, e.url, e.events, e.secret, e.state, e.created_ms";

    private const string DeliveryColumns =
        """
        d.id, d.endpoint_id, d.message_id, d.type, d.payload, d.state, d.attempts, d.due_ms, d.last_status,
        d.last_error, d.created_ms
        """;

    // A caller without a merchant is an operator, who sees every merchant's.
    private const string IsCallers = "(rows.merchant_id is null or e.merchant_id = rows.merchant_id)";

    private static readonly Statement InsertEndpoint = new(
        """
        insert into webhook_endpoint (id, merchant_id, request_key, request_hash, url, events, secret, old_until_ms,
            state, created_ms, changed_ms)
        select rows.id, rows.merchant_id, rows.request_key, rows.request_hash, rows.url, rows.events, rows.secret, 0,
            'ENABLED', rows.now_ms, rows.now_ms
        from {rows} where true on conflict (merchant_id, request_key) do nothing returning id
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Text("request_key"), Column.Text("request_hash"),
        Column.Text("url"), Column.Text("events"), Column.Text("secret"), Column.Long("now_ms"));

    private static readonly Statement SelectByKey = new(
        $$"""
        select {{EndpointColumns}}, e.request_hash from {rows}
        join webhook_endpoint e on e.merchant_id = rows.merchant_id and e.request_key = rows.request_key
        """,
        Column.Text("merchant_id"), Column.Text("request_key"));

    private static readonly Statement CountOfMerchant = new(
        """
        select count(*) from webhook_endpoint e
        where e.merchant_id = (select rows.merchant_id from {rows}) and e.state <> 'REMOVED'
        """,
        Column.Text("merchant_id"));

    private static readonly Statement SelectEnabledOfMerchants = new(
        $$"""
        select {{EndpointColumns}} from {rows} join webhook_endpoint e on e.merchant_id = rows.merchant_id
        where e.state = 'ENABLED'
        """,
        Column.Text("merchant_id"));

    private static readonly Statement SelectEndpoints = new(
        $$"""
        select {{EndpointColumns}} from {rows} join webhook_endpoint e on {{IsCallers}} and e.id > rows.after
        where e.state <> 'REMOVED' order by e.id limit (select rows.page_max from {rows})
        """,
        Column.Text("merchant_id"), Column.Id("after"), Column.Long("page_max"));

    private static readonly Statement SelectEndpoint = new(
        $$"""
        select {{EndpointColumns}} from {rows} join webhook_endpoint e on e.id = rows.id and {{IsCallers}}
        where e.state <> 'REMOVED'
        """,
        Column.Id("id"), Column.Text("merchant_id"));

    private static readonly Statement ChangeState = new(
        """
        update webhook_endpoint set state = rows.state, changed_ms = rows.now_ms from {rows}
        where webhook_endpoint.id = rows.id and webhook_endpoint.state <> 'REMOVED'
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("now_ms"));

    // Once for each key: a repeat finds its key there and changes nothing.
    private static readonly Statement Rotate = new(
        """
        update webhook_endpoint set old_secret = webhook_endpoint.secret, old_until_ms = rows.old_until_ms,
            secret = rows.secret, rotate_key = rows.rotate_key, changed_ms = rows.now_ms
        from {rows} where webhook_endpoint.id = rows.id
            and (webhook_endpoint.rotate_key is null or webhook_endpoint.rotate_key <> rows.rotate_key)
        returning webhook_endpoint.secret
        """,
        Column.Id("id"), Column.Text("rotate_key"), Column.Text("secret"), Column.Long("old_until_ms"),
        Column.Long("now_ms"));

    private static readonly Statement InsertDeliveries = new(
        """
        insert into webhook_delivery (id, endpoint_id, message_id, type, payload, state, attempts, due_ms, created_ms)
        select rows.id, rows.endpoint_id, rows.message_id, rows.type, rows.payload, 'PENDING', 0, rows.now_ms,
            rows.now_ms
        from {rows} where true on conflict (id) do nothing returning id
        """,
        Column.Id("id"), Column.Id("endpoint_id"), Column.Id("message_id"), Column.Text("type"),
        Column.Text("payload"), Column.Long("now_ms"));

    private static readonly Statement SelectDeliveries = new(
        $$"""
        select {{DeliveryColumns}} from webhook_delivery d
        where d.endpoint_id = (select rows.endpoint_id from {rows}) and d.state = (select rows.state from {rows})
            and d.id > (select rows.after from {rows})
        order by d.id limit (select rows.page_max from {rows})
        """,
        Column.Id("endpoint_id"), Column.Text("state"), Column.Id("after"), Column.Long("page_max"));

    private static readonly Statement LockDelivery = new(
        $$"""
        select {{DeliveryColumns}}, e.state from {rows} join webhook_delivery d on d.id = rows.id
        join webhook_endpoint e on e.id = d.endpoint_id and {{IsCallers}}
        where e.state <> 'REMOVED' {for update}
        """,
        Column.Id("id"), Column.Text("merchant_id"));

    private static readonly Statement ReplayDelivery = new(
        """
        update webhook_delivery set state = 'PENDING', attempts = 0, due_ms = rows.now_ms from {rows}
        where webhook_delivery.id = rows.id
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement SelectEnabled = new(
        "select e.id from webhook_endpoint e where e.state = 'ENABLED' order by e.id");

    // One range scan for each endpoint, like the log's: a join would let either planner sort all that waits.
    private static readonly Statement SelectDue = new(
        """
        select d.id, d.endpoint_id from {rows} cross join lateral (
            select v.id, v.endpoint_id, v.due_ms from webhook_delivery v
            where v.endpoint_id = rows.endpoint_id and v.state = 'PENDING' and v.due_ms <= rows.now_ms
            order by v.due_ms limit rows.due_max) d
        """,
        """
        select d.id, d.endpoint_id from webhook_delivery d
        where d.endpoint_id = (select rows.endpoint_id from {rows}) and d.state = 'PENDING'
            and d.due_ms <= (select rows.now_ms from {rows})
        order by d.due_ms limit (select rows.due_max from {rows})
        """,
        [Column.Id("endpoint_id"), Column.Long("now_ms"), Column.Long("due_max")]);

    private static readonly Statement SelectCalls = new(
        """
        select d.id, d.endpoint_id, d.message_id, d.type, d.payload, d.attempts, e.url, e.secret, e.old_secret,
            e.old_until_ms
        from {rows} join webhook_delivery d on d.id = rows.id join webhook_endpoint e on e.id = d.endpoint_id
        where d.state = 'PENDING' and e.state = 'ENABLED'
        """,
        Column.Id("id"));

    // Guarded by the tries so far: a call that was overtaken by a replay decides nothing.
    private static readonly Statement UpdateDeliveries = new(
        """
        update webhook_delivery set state = rows.state, attempts = rows.attempts, due_ms = rows.due_ms,
            last_status = case when rows.last_status = 0 then null else rows.last_status end,
            last_error = rows.last_error
        from {rows} where webhook_delivery.id = rows.id and webhook_delivery.state = 'PENDING'
            and webhook_delivery.attempts = rows.attempts - 1
        """,
        Column.Id("id"), Column.Text("state"), Column.Long("attempts"), Column.Long("due_ms"),
        Column.Long("last_status"), Column.Text("last_error"));

    private static readonly Statement Disable = new(
        """
        update webhook_endpoint set state = 'DISABLED', changed_ms = rows.now_ms from {rows}
        where webhook_endpoint.id = rows.id and webhook_endpoint.state = 'ENABLED'
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement CloseWaiting = new(
        """
        update webhook_delivery set state = 'FAILED', last_error = rows.last_error from {rows}
        where webhook_delivery.id in (
            select d.id from webhook_endpoint e join webhook_delivery d on d.endpoint_id = e.id
            where e.state <> 'ENABLED' and d.state = 'PENDING' limit 1000)
        returning 1
        """,
        Column.Text("last_error"));

    private static readonly Statement CountPending = new(
        "select count(*) from webhook_delivery d where d.state = 'PENDING'");

    private static readonly Statement DeleteOld = new(
        """
        delete from webhook_delivery where id in (
            select d.id from webhook_delivery d
            where d.id < (select rows.first_id from {rows}) and d.state <> 'PENDING' order by d.id limit 1000)
        returning 1
        """,
        Column.Id("first_id"));

    private static readonly Statement DeleteRemoved = new(
        """
        delete from webhook_endpoint where state = 'REMOVED' and changed_ms < (select rows.before_ms from {rows})
        """,
        Column.Long("before_ms"));

    /// <summary>False when the merchant used the key before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, WebhookEndpoint endpoint, string key, string hash) =>
        (await tx.QueryAsync(
            InsertEndpoint,
            Rows.One(endpoint).Id(e => e.Id).Text(e => e.MerchantId).Text(_ => key).Text(_ => hash).Text(e => e.Url)
                .Text(e => string.Join(' ', e.Events)).Text(e => e.Secret).Long(e => e.CreatedMs),
            r => r.Id(0))).Count == 1;

    public static async ValueTask<(WebhookEndpoint Endpoint, string Hash)?> FindByKeyAsync(
        Tx tx, string merchantId, string key)
    {
        var found = await tx.QueryAsync(
            SelectByKey, Rows.One(merchantId).Text(m => m).Text(_ => key), r => (MapEndpoint(r), r.Text(7)));
        return found.Count == 0 ? null : found[0];
    }

    public static async ValueTask<long> CountAsync(Tx tx, string merchantId) =>
        (await tx.QueryAsync(CountOfMerchant, Rows.One(merchantId).Text(m => m), r => r.Long(0)))[0];

    public static ValueTask<List<WebhookEndpoint>> SelectEnabledAsync(Tx tx, IReadOnlyList<string> merchants) =>
        tx.QueryAsync(SelectEnabledOfMerchants, Rows.Over(merchants).Text(m => m), MapEndpoint);

    public static ValueTask<List<WebhookEndpoint>> SelectPageAsync(Tx tx, string? merchantId, Guid after, int max) =>
        tx.QueryAsync(SelectEndpoints, Rows.One(after).Text(_ => merchantId).Id(a => a).Long(_ => max), MapEndpoint);

    public static async ValueTask<WebhookEndpoint?> FindAsync(Tx tx, string? merchantId, Guid id) =>
        (await tx.QueryAsync(SelectEndpoint, Rows.One(id).Id(i => i).Text(_ => merchantId), MapEndpoint))
            .FirstOrDefault();

    public static void SetState(Tx tx, Guid id, EndpointState state, long nowMs) =>
        tx.Queue(ChangeState, Rows.One(id).Id(i => i).Text(_ => WordOf(state)).Long(_ => nowMs));

    /// <summary>False when the endpoint was rotated by this key already.</summary>
    public static async ValueTask<bool> TryRotateAsync(
        Tx tx, Guid id, string key, string secret, long oldUntilMs, long nowMs) =>
        (await tx.QueryAsync(
            Rotate,
            Rows.One(id).Id(i => i).Text(_ => key).Text(_ => secret).Long(_ => oldUntilMs).Long(_ => nowMs),
            r => r.Text(0))).Count == 1;

    /// <summary>How many of them are new.</summary>
    public static async ValueTask<int> InsertAsync(Tx tx, IReadOnlyList<WebhookDelivery> deliveries, long nowMs) =>
        (await tx.QueryAsync(
            InsertDeliveries,
            Rows.Over(deliveries).Id(d => d.Id).Id(d => d.EndpointId).Id(d => d.MessageId).Text(d => d.Type)
                .Text(d => d.Payload).Long(_ => nowMs),
            r => r.Id(0))).Count;

    public static ValueTask<List<WebhookDelivery>> SelectDeliveriesAsync(
        Tx tx, Guid endpointId, DeliveryState state, Guid after, int max) => tx.QueryAsync(
            SelectDeliveries,
            Rows.One(endpointId).Id(e => e).Text(_ => WordOf(state)).Id(_ => after).Long(_ => max),
            MapDelivery);

    /// <summary>The delivery and whether its endpoint is sent to; both locked.</summary>
    public static async ValueTask<(WebhookDelivery Delivery, EndpointState State)?> LockAsync(
        Tx tx, string? merchantId, Guid id)
    {
        var found = await tx.QueryAsync(
            LockDelivery,
            Rows.One(id).Id(i => i).Text(_ => merchantId),
            r => (MapDelivery(r), EndpointStateOf(r.Text(11))));
        return found.Count == 0 ? null : found[0];
    }

    public static void Replay(Tx tx, Guid id, long nowMs) =>
        tx.Queue(ReplayDelivery, Rows.One(id).Id(i => i).Long(_ => nowMs), 1, "a locked delivery is replayed");

    public static ValueTask<List<Guid>> SelectEnabledIdsAsync(Tx tx) =>
        tx.QueryAsync(SelectEnabled, Rows.None, r => r.Id(0));

    public static ValueTask<List<(Guid Id, Guid EndpointId)>> SelectDueAsync(
        Tx tx, IReadOnlyList<Guid> endpoints, long nowMs, int max) => tx.QueryAsync(
            SelectDue, Rows.Over(endpoints).Id(e => e).Long(_ => nowMs).Long(_ => max), r => (r.Id(0), r.Id(1)));

    public static ValueTask<List<WebhookCall>> SelectCallsAsync(Tx tx, IReadOnlyList<Guid> deliveries) => tx.QueryAsync(
        SelectCalls,
        Rows.Over(deliveries).Id(d => d),
        r => new WebhookCall(
            new WebhookDelivery(r.Id(0), r.Id(1), r.Id(2), r.Text(3), r.Text(4)) { Attempts = (int)r.Long(5) },
            r.Text(6),
            r.Text(7),
            r.TextOrNull(8),
            r.Long(9)));

    public static void Update(Tx tx, IReadOnlyList<Tried> tried) => tx.Queue(
        UpdateDeliveries,
        Rows.Over(tried).Id(t => t.Delivery.Id).Text(t => WordOf(t.Step.State)).Long(t => t.Delivery.Attempts + 1)
            .Long(t => t.Step.DueMs).Long(t => t.Call.Status ?? 0).Text(t => t.Call.Fault));

    public static void DisableAll(Tx tx, IReadOnlyList<Guid> endpoints, long nowMs) =>
        tx.Queue(Disable, Rows.Over(endpoints).Id(e => e).Long(_ => nowMs));

    /// <summary>Gives up what waits for endpoints that are not sent to any more; how many, up to the most at a time.
    /// </summary>
    public static async ValueTask<int> CloseWaitingAsync(Tx tx) =>
        (await tx.QueryAsync(CloseWaiting, Rows.One(PostFault.EndpointClosed).Text(w => w), _ => 0)).Count;

    public static async ValueTask<long> CountPendingAsync(Tx tx) =>
        (await tx.QueryAsync(CountPending, Rows.None, r => r.Long(0)))[0];

    public static async ValueTask<int> DeleteOldAsync(Tx tx, Guid firstId) =>
        (await tx.QueryAsync(DeleteOld, Rows.One(firstId).Id(i => i), _ => 0)).Count;

    public static void DeleteRemovedOf(Tx tx, long beforeMs) =>
        tx.Queue(DeleteRemoved, Rows.One(beforeMs).Long(b => b));

    /// <summary>The word that is stored and shown.</summary>
    public static string WordOf(EndpointState state) => state switch
    {
        EndpointState.Enabled => "ENABLED",
        EndpointState.Disabled => "DISABLED",
        _ => "REMOVED",
    };

    /// <summary>The word that is stored and shown.</summary>
    public static string WordOf(DeliveryState state) => state switch
    {
        DeliveryState.Pending => "PENDING",
        DeliveryState.Delivered => "DELIVERED",
        _ => "FAILED",
    };

    private static EndpointState EndpointStateOf(string word) => word switch
    {
        "ENABLED" => EndpointState.Enabled,
        "DISABLED" => EndpointState.Disabled,
        _ => EndpointState.Removed,
    };

    private static WebhookEndpoint MapEndpoint(Row r) => new(
        r.Id(0), r.Text(1), r.Text(2), r.Text(3).Split(' ', StringSplitOptions.RemoveEmptyEntries), r.Text(4),
        EndpointStateOf(r.Text(5)), r.Long(6));

    private static WebhookDelivery MapDelivery(Row r) => new(r.Id(0), r.Id(1), r.Id(2), r.Text(3), r.Text(4))
    {
        State = r.Text(5) switch
        {
            "PENDING" => DeliveryState.Pending,
            "DELIVERED" => DeliveryState.Delivered,
            _ => DeliveryState.Failed,
        },
        Attempts = (int)r.Long(6),
        DueMs = r.Long(7),
        LastStatus = (int?)r.LongOrNull(8),
        LastError = r.TextOrNull(9),
        CreatedMs = r.Long(10),
    };
}

/// <summary>A delivery that is due, and what is needed to send it.</summary>
internal sealed record WebhookCall(
    WebhookDelivery Delivery, string Url, string Secret, string? OldSecret, long OldUntilMs)
{
    /// <summary>What signs at this moment: the secret, and the one of before while it is honoured.</summary>
    public IEnumerable<string> SecretsAt(UtcInstant now) =>
        OldSecret is { } old && now.Ms < OldUntilMs ? [Secret, old] : [Secret];
}

/// <summary>A call that was made, and the step that follows.</summary>
internal sealed record Tried(WebhookDelivery Delivery, PostResult Call, DeliveryStep Step);
