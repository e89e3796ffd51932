using System.Collections.Concurrent;

namespace Floodgate.Access.RateLimits;

/// <summary>Whose bucket, of which limit: a merchant by id, or a user or an address by number.</summary>
internal readonly record struct BucketKey(Limit Limit, string? Merchant, UInt128 Number)
{
    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine((int)Limit, Merchant, Number); // Seeded in each process.
}

/// <summary>What came of a request for one token.</summary>
/// <param name="IsTaken">Whether there was one.</param>
/// <param name="Left">How many are left.</param>
/// <param name="Span">Until the bucket is full; when none was taken, until there is one.</param>
internal readonly record struct Taken(bool IsTaken, long Left, TimeSpan Span);

/// <summary>
/// Token buckets of this process. A bucket is one number, the moment at which it will be full, so taking is one
/// compare-and-swap and allocates nothing: the generic cell rate algorithm (ITU-T I.371), which lets through exactly
/// what a bucket with continuous refill does.
/// </summary>
/// <remarks>
/// A full bucket is the same as none, so those go first when there are too many, then those that are nearest to it:
/// a crowd of new addresses never pushes out a merchant that is at its limit. A bucket is marked before it goes, so
/// that nobody takes from one that the next caller will not find.
/// </remarks>
internal sealed class TokenBuckets(int max, TimeProvider time)
{
    private const long Gone = long.MaxValue;

    private readonly ConcurrentDictionary<BucketKey, Bucket> buckets = new();

    // Counted here because ConcurrentDictionary.Count takes every lock.
    private int count;
    private int isSweeping;

    /// <summary>How many buckets are kept; a new one may be there before the oldest have gone.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Takes one token, if there is one. Any number of callers at once; each token is taken once.</summary>
    public Taken Take(BucketKey key, Quota quota)
    {
        var now = time.GetTimestamp();
        while (true)
        {
            var bucket = buckets.TryGetValue(key, out var found) ? found : Add(key);
            if (TryTake(bucket, quota, now, out var taken))
            {
                return taken;
            }

            Remove(key, bucket);
        }
    }

    /// <summary>Lets go of full buckets.</summary>
    public void Sweep()
    {
        var now = time.GetTimestamp();
        foreach (var (key, bucket) in buckets)
        {
            var seen = Volatile.Read(ref bucket.FullAt);
            if (seen <= now)
            {
                Evict(key, bucket, seen);
            }
        }
    }

    // False when the bucket is gone.
    private bool TryTake(Bucket bucket, Quota quota, long now, out Taken taken)
    {
        for (var seen = Volatile.Read(ref bucket.FullAt); seen != Gone;)
        {
            var next = Math.Max(seen, now) + quota.Interval;
            var wait = next - now - quota.Depth;
            if (wait > 0)
            {
                taken = new(false, 0, time.GetElapsedTime(0, wait));
                return true;
            }

            var was = Interlocked.CompareExchange(ref bucket.FullAt, next, seen);
            if (was == seen)
            {
                taken = new(true, -wait / quota.Interval, time.GetElapsedTime(now, next));
                return true;
            }

            seen = was;
        }

        taken = default;
        return false;
    }

    private Bucket Add(BucketKey key)
    {
        var fresh = new Bucket();
        var bucket = buckets.GetOrAdd(key, fresh);
        if (bucket == fresh && Interlocked.Increment(ref count) > max)
        {
            MakeRoom();
        }

        return bucket;
    }

    // Rare: one caller does it, and leaves room for a tenth.
    private void MakeRoom()
    {
        if (Interlocked.Exchange(ref isSweeping, 1) == 1)
        {
            return;
        }

        Sweep();
        var tooMany = Count - (max * 9L / 10);
        if (tooMany > 0)
        {
            var nearest = buckets.Select(b => (b.Key, Bucket: b.Value, Seen: Volatile.Read(ref b.Value.FullAt)))
                .OrderBy(b => b.Seen).Take((int)tooMany);
            foreach (var (key, bucket, seen) in nearest)
            {
                Evict(key, bucket, seen);
            }
        }

        Volatile.Write(ref isSweeping, 0);
    }

    private void Evict(BucketKey key, Bucket bucket, long seen)
    {
        if (seen != Gone && Interlocked.CompareExchange(ref bucket.FullAt, Gone, seen) == seen)
        {
            Remove(key, bucket);
        }
    }

    private void Remove(BucketKey key, Bucket bucket)
    {
        if (buckets.TryRemove(new(key, bucket)))
        {
            Interlocked.Decrement(ref count);
        }
    }

    private sealed class Bucket
    {
        // The moment at which it is full, in timestamps; in the past it is full now.
        public long FullAt;
    }
}
