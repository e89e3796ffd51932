using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Access;

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

    /// <summary>The hash that was stored as these 32 bytes.</summary>
    public static KeyHash FromBytes(byte[] bytes)
    {
        var hash = MemoryMarshal.Cast<byte, ulong>(bytes);
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
/// <remarks>
/// A look-up that read a key before it was revoked may come back after that: it would bring the key to life again. So
/// it names the <see cref="Age"/> it began at, and what is older than the last end of a key is not kept.
/// While the ends that other nodes tell may not arrive, a known key is believed for a second only.
/// </remarks>
internal sealed class KeyCache(AccessSettings settings, TimeProvider time, News news)
{
    private const int DeafSeconds = 1;

    // Read by every request, written on look-ups. The two are apart so that unknown keys never push out known ones.
    private readonly ConcurrentDictionary<KeyHash, Entry> known = new();
    private readonly ConcurrentDictionary<KeyHash, Entry> unknown = new();

    // Taken by look-ups and revocations, so that no key is kept after its end.
    private readonly Lock gate = new();
    private long age;

    // Counted here because ConcurrentDictionary.Count takes every lock; may run ahead of the truth, never behind.
    private int knownCount;
    private int unknownCount;

    /// <summary>True when the answer is here: <paramref name="caller"/> is null for a key known not to exist.</summary>
    public bool TryGet(KeyHash key, out Caller? caller)
    {
        if (known.TryGetValue(key, out var entry) || unknown.TryGetValue(key, out entry))
        {
            caller = entry.Caller;
            var now = time.GetTimestamp();
            return now < entry.UntilTimestamp
                && (!news.IsDeaf || caller is null || now < entry.Since + (DeafSeconds * time.TimestampFrequency));
        }

        caller = null;
        return false;
    }

    /// <summary>How many keys ended here: ask before a look-up and give it to <see cref="Put"/>.</summary>
    public long Age => Volatile.Read(ref age);

    /// <summary>The key is refused from now on.</summary>
    public void End(KeyHash key)
    {
        lock (gate)
        {
            Volatile.Write(ref age, age + 1);
            Keep_NeedsLock(key, null);
        }
    }

    /// <summary>Other nodes may have ended any key: all are looked up again.</summary>
    public void Forget()
    {
        lock (gate)
        {
            Volatile.Write(ref age, age + 1);
            known.Clear();
            unknown.Clear();
            (knownCount, unknownCount) = (0, 0);
        }
    }

    /// <summary>Keeps the answer of a look-up that began at an age; a null caller: there is no such key.</summary>
    public void Put(KeyHash key, Caller? caller, long sinceAge)
    {
        lock (gate)
        {
            if (caller is null || age == sinceAge)
            {
                Keep_NeedsLock(key, caller);
            }
        }
    }

    private void Keep_NeedsLock(KeyHash key, Caller? caller)
    {
        if (caller is not null)
        {
            unknown.TryRemove(key, out _);
            Put(known, ref knownCount, settings.KeysCachedMax, key, EntryOf(caller, settings.KeyCachedSeconds));
        }
        else
        {
            known.TryRemove(key, out _);
            var entry = EntryOf(null, settings.UnknownKeyCachedSeconds);
            Put(unknown, ref unknownCount, settings.UnknownKeysCachedMax, key, entry);
        }
    }

    private Entry EntryOf(Caller? caller, int seconds)
    {
        var now = time.GetTimestamp();
        return new(caller, now, now + (seconds * time.TimestampFrequency));
    }

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

    private sealed record Entry(Caller? Caller, long Since, long UntilTimestamp);
}
