using System.Collections.Concurrent;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Checkout.Catalog;

/// <summary>What an answer is about.</summary>
internal enum AnswerKind
{
    /// <summary>A page of sales.</summary>
    Sales,

    /// <summary>A sale.</summary>
    Sale,

    /// <summary>A page of all products.</summary>
    Products,

    /// <summary>A page of a sale's products.</summary>
    ProductsOfSale,

    /// <summary>A product.</summary>
    Product,
}

/// <summary>Names an answer. A struct, so that a look-up allocates nothing.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Id">Of the sale or product; empty for pages of all.</param>
/// <param name="Limit">How many a page has at most; 0 for one thing.</param>
/// <param name="After">The last id of the page before.</param>
internal readonly record struct AnswerKey(AnswerKind Kind, Guid Id, int Limit = 0, Guid After = default);

/// <summary>
/// Look-aside cache of rendered answers. What is fresh is given; what is older is given and renewed behind; what is
/// older than the bound is waited for. One load at a time for each key, however many ask. A change evicts everything:
/// changes are rare, and an answer that escaped would be wrong for as long as the bound.
/// </summary>
/// <remarks>
/// A load that began before an eviction is not kept: it may have read what the change replaced. When a load fails,
/// those who wait get its error and nothing is kept, so the database is asked again by the next. Behind it all nodes
/// share a second level: an answer that another has read while it is fresh is as good as a read of our own, and keeps
/// its age.
/// </remarks>
internal sealed class AnswerCache(CatalogSettings settings, TimeProvider time, SharedAnswers shared)
{
    private readonly ConcurrentDictionary<AnswerKey, Entry> entries = new();
    private long generation;

    /// <summary>Answers given from memory, and loads, since the start.</summary>
    public (long Hits, long Loads) Counts => (Interlocked.Read(ref hits), Interlocked.Read(ref loads));

    private long hits;
    private long loads;

    /// <summary>
    /// The answer of a key: from memory, or from <paramref name="load"/>, which is not cancelled when one who waits
    /// goes away. Null is an answer too: there is no such thing.
    /// </summary>
    public ValueTask<byte[]?> GetAsync(AnswerKey key, Func<AnswerKey, Task<byte[]?>> load)
    {
        var entry = entries.GetOrAdd(key, static _ => new Entry());
        var kept = Volatile.Read(ref entry.Kept);
        if (kept is not null && kept.Generation == Interlocked.Read(ref generation))
        {
            var ageMs = time.GetElapsedTime(kept.LoadedAt).TotalMilliseconds;
            if (ageMs < settings.StaleMsMax)
            {
                Interlocked.Increment(ref hits);
                CatalogLog.Hit();
                if (ageMs >= settings.FreshMs)
                {
                    _ = LoadAsync(key, entry, kept, load); // Its error is told to whoever finds nothing kept.
                }

                return new(kept.Answer);
            }
        }

        return new(LoadAsync(key, entry, kept, load));
    }

    /// <summary>Forgets everything: after the commit of a change, or when another node tells of one.</summary>
    public void Evict() => Interlocked.Increment(ref generation);

    private Task<byte[]?> LoadAsync(AnswerKey key, Entry entry, Kept? seen, Func<AnswerKey, Task<byte[]?>> load)
    {
        lock (entry)
        {
            var now = Interlocked.Read(ref generation);
            if (entry.Kept is { } kept && kept != seen && kept.Generation == now)
            {
                return Task.FromResult(kept.Answer); // Loaded since the look that led here.
            }

            if (entry.Loading is null || entry.LoadingGeneration != now)
            {
                entry.LoadingGeneration = now;
                entry.Loading = Task.Run(() => LoadOnceAsync(key, entry, now, load));
            }

            return entry.Loading;
        }
    }

    private async Task<byte[]?> LoadOnceAsync(
        AnswerKey key, Entry entry, long begunAt, Func<AnswerKey, Task<byte[]?>> load)
    {
        try
        {
            // From before the read: the answer is at least that old.
            var loadedAt = time.GetTimestamp();
            var (answer, age) = await ReadAsync(key, load);
            loadedAt -= (long)(age.TotalSeconds * time.TimestampFrequency);
            Volatile.Write(ref entry.Kept, new Kept(answer, loadedAt, begunAt));
            MakeRoom(key);
            return answer;
        }
        finally
        {
            lock (entry)
            {
                if (entry.LoadingGeneration == begunAt)
                {
                    entry.Loading = null;
                }
            }
        }
    }

    private async Task<(byte[]? Answer, TimeSpan Age)> ReadAsync(AnswerKey key, Func<AnswerKey, Task<byte[]?>> load)
    {
        var (name, life) = ($"{key}", TimeSpan.FromMilliseconds(settings.StaleMsMax));
        var found = await shared.FindAsync(name, life);
        if (found is { Answer: { } kept } other && other.Age.TotalMilliseconds < settings.FreshMs)
        {
            return (kept, other.Age);
        }

        Interlocked.Increment(ref loads);
        CatalogLog.Loaded();
        var startedAt = time.GetTimestamp();
        var answer = await load(key);
        if (found is { } before && answer is not null)
        {
            shared.Put(name, before.Generation, answer, life - time.GetElapsedTime(startedAt));
        }

        return (answer, TimeSpan.Zero);
    }

    // Rare: ids that nobody has asked for in a while go, in one sweep that leaves room for a tenth.
    private void MakeRoom(AnswerKey newest)
    {
        if (entries.Count <= settings.AnswersMax)
        {
            return;
        }

        var oldest = entries.OrderBy(e => e.Value.Kept?.LoadedAt ?? long.MinValue)
            .Take(entries.Count - (settings.AnswersMax * 9 / 10));
        foreach (var (key, _) in oldest.Where(e => e.Key != newest).ToList())
        {
            entries.TryRemove(key, out _);
        }
    }

    private sealed record Kept(byte[]? Answer, long LoadedAt, long Generation);

    private sealed class Entry
    {
        // Read by all without the lock.
        public Kept? Kept;

        // Under the lock of the entry.
        public Task<byte[]?>? Loading;
        public long LoadingGeneration;
    }
}
