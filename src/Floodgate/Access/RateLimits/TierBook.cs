using System.Collections.Frozen;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;

namespace Floodgate.Access.RateLimits;

/// <summary>
/// Which merchants are not of tier <see cref="Tier.Standard"/>. They are few, so all are in memory and no request ever
/// waits to know; they are read again now and then. While the database is away the last ones known hold.
/// </summary>
public sealed class TierBook
{
    private const string Topic = "tiers";

    private readonly Database database;
    private readonly News news;

    // Read by every limited request, replaced whole.
    private volatile FrozenDictionary<string, Tier> others = FrozenDictionary<string, Tier>.Empty;

    // Changes made here: what was read before one is not kept after it.
    private long changes;

    /// <summary>Listens to tiers that are set on other nodes.</summary>
    public TierBook(Database database, News news)
    {
        (this.database, this.news) = (database, news);
        news.Listen(Topic, _ => Told.Set());
        news.Missed += Told.Set;
    }

    /// <summary>Rung when another node has set a tier.</summary>
    internal Signal Told { get; } = new();

    /// <summary>A merchant's tier.</summary>
    public Tier Of(string merchantId) => others.GetValueOrDefault(merchantId, Tier.Standard);

    /// <summary>
    /// Sets a merchant's tier: at once on this node, on others when they hear of it, or within
    /// <see cref="RateLimitSettings.TierRefresh"/>. The merchant as it is then; null when there is none. A repeat
    /// changes nothing.
    /// </summary>
    public async ValueTask<Merchant?> SetAsync(string merchantId, Tier tier, CancellationToken cancel)
    {
        if (!Rows.CanKeep(merchantId))
        {
            return null;
        }

        var merchant = await database.WriteAsync(tx => AccessSql.SetTierAsync(tx, merchantId, tier), cancel);
        Interlocked.Increment(ref changes);
        await RefreshAsync(cancel);
        news.Tell(Topic);
        return merchant;
    }

    /// <summary>Reads them again.</summary>
    public async ValueTask RefreshAsync(CancellationToken cancel)
    {
        for (var seen = -1L; seen != Interlocked.Read(ref changes);)
        {
            seen = Interlocked.Read(ref changes);
            var found = await database.ReadAsync(AccessSql.SelectTiersAsync, cancel);
            others = found.ToFrozenDictionary(m => m.Id, m => m.Tier, StringComparer.Ordinal);
        }
    }
}
