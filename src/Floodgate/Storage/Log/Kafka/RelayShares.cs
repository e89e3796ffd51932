using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// Which partitions this node's relay forwards. The partitions are dealt out in shares, the shares to the relays that
/// are alive; a lease on each share keeps it in one hand also while two nodes see different ones alive. Used by one
/// loop.
/// </summary>
internal sealed class RelayShares(
    Database.Database database, LeaseBook leases, string node, TimeSpan length, TimeProvider time)
{
    private const int Shares = 8;

    private readonly Dictionary<int, Lease> held = [];
    private HashSet<int> due = [];
    private long? keptAt;

    /// <summary>True while the share of the partition is this node's.</summary>
    public bool Holds(long partitionId) =>
        held.TryGetValue(ShareOf(partitionId), out var lease) && leases.IsLive(lease);

    /// <summary>
    /// Renews what is held, three times in each length of a lease, and takes what is due to this node. True when there
    /// are shares that are due to another: then <see cref="GiveAsync"/>.
    /// </summary>
    public async ValueTask<bool> KeepAsync(CancellationToken cancel)
    {
        if (keptAt is { } at && time.GetElapsedTime(at) < length / 3)
        {
            return false;
        }

        // Who was silent for a length is gone, so that its shares are due to others once its leases have run out.
        var nodes = await database.WriteAsync(
            tx => KafkaSql.MeetAsync(tx, node, UtcInstant.Now(time).Ms, (long)length.TotalMilliseconds), cancel);
        foreach (var (share, lease) in held.ToList())
        {
            if (await leases.RenewAsync(lease, length, cancel) is { } renewed)
            {
                held[share] = renewed;
            }
            else
            {
                held.Remove(share);
            }
        }

        foreach (var share in Due(nodes).Where(s => !held.ContainsKey(s)))
        {
            if (await leases.TryTakeAsync(NameOf(share), node, length, cancel) is { } taken)
            {
                held.Add(share, taken);
            }
        }

        keptAt = time.GetTimestamp();
        due = [.. Due(nodes)];
        return held.Keys.Any(share => !due.Contains(share));
    }

    /// <summary>Gives back what is due to others, when the progress in it is durable.</summary>
    public async ValueTask GiveAsync(CancellationToken cancel)
    {
        foreach (var share in held.Keys.Except(due).ToList())
        {
            held.Remove(share, out var lease);
            await leases.ReleaseAsync(lease!, cancel);
        }
    }

    /// <summary>Gives everything back, so that the others go on at once.</summary>
    public async ValueTask LeaveAsync()
    {
        due = [];
        await GiveAsync(CancellationToken.None);
        await database.WriteAsync(tx =>
        {
            KafkaSql.Leave(tx, node);
            return ValueTask.FromResult(0);
        });
    }

    private IEnumerable<int> Due(List<string> nodes)
    {
        nodes.Sort(StringComparer.Ordinal);
        var place = nodes.IndexOf(node);
        return Enumerable.Range(0, Shares).Where(share => share % nodes.Count == place);
    }

    private static int ShareOf(long partitionId) => (int)(partitionId % Shares);

    private static string NameOf(int share) => $"log-relay/{share}";
}
