using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log;

/// <summary>Reads the table by ranges of offsets, a range for each partition, all in one query.</summary>
internal sealed class EmbeddedReader : ILogReader
{
    private readonly Database.Database database;
    private readonly string group;
    private readonly LogSettings settings;
    private readonly TimeProvider time;
    private readonly Dictionary<long, Topic> topics;

    // The fetching loop's own: the next offset to read of each partition.
    private readonly SortedDictionary<long, long> next;

    // Set by appenders, taken by the loop.
    private readonly SemaphoreSlim woken = new(1, 1);

    public EmbeddedReader(
        Database.Database database,
        string group,
        IReadOnlyList<GroupOffset> offsets,
        LogSettings settings,
        TimeProvider time)
    {
        this.database = database;
        this.group = group;
        this.settings = settings;
        this.time = time;
        topics = offsets.ToDictionary(o => o.Topic.PartitionId(o.Partition), o => o.Topic);
        next = new(offsets.ToDictionary(o => o.Topic.PartitionId(o.Partition), o => o.NextOffset));
    }

    public async ValueTask<IReadOnlyList<LoggedEvent>> FetchAsync(int max, CancellationToken cancel)
    {
        while (true)
        {
            // The signal is taken before the read: a commit during the read sets it again.
            var wasWoken = await woken.WaitAsync(settings.PollMs, cancel);
            if (wasWoken && settings.FetchLingerMs > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(settings.FetchLingerMs), time, cancel);
            }

            var perPartition = Math.Max(1, max / next.Count);
            var events = await ReadAsync(perPartition, cancel);
            if (events.Count > 0)
            {
                Wake(); // There may be more, beyond the ranges of this read.
                return events;
            }
        }
    }

    public void CommitOffsets(Tx tx, IReadOnlyList<GroupOffset> offsets) =>
        LogSql.CommitOffsets(tx, group, offsets);

    public async ValueTask<long> LagAsync(Tx tx) =>
        (await LogSql.SelectOffsetsAsync(tx, group)).Sum(o => o.Head - o.Committed);

    /// <summary>Tells that there is something to read; costs nothing when that is known already.</summary>
    public void Wake()
    {
        if (woken.CurrentCount == 0)
        {
            try
            {
                woken.Release();
            }
            catch (SemaphoreFullException)
            {
                // Another appender was quicker: the signal is set, which is all that was wanted.
            }
        }
    }

    private async ValueTask<List<LoggedEvent>> ReadAsync(int perPartition, CancellationToken cancel)
    {
        var ranges = next.Select(n => (n.Key, n.Value, n.Value + perPartition)).ToList();
        var events = await database.ReadAsync(tx => LogSql.SelectAsync(tx, ranges, Map), cancel);
        foreach (var e in events)
        {
            next[e.Topic.PartitionId(e.Partition)] = e.Offset + 1;
        }

        return events;
    }

    private LoggedEvent Map(Row row)
    {
        var id = row.Long(0);
        var topic = topics[id];
        return new(topic, (int)(id % Topic.PartitionsMax), row.Long(1), row.Text(2), row.Text(3), row.Text(4));
    }
}
