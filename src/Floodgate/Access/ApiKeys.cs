using System.Collections.Frozen;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>How the creation of a merchant ended.</summary>
public enum CreateMerchantOutcome
{
    /// <summary>The idempotency key was used before with another name; nothing was done.</summary>
    KeyReused,

    /// <summary>The merchant was created before by the same request; its key is not shown again.</summary>
    Replayed,

    /// <summary>The merchant and its key are stored.</summary>
    Created,
}

/// <summary>A merchant and, only when it was created just now, its key: the one time it can be read.</summary>
public sealed record CreatedMerchant(CreateMerchantOutcome Outcome, string MerchantId, string Name, string? Key);

/// <summary>
/// The keys of merchants and operators: <c>fg_live_</c> and 43 characters of 256 random bits. Only their SHA-256 is
/// stored or kept in memory.
/// </summary>
public sealed class ApiKeys
{
    /// <summary>The merchant's key of demo mode, for merchant <c>demo</c>.</summary>
    public const string DemoMerchantKey = "fg_demo_merchant";

    /// <summary>The operator's key of demo mode.</summary>
    public const string DemoAdminKey = "fg_demo_admin";

    private const string Prefix = "fg_live_";
    private const int SecretBytes = 32;
    private const int NameLengthMax = 100;

    private readonly Database database;
    private readonly TimeProvider time;
    private readonly Ids ids;
    private readonly KeyCache cache;
    private readonly FrozenDictionary<KeyHash, Caller> demo;

    /// <summary>Keys of this database; those of demo mode only when the settings say so.</summary>
    public ApiKeys(Database database, AccessSettings settings, TimeProvider time, Ids ids)
    {
        this.database = database;
        this.time = time;
        this.ids = ids;
        cache = new(settings, time);
        demo = (settings.HasDemoKeys ? DemoKeys() : []).ToFrozenDictionary();
    }

    /// <summary>What is wrong with a merchant's name, as the end of a sentence; null when nothing is.</summary>
    public static string? FaultOfName(string name) =>
        name.Length > NameLengthMax || string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl)
            ? $"must have 1 to {NameLengthMax} printable characters"
            : null;

    /// <summary>
    /// Creates a merchant with its key. The name has passed <see cref="FaultOfName"/>. Idempotent by
    /// <paramref name="requestKey"/> unless that is null: a merchant is created once for it, and its key is answered
    /// only by the call that created it.
    /// </summary>
    public ValueTask<CreatedMerchant> CreateMerchantAsync(string name, string? requestKey, CancellationToken cancel)
    {
        var key = Prefix + Ids.Secret(SecretBytes);
        var merchant = new MerchantRow(ids.Next().ToString(), name, requestKey, UtcInstant.Now(time).Ms);
        return database.WriteAsync(
            async tx =>
            {
                if (await AccessSql.TryInsertAsync(tx, merchant))
                {
                    AccessSql.QueueKey(tx, KeyHash.Of(key), Caller.OfMerchant(merchant.Id), merchant.CreatedMs);
                    return new CreatedMerchant(CreateMerchantOutcome.Created, merchant.Id, name, key);
                }

                var before = await AccessSql.GetMerchantAsync(tx, requestKey!);
                var outcome = before.Name == name ? CreateMerchantOutcome.Replayed : CreateMerchantOutcome.KeyReused;
                return new CreatedMerchant(outcome, before.Id, before.Name, null);
            },
            cancel);
    }

    /// <summary>Creates an operator's key and answers it, the one time it can be read.</summary>
    public ValueTask<string> CreateAdminKeyAsync(CancellationToken cancel)
    {
        var key = Prefix + Ids.Secret(SecretBytes);
        var nowMs = UtcInstant.Now(time).Ms;
        return database.WriteAsync(
            tx =>
            {
                AccessSql.QueueKey(tx, KeyHash.Of(key), Caller.Admin, nowMs);
                return new ValueTask<string>(key);
            },
            cancel);
    }

    /// <summary>Whose key this is, or null: unknown or revoked.</summary>
    public ValueTask<Caller?> FindAsync(string key, CancellationToken cancel)
    {
        if (key.Length > KeyHash.KeyLengthMax)
        {
            return new((Caller?)null);
        }

        var hash = KeyHash.Of(key);
        return TryFindCached(hash, out var caller) ? new(caller) : LookUpAsync(hash, cancel);
    }

    /// <summary>
    /// Ends a key: at once on this node, on others within <see cref="AccessSettings.KeyCachedSeconds"/>. False when
    /// there is no such key or it was ended before.
    /// </summary>
    public async ValueTask<bool> RevokeAsync(string key, CancellationToken cancel)
    {
        var hash = KeyHash.Of(key);
        var nowMs = UtcInstant.Now(time).Ms;
        var wasRevoked = await database.WriteAsync(tx => AccessSql.RevokeAsync(tx, hash, nowMs), cancel);
        cache.Put(hash, null);
        return wasRevoked;
    }

    /// <summary>The answer without waiting, when it is in memory; a null caller is a key known not to exist.</summary>
    internal bool TryFindCached(KeyHash hash, out Caller? caller) =>
        demo.TryGetValue(hash, out caller) || cache.TryGet(hash, out caller);

    /// <summary>Asks the database and keeps the answer.</summary>
    internal async ValueTask<Caller?> LookUpAsync(KeyHash hash, CancellationToken cancel)
    {
        var caller = await database.ReadAsync(tx => AccessSql.FindKeyAsync(tx, hash), cancel);
        cache.Put(hash, caller);
        return caller;
    }

    private static Dictionary<KeyHash, Caller> DemoKeys() => new()
    {
        [KeyHash.Of(DemoMerchantKey)] = Caller.OfMerchant("demo"),
        [KeyHash.Of(DemoAdminKey)] = Caller.Admin,
    };
}
