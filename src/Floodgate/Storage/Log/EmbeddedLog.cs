using System.Collections.Concurrent;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>
/// The log as a table beside the state. A partition's head row is locked by the appender until its commit, so
/// offsets are dense and become visible in their order: a reader that has seen offset n has seen all before
/// it, which a sequence could not promise (a later number may be committed first).
/// </summary>
public sealed class EmbeddedLog(Database.Database database, LogSettings settings, TimeProvider time) : IEventLog
{
    private readonly ConcurrentDictionary<long, Action> wakers = new();

    /// <inheritdoc/>
    public async ValueTask AppendAsync(Tx tx, IReadOnlyList<NewEvent> events)
    {
        if (events.Count == 0)
        {
            return;
        }

        var counts = new SortedDictionary<long, int>();
        var places = new (long Partition, int Nth)[events.Count];
        for (var i = 0; i < events.Count; i++)
        {
            var topic = events[i].Topic;
            var partition = topic.PartitionId(topic.PartitionOf(events[i].Key));
            var nth = counts.GetValueOrDefault(partition);
            counts[partition] = nth + 1;
            places[i] = (partition, nth);
        }

        var first = await LogSql.AdvanceAsync(tx, [.. counts.Select(c => (c.Key, c.Value))]);
        LogSql.Insert(
            tx,
            [.. events.Select((e, i) => (places[i].Partition, first[places[i].Partition] + places[i].Nth, e))],
            UtcInstant.Now(time).Ms);
        tx.OnCommitted(() => Wake(counts.Keys));
    }

    /// <inheritdoc/>
    public async ValueTask<ILogReader> SubscribeAsync(
        string group, IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        var partitions = topics.SelectMany(t => Enumerable.Range(0, t.Partitions).Select(p => (t, p))).ToList();
        var offsets = await database.WriteAsync(
            async tx =>
            {
                LogSql.CreateGroup(tx, group, [.. partitions.Select(p => p.t.PartitionId(p.p))]);
                return await LogSql.SelectOffsetsAsync(tx, group);
            },
            cancel);
        var committed = offsets.ToDictionary(o => o.Partition, o => o.Committed);
        var reader = new EmbeddedReader(
            database,
            group,
            [.. partitions.Select(p => new GroupOffset(p.t, p.p, committed[p.t.PartitionId(p.p)]))],
            settings,
            time);
        foreach (var (topic, partition) in partitions)
        {
            wakers.AddOrUpdate(
                topic.PartitionId(partition), _ => reader.Wake, (_, others) => others + reader.Wake);
        }

        return reader;
    }

    /// <summary>
    /// Creates the partitions of the topics, once. A topic that is stored with another number of partitions is
    /// refused: keys would move and lose their order.
    /// </summary>
    public async ValueTask CreateTopicsAsync(IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        foreach (var topic in topics)
        {
            var stored = await database.WriteAsync(
                tx =>
                {
                    LogSql.CreatePartitions(tx, topic);
                    return LogSql.CountPartitionsAsync(tx, topic);
                },
                cancel);
            Invariant.Check(stored == topic.Partitions, $"topic {topic.Name} keeps its {stored} partitions");
        }
    }

    /// <summary>Deletes events past their topic's retention which every group has read; how many went.</summary>
    public async ValueTask<int> SweepAsync(IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        var deleted = 0;
        foreach (var topic in topics)
        {
            var beforeMs = UtcInstant.Now(time).Plus(TimeSpan.FromDays(-topic.RetentionDays)).Ms;
            foreach (var partition in Enumerable.Range(0, topic.Partitions).Select(topic.PartitionId))
            {
                int now;
                do
                {
                    now = await database.WriteAsync(tx => LogSql.DeleteOldAsync(tx, partition, beforeMs), cancel);
                    deleted += now;
                }
                while (now > 0);
            }
        }

        return deleted;
    }

    private void Wake(IEnumerable<long> partitions)
    {
        foreach (var partition in partitions)
        {
            if (wakers.TryGetValue(partition, out var wake))
            {
                wake();
            }
        }
    }
}
