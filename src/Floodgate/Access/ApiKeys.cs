using System.Collections.Frozen;
using Floodgate.Access.RateLimits;
using Floodgate.Storage.Coordination.Shared;
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

/// <summary>How the creation of a further key ended.</summary>
public enum CreateKeyOutcome
{
    /// <summary>The idempotency key was used before for another merchant's key; nothing was done.</summary>
    KeyReused,

    /// <summary>The key was created before by the same request; it is not shown again.</summary>
    Replayed,

    /// <summary>There is no such merchant.</summary>
    MerchantUnknown,

    /// <summary>The key is stored.</summary>
    Created,
}

/// <summary>A merchant.</summary>
public sealed record Merchant(string Id, string Name, UtcInstant CreatedAt, Tier Tier);

/// <summary>All that can be told of a merchant's key after its creation.</summary>
/// <param name="Id">Names the key; not a secret.</param>
/// <param name="MerchantId">Whose key.</param>
/// <param name="Prefix">Its first characters, to tell it from others; null for keys made before they were kept.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="RevokedAt">When it ended; null while it is live.</param>
public sealed record MerchantKey(
    Guid Id, string MerchantId, string? Prefix, UtcInstant CreatedAt, UtcInstant? RevokedAt);

/// <summary>A further key and, only when it was created just now, its secret: the one time it can be read.</summary>
public sealed record CreatedKey(CreateKeyOutcome Outcome, MerchantKey? Key, string? Secret);

/// <summary>
/// The keys of merchants and operators: <c>fg_live_</c> and 43 characters of 256 random bits. Only their SHA-256 is
/// kept in memory; with it the first characters are stored, which leave 232 bits to guess.
/// </summary>
public sealed class ApiKeys
{
    /// <summary>The merchant's key of demo mode, for merchant <c>demo</c>.</summary>
    public const string DemoMerchantKey = "fg_demo_merchant";

    /// <summary>The operator's key of demo mode.</summary>
    public const string DemoAdminKey = "fg_demo_admin";

    private const string DemoMerchantId = "demo";
    private const string Prefix = "fg_live_";
    private const int PrefixLength = 12; // With it.
    private const string Topic = "key-ended";
    private const int SecretBytes = 32;
    private const int NameLengthMax = 100;

    private readonly Database database;
    private readonly TimeProvider time;
    private readonly Ids ids;
    private readonly News news;
    private readonly KeyCache cache;
    private readonly FrozenDictionary<KeyHash, Caller> demo;

    /// <summary>Keys of this database; those of demo mode only when the settings say so.</summary>
    public ApiKeys(Database database, AccessSettings settings, TimeProvider time, Ids ids, News news)
    {
        this.news = news;
        this.database = database;
        this.time = time;
        this.ids = ids;
        cache = new(settings, time, news);
        news.Listen(Topic, hash => cache.End(KeyHash.FromBytes(hash.ToArray())));
        news.Missed += cache.Forget;
        demo = (settings.HasDemoKeys ? DemoKeys() : []).ToFrozenDictionary();
    }

    /// <summary>What is wrong with a merchant's name, as the end of a sentence; null when nothing is.</summary>
    public static string? FaultOfName(string name) => Names.FaultOf(name, NameLengthMax);

    /// <summary>
    /// Creates a merchant with its key. The name has passed <see cref="FaultOfName"/>. Idempotent by
    /// <paramref name="requestKey"/> unless that is null: a merchant is created once for it, and its key is answered
    /// only by the call that created it.
    /// </summary>
    public ValueTask<CreatedMerchant> CreateMerchantAsync(string name, string? requestKey, CancellationToken cancel)
    {
        var (secret, key) = NewKey();
        var merchant = new MerchantRow(ids.Next().ToString(), name, requestKey, key.CreatedMs);
        return database.WriteAsync(
            async tx =>
            {
                if (await AccessSql.TryInsertAsync(tx, merchant))
                {
                    AccessSql.QueueKey(tx, key, Caller.OfMerchant(merchant.Id));
                    return new CreatedMerchant(CreateMerchantOutcome.Created, merchant.Id, name, secret);
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
        var (secret, key) = NewKey();
        return database.WriteAsync(
            tx =>
            {
                AccessSql.QueueKey(tx, key, Caller.Admin);
                return new ValueTask<string>(secret);
            },
            cancel);
    }

    /// <summary>
    /// Creates the merchant that the demo key stands for, unless it is there. Nothing without the demo keys. The key
    /// itself is never stored: it would go on working without <c>--demo</c>.
    /// </summary>
    public async ValueTask CreateDemoMerchantAsync(CancellationToken cancel)
    {
        if (demo.Count > 0)
        {
            var merchant = new MerchantRow(DemoMerchantId, "Demo", null, UtcInstant.Now(time).Ms, Tier.Unlimited);
            await database.WriteAsync(tx => AccessSql.TryInsertAsync(tx, merchant), cancel);
        }
    }

    /// <summary>The merchant, or null.</summary>
    public async ValueTask<Merchant?> FindMerchantAsync(string id, CancellationToken cancel) =>
        Rows.CanKeep(id) && await database.ReadAsync(tx => AccessSql.FindMerchantAsync(tx, id), cancel) is { } found
            ? found.ToMerchant()
            : null;

    /// <summary>Which of these ids are a merchant's.</summary>
    public ValueTask<HashSet<string>> KnownAsync(IReadOnlyList<string> merchantIds, CancellationToken cancel) =>
        database.ReadAsync(
            async tx => (await AccessSql.SelectKnownAsync(tx, merchantIds)).ToHashSet(StringComparer.Ordinal), cancel);

    /// <summary>Merchants after an id, by id: the order in which they were made, to the millisecond.</summary>
    public async ValueTask<List<Merchant>> MerchantsAsync(string after, int max, CancellationToken cancel) =>
        (await database.ReadAsync(tx => AccessSql.SelectMerchantsAsync(tx, after, max), cancel))
            .ConvertAll(row => row.ToMerchant());

    /// <summary>
    /// Creates a further key for a merchant, so that it can change to it before the old one is revoked. Idempotent by
    /// <paramref name="requestKey"/>: the secret is answered only by the call that created it.
    /// </summary>
    public async ValueTask<CreatedKey> CreateKeyAsync(string merchantId, string requestKey, CancellationToken cancel)
    {
        if (!Rows.CanKeep(merchantId))
        {
            return new(CreateKeyOutcome.MerchantUnknown, null, null);
        }

        var (secret, key) = NewKey();
        return await database.WriteAsync(
            async tx =>
            {
                var isNew = await AccessSql.TryInsertAsync(tx, key, merchantId, requestKey);
                return await AccessSql.FindKeyByRequestAsync(tx, requestKey) is not { } stored
                    ? new CreatedKey(CreateKeyOutcome.MerchantUnknown, null, null)
                    : isNew ? new(CreateKeyOutcome.Created, stored, secret)
                    : stored.MerchantId == merchantId ? new(CreateKeyOutcome.Replayed, stored, null)
                    : new(CreateKeyOutcome.KeyReused, null, null);
            },
            cancel);
    }

    /// <summary>
    /// The merchant's keys after an id, live and revoked, at most <paramref name="max"/>; null when there is no such
    /// merchant. The fixed key of demo mode is none of them.
    /// </summary>
    public async ValueTask<List<MerchantKey>?> ListAsync(
        string merchantId, Guid after, int max, CancellationToken cancel) =>
        await FindMerchantAsync(merchantId, cancel) is null
            ? null
            : await database.ReadAsync(tx => AccessSql.SelectKeysAsync(tx, merchantId, after, max), cancel);

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
    /// Ends a key of this merchant, or of any with null: at once on this node and on those that hear of it, on others
    /// within <see cref="AccessSettings.KeyCachedSeconds"/>. Answers the key as it is then; a repeat changes nothing.
    /// Null when there is no such key.
    /// </summary>
    public async ValueTask<MerchantKey?> RevokeAsync(Guid id, string? merchantId, CancellationToken cancel)
    {
        if (merchantId is not null && !Rows.CanKeep(merchantId))
        {
            return null;
        }

        var nowMs = UtcInstant.Now(time).Ms;
        if (await database.WriteAsync(tx => AccessSql.RevokeAsync(tx, id, merchantId, nowMs), cancel) is not { } ended)
        {
            return null;
        }

        cache.End(ended.Hash);
        await news.TellAsync(Topic, ended.Hash.ToBytes());
        return ended.Key;
    }

    /// <summary>The answer without waiting, when it is in memory; a null caller is a key known not to exist.</summary>
    internal bool TryFindCached(KeyHash hash, out Caller? caller) =>
        demo.TryGetValue(hash, out caller) || cache.TryGet(hash, out caller);

    /// <summary>Asks the database and keeps the answer.</summary>
    internal async ValueTask<Caller?> LookUpAsync(KeyHash hash, CancellationToken cancel)
    {
        var age = cache.Age;
        var caller = await database.ReadAsync(tx => AccessSql.FindKeyAsync(tx, hash), cancel);
        cache.Put(hash, caller, age);
        return caller;
    }

    private (string Secret, NewKey Key) NewKey()
    {
        var secret = Prefix + Ids.Secret(SecretBytes);
        return (secret, new(ids.Next(), KeyHash.Of(secret), secret[..PrefixLength], UtcInstant.Now(time).Ms));
    }

    private static Dictionary<KeyHash, Caller> DemoKeys() => new()
    {
        [KeyHash.Of(DemoMerchantKey)] = Caller.OfMerchant(DemoMerchantId),
        [KeyHash.Of(DemoAdminKey)] = Caller.Admin,
    };
}
