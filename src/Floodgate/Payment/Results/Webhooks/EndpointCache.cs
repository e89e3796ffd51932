using System.Collections.Concurrent;
using Floodgate.Storage.Database;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// The endpoints of merchants, also that a merchant has none: most events concern nobody who listens, and cost a look
/// here. A change in this process evicts everything at once (changes are rare); one of another process is seen after
/// <see cref="WebhooksSettings.EndpointsCachedMs"/>.
/// </summary>
internal sealed class EndpointCache(Database database, WebhooksSettings settings, TimeProvider time)
{
    private const int MerchantsMax = 100_000;

    private readonly ConcurrentDictionary<string, Known> merchants = new(StringComparer.Ordinal);
    private long generation;

    /// <summary>Forgets everything: after the commit of a change.</summary>
    public void Evict() => Interlocked.Increment(ref generation);

    /// <summary>The enabled endpoints of each merchant; one read for all that are not known.</summary>
    public async ValueTask<Dictionary<string, IReadOnlyList<WebhookEndpoint>>> OfAsync(
        IEnumerable<string> wanted, CancellationToken cancel)
    {
        var found = new Dictionary<string, IReadOnlyList<WebhookEndpoint>>(StringComparer.Ordinal);
        var missing = new List<string>();
        var now = Interlocked.Read(ref generation); // Before the read: what changes meanwhile is read again.
        foreach (var merchant in wanted.Distinct())
        {
            if (merchants.TryGetValue(merchant, out var known) && known.Generation == now && IsFresh(known))
            {
                found.Add(merchant, known.Endpoints);
            }
            else
            {
                missing.Add(merchant);
            }
        }

        if (missing.Count > 0)
        {
            var loadedAt = time.GetTimestamp();
            var loaded = (await database.ReadAsync(tx => WebhooksSql.SelectEnabledAsync(tx, missing), cancel))
                .ToLookup(endpoint => endpoint.MerchantId);
            MakeRoom(missing.Count);
            foreach (var merchant in missing)
            {
                var endpoints = loaded[merchant].ToList();
                merchants[merchant] = new(endpoints, now, loadedAt);
                found.Add(merchant, endpoints);
            }
        }

        return found;
    }

    private bool IsFresh(Known known) =>
        time.GetElapsedTime(known.LoadedAt).TotalMilliseconds < settings.EndpointsCachedMs;

    private void MakeRoom(int count)
    {
        if (merchants.Count + count > MerchantsMax)
        {
            merchants.Clear();
        }
    }

    private sealed record Known(IReadOnlyList<WebhookEndpoint> Endpoints, long Generation, long LoadedAt);
}
