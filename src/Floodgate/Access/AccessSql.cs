using Floodgate.Access.RateLimits;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>Every statement of this module. Of a key only its SHA-256 and its first characters are stored.</summary>
internal static class AccessSql
{
    public static readonly IReadOnlyList<Migration> Migrations =
    [
        new("access-001", """
            create table merchant (
                id text primary key,
                name text not null,
                request_key text unique,
                created_ms bigint not null
            );
            create table api_key (
                hash {bytes} primary key,
                role text not null check (role in ('merchant', 'admin')),
                merchant_id text references merchant (id),
                created_ms bigint not null,
                revoked_ms bigint,
                check ((role = 'merchant') = (merchant_id is not null))
            );
            """),

        // A key of before has an id from now on; its first characters are not known any more.
        new("access-002", """
            alter table api_key add column id {id};
            alter table api_key add column prefix text;
            alter table api_key add column request_key text;
            update api_key set id = {random id};
            create unique index api_key_id on api_key (id);
            create unique index api_key_request on api_key (request_key);
            create index api_key_of_merchant on api_key (merchant_id, id)
            """),

        // The merchant of demo mode is the one of this id. Nearly all are standard, so the index is small.
        new("access-003", """
            alter table merchant add column tier text not null default 'standard'
                check (tier in ('standard', 'large', 'unlimited'));
            update merchant set tier = 'unlimited' where id = 'demo';
            create index merchant_of_tier on merchant (id) where tier <> 'standard';
            create index merchant_by_id on merchant (id {collate bytes})
            """),
    ];

    // Nothing is returned when the request key was used before; merchants of the command line have none, and the one
    // of demo mode is there from the second start on.
    private static readonly Statement InsertMerchant = new(
        """
        insert into merchant (id, name, request_key, created_ms, tier)
        select rows.id, rows.name, rows.request_key, rows.created_ms, rows.tier from {rows} where true
        on conflict do nothing
        returning id
        """,
        Column.Text("id"), Column.Text("name"), Column.Text("request_key"), Column.Long("created_ms"),
        Column.Text("tier"));

    private const string MerchantColumns = "m.id, m.name, m.request_key, m.created_ms, m.tier";

    private static readonly Statement SelectMerchant = new(
        $$"""select {{MerchantColumns}} from {rows} join merchant m on m.request_key = rows.request_key""",
        Column.Text("request_key"));

    private static readonly Statement SelectMerchantById = new(
        $$"""select {{MerchantColumns}} from {rows} join merchant m on m.id = rows.id""",
        Column.Text("id"));

    private static readonly Statement SelectKnown = new(
        "select m.id from {rows} join merchant m on m.id = rows.id", Column.Text("id"));

    private static readonly Statement SelectMerchants = new(
        $$"""
        select {{MerchantColumns}} from merchant m where m.id {collate bytes} > (select rows.after from {rows})
        order by m.id {collate bytes} limit (select rows.page_max from {rows})
        """,
        Column.Text("after"), Column.Long("page_max"));

    private static readonly Statement UpdateTier = new(
        "update merchant set tier = rows.tier from {rows} where merchant.id = rows.id",
        Column.Text("id"), Column.Text("tier"));

    private static readonly Statement SelectTiers = new(
        "select m.id, m.tier from merchant m where m.tier <> 'standard'");

    private static readonly Statement InsertKey = new(
        """
        insert into api_key (hash, id, role, merchant_id, prefix, created_ms)
        select rows.hash, rows.id, rows.role, rows.merchant_id, rows.prefix, rows.created_ms from {rows}
        """,
        Column.Bytes("hash"), Column.Id("id"), Column.Text("role"), Column.Text("merchant_id"), Column.Text("prefix"),
        Column.Long("created_ms"));

    // Nothing is returned when there is no such merchant, or the request key was used before.
    private static readonly Statement InsertFurtherKey = new(
        """
        insert into api_key (hash, id, role, merchant_id, prefix, request_key, created_ms)
        select rows.hash, rows.id, 'merchant', m.id, rows.prefix, rows.request_key, rows.created_ms
        from {rows} join merchant m on m.id = rows.merchant_id where true
        on conflict (request_key) do nothing
        returning 1
        """,
        Column.Bytes("hash"), Column.Id("id"), Column.Text("merchant_id"), Column.Text("prefix"),
        Column.Text("request_key"), Column.Long("created_ms"));

    private static readonly Statement SelectKeyByRequest = new(
        """
        select k.id, k.merchant_id, k.prefix, k.created_ms, k.revoked_ms
        from {rows} join api_key k on k.request_key = rows.request_key
        """,
        Column.Text("request_key"));

    private static readonly Statement SelectKeysOfMerchant = new(
        """
        select k.id, k.merchant_id, k.prefix, k.created_ms, k.revoked_ms from api_key k
        where k.merchant_id = (select rows.merchant_id from {rows}) and k.id > (select rows.after from {rows})
        order by k.id limit (select rows.page_max from {rows})
        """,
        Column.Text("merchant_id"), Column.Id("after"), Column.Long("page_max"));

    private static readonly Statement SelectKey = new(
        """
        select k.role, k.merchant_id from {rows} join api_key k on k.hash = rows.hash
        where k.revoked_ms is null
        """,
        Column.Bytes("hash"));

    private static readonly Statement RevokeKey = new(
        """
        update api_key set revoked_ms = coalesce(api_key.revoked_ms, rows.revoked_ms) from {rows}
        where api_key.id = rows.id and api_key.role = 'merchant'
            and (rows.merchant_id is null or api_key.merchant_id = rows.merchant_id)
        returning api_key.id, api_key.merchant_id, api_key.prefix, api_key.created_ms, api_key.revoked_ms,
            api_key.hash
        """,
        Column.Id("id"), Column.Text("merchant_id"), Column.Long("revoked_ms"));

    /// <summary>False when the merchant's request key was used before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, MerchantRow merchant)
    {
        var rows = Rows.One(merchant)
            .Text(m => m.Id).Text(m => m.Name).Text(m => m.RequestKey).Long(m => m.CreatedMs)
            .Text(m => Tiers.NameOf(m.Tier));
        return (await tx.QueryAsync(InsertMerchant, rows, row => row.Text(0))).Count == 1;
    }

    public static async ValueTask<MerchantRow> GetMerchantAsync(Tx tx, string requestKey) =>
        (await tx.QueryAsync(SelectMerchant, Rows.One(requestKey).Text(key => key), MapMerchant)).Single();

    public static async ValueTask<MerchantRow?> FindMerchantAsync(Tx tx, string id) =>
        (await tx.QueryAsync(SelectMerchantById, Rows.One(id).Text(i => i), MapMerchant)).SingleOrDefault();

    /// <summary>Merchants after an id, in the order of ids.</summary>
    public static ValueTask<List<string>> SelectKnownAsync(Tx tx, IReadOnlyList<string> ids) =>
        tx.QueryAsync(SelectKnown, Rows.Over(ids).Text(id => id), r => r.Text(0));

    public static ValueTask<List<MerchantRow>> SelectMerchantsAsync(Tx tx, string after, int max) =>
        tx.QueryAsync(SelectMerchants, Rows.One(after).Text(a => a).Long(_ => max), MapMerchant);

    /// <summary>The merchant as it is then; null when there is none.</summary>
    public static async ValueTask<Merchant?> SetTierAsync(Tx tx, string id, Tier tier)
    {
        tx.Queue(UpdateTier, Rows.One(id).Text(i => i).Text(_ => Tiers.NameOf(tier)));
        return (await FindMerchantAsync(tx, id))?.ToMerchant();
    }

    /// <summary>The merchants that are not standard.</summary>
    public static ValueTask<List<(string Id, Tier Tier)>> SelectTiersAsync(Tx tx) =>
        tx.QueryAsync(SelectTiers, Rows.None, row => (row.Text(0), TierOf(row.Text(1))));

    public static void QueueKey(Tx tx, NewKey key, Caller caller) => tx.Queue(
        InsertKey,
        Rows.One(key)
            .Bytes(k => k.Hash.ToBytes())
            .Id(k => k.Id)
            .Text(_ => caller.Role == Role.Admin ? "admin" : "merchant")
            .Text(_ => caller.MerchantId)
            .Text(k => k.Prefix)
            .Long(k => k.CreatedMs));

    /// <summary>False when there is no such merchant, or the request key was used before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, NewKey key, string merchantId, string requestKey)
    {
        var rows = Rows.One(key)
            .Bytes(k => k.Hash.ToBytes()).Id(k => k.Id).Text(_ => merchantId).Text(k => k.Prefix)
            .Text(_ => requestKey).Long(k => k.CreatedMs);
        return (await tx.QueryAsync(InsertFurtherKey, rows, row => row.Long(0))).Count == 1;
    }

    public static async ValueTask<MerchantKey?> FindKeyByRequestAsync(Tx tx, string requestKey) =>
        (await tx.QueryAsync(SelectKeyByRequest, Rows.One(requestKey).Text(key => key), MapKey)).SingleOrDefault();

    public static ValueTask<List<MerchantKey>> SelectKeysAsync(Tx tx, string merchantId, Guid after, int max) =>
        tx.QueryAsync(
            SelectKeysOfMerchant, Rows.One(merchantId).Text(id => id).Id(_ => after).Long(_ => max), MapKey);

    public static async ValueTask<Caller?> FindKeyAsync(Tx tx, KeyHash key)
    {
        var found = await tx.QueryAsync(
            SelectKey,
            Rows.One(key).Bytes(hash => hash.ToBytes()),
            row => row.Text(0) == "admin" ? Caller.Admin : Caller.OfMerchant(row.Text(1)));
        return found.SingleOrDefault();
    }

    /// <summary>The key as it is then, and its hash; null when no merchant, or not this one, has it.</summary>
    public static async ValueTask<(MerchantKey Key, KeyHash Hash)?> RevokeAsync(
        Tx tx, Guid id, string? merchantId, long revokedMs)
    {
        var rows = Rows.One(id).Id(i => i).Text(_ => merchantId).Long(_ => revokedMs);
        var found = await tx.QueryAsync(RevokeKey, rows, row => (MapKey(row), KeyHash.FromBytes(row.Bytes(5))));
        return found.Count == 0 ? null : found.Single();
    }

    private static MerchantRow MapMerchant(Row row) => new(
        row.Text(0), row.Text(1), row.TextOrNull(2), row.Long(3), TierOf(row.Text(4)));

    private static Tier TierOf(string stored)
    {
        var tier = Tiers.Of(stored);
        Invariant.Check(tier is not null, $"stored tier {stored} is known");
        return tier.Value;
    }

    private static MerchantKey MapKey(Row row) => new(
        row.Id(0), row.Text(1), row.TextOrNull(2), new(row.Long(3)),
        row.LongOrNull(4) is { } revokedMs ? new UtcInstant(revokedMs) : null);
}

/// <summary>A row of <c>merchant</c>.</summary>
internal sealed record MerchantRow(
    string Id, string Name, string? RequestKey, long CreatedMs, Tier Tier = Tier.Standard)
{
    /// <summary>As others see it.</summary>
    public Merchant ToMerchant() => new(Id, Name, new(CreatedMs), Tier);
}

/// <summary>A key to be stored; its secret is not in it.</summary>
internal sealed record NewKey(Guid Id, KeyHash Hash, string Prefix, long CreatedMs);
