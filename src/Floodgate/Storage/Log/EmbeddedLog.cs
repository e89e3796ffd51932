using System.Collections.Concurrent;
using Floodgate.Storage.Coordination;
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
    private readonly ConcurrentDictionary<EmbeddedReader, bool> readers = new();

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
    public ValueTask BuriedAsync(Tx tx, Topic topic, DeadLetter letter) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public async ValueTask<ILogReader> SubscribeAsync(
        string group, IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        var reader = new EmbeddedReader(
            database, group, await JoinAsync(group, topics, cancel), settings, time,
            gone => readers.TryRemove(gone, out _));
        readers.TryAdd(reader, true);
        return reader;
    }

    /// <summary>
    /// Makes the group's offsets, at the beginning of the topics, unless they are there; answers them.
    /// </summary>
    internal async ValueTask<IReadOnlyList<GroupOffset>> JoinAsync(
        string group, IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        var partitions = topics
            .SelectMany(t => Enumerable.Range(0, t.Partitions).Select(p => (Topic: t, Number: p)))
            .ToList();
        var offsets = await database.WriteAsync(
            async tx =>
            {
                LogSql.CreateGroup(tx, group, [.. partitions.Select(p => p.Topic.PartitionId(p.Number))]);
                return await LogSql.SelectOffsetsAsync(tx, group);
            },
            cancel);
        var committed = offsets.ToDictionary(o => o.Partition, o => o.Committed);
        var places = new List<GroupOffset>();
        foreach (var (topic, number) in partitions)
        {
            var isCreated = committed.TryGetValue(topic.PartitionId(number), out var next);
            Invariant.Check(isCreated, $"topic {topic.Name} is created before it is read");
            places.Add(new GroupOffset(topic, number, next));
        }

        return places;
    }

    /// <summary>
    /// Creates the partitions of the topics, once. A topic that is stored with another name, number or number of
    /// partitions is refused and nothing is changed: keys would move and lose their order.
    /// </summary>
    /// <exception cref="InvariantViolatedException">Says what is stored and what to do.</exception>
    public async ValueTask CreateTopicsAsync(IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        foreach (var topic in topics)
        {
            await database.WriteAsync(tx => CreateTopicAsync(tx, topic), cancel);
        }
    }

    /// <summary>
    /// Reads events of one partition from an offset on, at most <paramref name="max"/>, and where the partition ends:
    /// the offset that its next event will get. For readers that keep their own place; no group and no wake-up.
    /// </summary>
    public async ValueTask<LogPage> ReadAsync(
        Topic topic, int partition, long from, int max, CancellationToken cancel)
    {
        Invariant.Check(partition >= 0 && partition < topic.Partitions, "only partitions of the topic are read");
        var id = topic.PartitionId(partition);
        return await database.ReadAsync(
            async tx =>
            {
                // The end first: an event that comes in between is in the page and only beyond an older end.
                var end = await LogSql.HeadAsync(tx, id);
                var events = await LogSql.SelectAsync(
                    tx,
                    [(id, from, max)],
                    r => new LoggedEvent(topic, partition, r.Long(1), r.Text(2), r.Text(3), r.Text(4)));
                return new LogPage(events, Math.Max(end, events.Count == 0 ? 0 : events[^1].Offset + 1));
            },
            cancel);
    }

    /// <summary>
    /// How far behind each group is in each of its topics, by their names; a group is here once it has begun to read,
    /// in whichever process. Cheap.
    /// </summary>
    public static ValueTask<List<TopicLag>> LagsAsync(Tx tx) => LogSql.SelectTopicLagsAsync(tx);

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

    private static async ValueTask<bool> CreateTopicAsync(Tx tx, Topic topic)
    {
        Invariant.Check(
            topic.Partitions is >= 1 and <= Topic.PartitionsMax,
            $"topic {topic.Name} has 1 to {Topic.PartitionsMax} partitions, not {topic.Partitions}");
        var stored = await LogSql.SelectTopicsAsync(tx, topic);
        if (stored.Count == 0)
        {
            LogSql.CreatePartitions(tx, topic);
            return true;
        }

        var others = string.Join(" and ", stored.Select(
            s => $"{s.Name} (number {s.FirstId / Topic.PartitionsMax}, {s.Partitions} partitions)"));
        Invariant.Check(
            stored is [var same] && same == (topic.Name, topic.PartitionId(0), topic.Partitions),
            $"topic {topic.Name} (number {topic.Number}, {topic.Partitions} partitions) is stored as {others}; "
            + "keys would move and lose their order, so keep what is stored or choose a new name and number");
        return false;
    }

    private void Wake(IReadOnlyCollection<long> partitions)
    {
        foreach (var (reader, _) in readers)
        {
            if (partitions.Any(reader.Reads))
            {
                reader.Wake();
            }
        }
    }
}

/// <summary>Reads the table by ranges of offsets, a range for each partition, all in one query.</summary>
internal sealed class EmbeddedReader : ILogReader
{
    private readonly Database.Database database;
    private readonly string group;
    private readonly LogSettings settings;
    private readonly TimeProvider time;
    private readonly Action<EmbeddedReader> left;
    private readonly Dictionary<long, int> places;

    // The fetching loop's own: the next offset to read of each partition, and whose turn it is.
    private readonly GroupOffset[] next;
    private int turn;

    // Rung by appenders.
    private readonly Signal woken = new();

    public EmbeddedReader(
        Database.Database database,
        string group,
        IReadOnlyList<GroupOffset> offsets,
        LogSettings settings,
        TimeProvider time,
        Action<EmbeddedReader> left)
    {
        this.database = database;
        this.group = group;
        this.settings = settings;
        this.time = time;
        this.left = left;
        next = [.. offsets];
        places = offsets.Index().ToDictionary(o => o.Item.Topic.PartitionId(o.Item.Partition), o => o.Index);
        Wake(); // The first read takes what is there already.
    }

    /// <summary>True when this reader reads the partition.</summary>
    public bool Reads(long partition) => places.ContainsKey(partition);

    /// <summary>Tells that there may be something to read.</summary>
    public void Wake() => woken.Set();

    public async ValueTask<IReadOnlyList<LoggedEvent>> FetchAsync(int max, CancellationToken cancel)
    {
        while (true)
        {
            // The signal is taken before the read: a commit during the read rings again.
            var wasWoken = await woken.WaitAsync(TimeSpan.FromMilliseconds(settings.PollMs), time, cancel);
            var isDry = false;
            try
            {
                if (wasWoken && settings.FetchLingerMs > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(settings.FetchLingerMs), time, cancel);
                }

                cancel.ThrowIfCancellationRequested();
                var events = await ReadAsync(max, cancel);
                isDry = events.Count == 0;
                if (events.Count > 0)
                {
                    return events;
                }
            }
            finally
            {
                if (!isDry)
                {
                    Wake(); // There may be more beyond the ranges of this read, or the read failed.
                }
            }
        }
    }

    public void WhenRevoked(GiveUpPartitions giveUp)
    {
        // The table's reader is its group's only one.
    }

    public bool Holds(LoggedEvent e) => true;

    public void CommitOffsets(Tx tx, IReadOnlyList<GroupOffset> offsets) =>
        LogSql.CommitOffsets(tx, group, offsets);

    public async ValueTask<long> LagAsync(Tx tx) => (await LogSql.SelectOffsetsAsync(tx, group))
        .Where(o => Reads(o.Partition)).Sum(o => o.Head - o.Committed);

    public ValueTask DisposeAsync()
    {
        left(this);
        return ValueTask.CompletedTask;
    }

    // Fewer events than partitions: they take turns, and nothing is found only after all had theirs.
    private async ValueTask<List<LoggedEvent>> ReadAsync(int max, CancellationToken cancel)
    {
        var taken = Math.Min(max, next.Length);
        List<LoggedEvent> events = [];
        for (var tried = 0; tried < next.Length && events.Count == 0; tried += taken)
        {
            var ranges = Enumerable.Range(turn, taken).Select(i => next[i % next.Length])
                .Select(o => (o.Topic.PartitionId(o.Partition), o.NextOffset, max / taken)).ToList();
            events = await database.ReadAsync(tx => LogSql.SelectAsync(tx, ranges, Map), cancel);
            turn = (turn + taken) % next.Length;
        }

        foreach (var e in events)
        {
            next[places[e.PartitionId]] = new GroupOffset(e.Topic, e.Partition, e.Offset + 1);
        }

        return events;
    }

    private LoggedEvent Map(Row row)
    {
        var place = next[places[row.Long(0)]];
        return new(place.Topic, place.Partition, row.Long(1), row.Text(2), row.Text(3), row.Text(4));
    }
}
