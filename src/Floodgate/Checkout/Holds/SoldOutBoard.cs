using System.Collections.Concurrent;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Checkout.Holds;

/// <summary>
/// Products of which nothing is left, as far as this process knows: buyers are refused at once, without the database.
/// What comes back is known at once here and where it is told, and within a second everywhere.
/// </summary>
public sealed class SoldOutBoard
{
    private const string Topic = "stock-returned";

    /// <summary>A product with more buyers is not noted: its buyers are asked for in the database.</summary>
    public const int BuyersMax = 200_000;

    private static readonly TimeSpan KnownFor = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time;
    private readonly News news;
    private readonly ConcurrentDictionary<Guid, Noted> noted = new();

    /// <summary>Listens to what comes back on other nodes.</summary>
    public SoldOutBoard(TimeProvider time, News news)
    {
        (this.time, this.news) = (time, news);
        news.ListenIds(Topic, ForgetHere);
        news.Missed += noted.Clear;
    }

    /// <summary>
    /// True when this buyer can be refused at once: nothing is left, and the buyer never had anything of it, so this is
    /// no repeat of an order that was taken.
    /// </summary>
    public bool IsFor(Guid productId, string buyer) => noted.TryGetValue(productId, out var known)
        && time.GetElapsedTime(known.At) < KnownFor
        && !known.Buyers.Contains(buyer);

    /// <summary>What comes back is no longer sold out.</summary>
    internal void Forget(IReadOnlyCollection<Guid> productIds)
    {
        ForgetHere(productIds);
        news.TellIds(Topic, productIds);
    }

    private void ForgetHere(IEnumerable<Guid> productIds)
    {
        foreach (var id in productIds)
        {
            noted.TryRemove(id, out _);
        }
    }

    /// <summary>True when the buyers are known as they were after so many takes.</summary>
    internal bool Knows(Guid productId, long takes) =>
        noted.TryGetValue(productId, out var known) && known.Takes == takes;

    /// <summary>Notes it, with its buyers or, with null, with those that are known.</summary>
    internal void Note(Guid productId, long takes, IReadOnlyCollection<string>? buyers)
    {
        if (buyers is { Count: > BuyersMax })
        {
            return;
        }

        var now = time.GetTimestamp();
        if (buyers is not null)
        {
            noted[productId] = new Noted(now, takes, buyers.ToHashSet(StringComparer.Ordinal));
        }
        else if (noted.TryGetValue(productId, out var known) && known.Takes == takes)
        {
            noted.TryUpdate(productId, known with { At = now }, known);
        }
    }

    private sealed record Noted(long At, long Takes, HashSet<string> Buyers);
}
