namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// What a reader's messages leave out, from the table: what is missing before one that waits, and what was forwarded
/// and does not come, because the cluster has lost it or is a new one. Used by the loop that fetches.
/// </summary>
internal sealed class ReaderGaps(string group, ReaderPlace[] places, Lock gate, ReaderParts parts)
{
    private static readonly TimeSpan LookForStandstillEvery = TimeSpan.FromSeconds(5);

    private long lookedAt = parts.Tools.Time.GetTimestamp();

    /// <summary>The next of what is missing, at most so many; null when nothing is.</summary>
    public async ValueTask<List<LoggedEvent>?> FillAsync(int max, CancellationToken cancel)
    {
        List<Gap> gaps;
        lock (gate)
        {
            gaps =
            [
                .. places.Where(p => p.FirstWaiting > p.Next)
                    .Select(p => new Gap(p, p.Turn, p.Next!.Value, p.FirstWaiting!.Value)),
            ];
        }

        if (gaps.Count == 0 && parts.Tools.Time.GetElapsedTime(lookedAt) >= LookForStandstillEvery)
        {
            gaps = await StandstillsAsync(cancel);
            lookedAt = parts.Tools.Time.GetTimestamp();
        }

        return gaps.Count == 0 ? null : await ReadAsync([.. gaps.Take(max)], max / Math.Min(max, gaps.Count), cancel);
    }

    private async ValueTask<List<LoggedEvent>> ReadAsync(List<Gap> gaps, int wanted, CancellationToken cancel)
    {
        var byId = gaps.ToDictionary(g => g.Place.Topic.PartitionId(g.Place.Number));
        var found = (await parts.Database.ReadAsync(
                tx => LogSql.SelectAsync(
                    tx,
                    [.. byId.Select(g => (g.Key, g.Value.From, wanted))],
                    r => new LoggedEvent(
                        byId[r.Long(0)].Place.Topic, byId[r.Long(0)].Place.Number, r.Long(1), r.Text(2), r.Text(3),
                        r.Text(4))),
                cancel))
            .ToLookup(e => e.PartitionId);
        var filled = new List<LoggedEvent>();
        lock (gate)
        {
            foreach (var (id, gap) in byId.Where(g => g.Value.Place.Turn == g.Value.Turn))
            {
                filled.AddRange(gap.Place.Fill([.. found[id]], wanted, gap.Until));
            }
        }

        if (filled.Count > 0)
        {
            parts.Tools.Log.FromTable(group, filled.Count);
        }

        return filled;
    }

    // Forwarded, and not here after two looks.
    private async ValueTask<List<Gap>> StandstillsAsync(CancellationToken cancel)
    {
        var forwarded = (await parts.Database.ReadAsync(
                tx => LogSql.SelectOffsetsAsync(tx, KafkaRelay.Group), cancel))
            .ToDictionary(o => o.Partition, o => o.Committed);
        var gaps = new List<Gap>();
        lock (gate)
        {
            foreach (var place in places.Where(p => p is { Next: not null, FirstWaiting: null }))
            {
                var until = forwarded.GetValueOrDefault(place.Topic.PartitionId(place.Number));
                if (until > place.Next && place.StoodAt == place.Next)
                {
                    gaps.Add(new(place, place.Turn, place.Next!.Value, until));
                }

                place.StoodAt = place.Next;
            }
        }

        return gaps;
    }

    /// <summary>What a place misses, in the assignment in which it was seen.</summary>
    private sealed record Gap(ReaderPlace Place, int Turn, long From, long Until);
}
