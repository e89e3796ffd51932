using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
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

/// <summary>The SHA-256 of a key, the only form that is kept. A struct, so a look-up allocates nothing.</summary>
/// <remarks>
/// A plain hash is enough, unlike for passwords: a key has 256 random bits, so it cannot be guessed from its hash,
/// and comparing hashes tells an attacker nothing about how close a guess came.
/// </remarks>
internal readonly record struct KeyHash(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>The longest text that is taken for a key, in characters.</summary>
    public const int KeyLengthMax = 128;

    /// <summary>The hash of a key of at most <see cref="KeyLengthMax"/> ASCII characters.</summary>
    public static KeyHash Of(ReadOnlySpan<char> key)
    {
        Span<byte> bytes = stackalloc byte[KeyLengthMax];
        Span<ulong> hash = stackalloc ulong[4];
        var length = Encoding.ASCII.GetBytes(key, bytes);
        SHA256.HashData(bytes[..length], MemoryMarshal.AsBytes(hash));
        return new(hash[0], hash[1], hash[2], hash[3]);
    }

    /// <summary>The hash of an access token: any text of any length, and never the hash of a key.</summary>
    public static KeyHash OfToken(ReadOnlySpan<char> token)
    {
        Span<ulong> hash = stackalloc ulong[4];
        SHA256.HashData(MemoryMarshal.AsBytes(token), MemoryMarshal.AsBytes(hash));
        return new(hash[0], hash[1], hash[2], hash[3]);
    }

    /// <summary>The 32 bytes as they are stored.</summary>
    public byte[] ToBytes() => MemoryMarshal.AsBytes<ulong>(new[] { A, B, C, D }).ToArray();

    /// <inheritdoc/>
    public override int GetHashCode() => A.GetHashCode(); // Any 32 bits of a SHA-256 are spread evenly.
}

/// <summary>
/// Keys seen lately, known and unknown, so that a request is told apart without a database look-up. Both sides are
/// bounded: a full one is emptied, which costs look-ups and never memory.
/// </summary>
internal sealed class KeyCache(AccessSettings settings, TimeProvider time)
{
    // Read by every request, written on look-ups. The two are apart so that unknown keys never push out known ones.
    private readonly ConcurrentDictionary<KeyHash, Entry> known = new();
    private readonly ConcurrentDictionary<KeyHash, Entry> unknown = new();

    // Counted here because ConcurrentDictionary.Count takes every lock; may run ahead of the truth, never behind.
    private int knownCount;
    private int unknownCount;

    /// <summary>True when the answer is here: <paramref name="caller"/> is null for a key known not to exist.</summary>
    public bool TryGet(KeyHash key, out Caller? caller)
    {
        if (known.TryGetValue(key, out var entry) || unknown.TryGetValue(key, out entry))
        {
            caller = entry.Caller;
            return time.GetTimestamp() < entry.UntilTimestamp;
        }

        caller = null;
        return false;
    }

    /// <summary>Keeps the answer of a look-up; a null caller means that there is no such key.</summary>
    public void Put(KeyHash key, Caller? caller)
    {
        if (caller is not null)
        {
            unknown.TryRemove(key, out _);
            Put(known, ref knownCount, settings.KeysCachedMax, key, new(caller, Until(settings.KeyCachedSeconds)));
        }
        else
        {
            known.TryRemove(key, out _);
            var until = Until(settings.UnknownKeyCachedSeconds);
            Put(unknown, ref unknownCount, settings.UnknownKeysCachedMax, key, new(null, until));
        }
    }

    private long Until(int seconds) => time.GetTimestamp() + (seconds * time.TimestampFrequency);

    private static void Put(
        ConcurrentDictionary<KeyHash, Entry> entries, ref int count, int max, KeyHash key, Entry entry)
    {
        if (entries.TryAdd(key, entry))
        {
            if (Interlocked.Increment(ref count) > max)
            {
                entries.Clear();
                Interlocked.Exchange(ref count, 0);
            }
        }
        else
        {
            entries[key] = entry;
        }
    }

    private sealed record Entry(Caller? Caller, long UntilTimestamp);
}
