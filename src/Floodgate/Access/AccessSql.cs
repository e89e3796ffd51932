using Floodgate.Storage.Database;

namespace Floodgate.Access;

/// <summary>Every statement of this module. Keys are never stored, only their SHA-256.</summary>
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
    ];

    // Nothing is returned when the request key was used before; merchants of the command line have none.
    private static readonly Statement InsertMerchant = new(
        """
        insert into merchant (id, name, request_key, created_ms)
        select rows.id, rows.name, rows.request_key, rows.created_ms from {rows} where true
        on conflict (request_key) do nothing
        returning id
        """,
        Column.Text("id"), Column.Text("name"), Column.Text("request_key"), Column.Long("created_ms"));

    private static readonly Statement SelectMerchant = new(
        "select m.id, m.name from {rows} join merchant m on m.request_key = rows.request_key",
        Column.Text("request_key"));

    private static readonly Statement InsertKey = new(
        """
        insert into api_key (hash, role, merchant_id, created_ms)
        select rows.hash, rows.role, rows.merchant_id, rows.created_ms from {rows}
        """,
        Column.Bytes("hash"), Column.Text("role"), Column.Text("merchant_id"), Column.Long("created_ms"));

    private static readonly Statement SelectKey = new(
        """
        select k.role, k.merchant_id from {rows} join api_key k on k.hash = rows.hash
        where k.revoked_ms is null
        """,
        Column.Bytes("hash"));

    private static readonly Statement RevokeKey = new(
        """
        update api_key set revoked_ms = rows.revoked_ms from {rows}
        where api_key.hash = rows.hash and api_key.revoked_ms is null
        returning 1
        """,
        Column.Bytes("hash"), Column.Long("revoked_ms"));

    /// <summary>False when the merchant's request key was used before.</summary>
    public static async ValueTask<bool> TryInsertAsync(Tx tx, MerchantRow merchant)
    {
        var rows = Rows.One(merchant)
            .Text(m => m.Id).Text(m => m.Name).Text(m => m.RequestKey).Long(m => m.CreatedMs);
        return (await tx.QueryAsync(InsertMerchant, rows, row => row.Text(0))).Count == 1;
    }

    public static async ValueTask<MerchantRow> GetMerchantAsync(Tx tx, string requestKey)
    {
        var found = await tx.QueryAsync(
            SelectMerchant,
            Rows.One(requestKey).Text(key => key),
            row => new MerchantRow(row.Text(0), row.Text(1), requestKey, 0));
        return found.Single();
    }

    public static void QueueKey(Tx tx, KeyHash key, Caller caller, long createdMs) => tx.Queue(
        InsertKey,
        Rows.One(key)
            .Bytes(hash => hash.ToBytes())
            .Text(_ => caller.Role == Role.Admin ? "admin" : "merchant")
            .Text(_ => caller.MerchantId)
            .Long(_ => createdMs));

    public static async ValueTask<Caller?> FindKeyAsync(Tx tx, KeyHash key)
    {
        var found = await tx.QueryAsync(
            SelectKey,
            Rows.One(key).Bytes(hash => hash.ToBytes()),
            row => row.Text(0) == "admin" ? Caller.Admin : Caller.OfMerchant(row.Text(1)));
        return found.SingleOrDefault();
    }

    public static async ValueTask<bool> RevokeAsync(Tx tx, KeyHash key, long revokedMs)
    {
        var rows = Rows.One(key).Bytes(hash => hash.ToBytes()).Long(_ => revokedMs);
        return (await tx.QueryAsync(RevokeKey, rows, row => row.Long(0))).Count == 1;
    }
}

/// <summary>A row of <c>merchant</c>.</summary>
internal sealed record MerchantRow(string Id, string Name, string? RequestKey, long CreatedMs);
