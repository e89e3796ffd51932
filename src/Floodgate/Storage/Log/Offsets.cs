using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>A group's progress in all its partitions. Thread-safe.</summary>
public sealed class Offsets
{
    private readonly ILogReader reader;
    private readonly Database.Database database;
    private readonly Lock gate = new();
    private readonly Dictionary<long, Partition> partitions = [];

    internal Offsets(ILogReader reader, Database.Database database)
    {
        this.reader = reader;
        this.database = database;
    }

    /// <summary>
    /// Commits with the transaction how far the group would be if these events were finished, and marks them finished
    /// after the commit. Call it as the last step, with the events whose effects the transaction holds.
    /// </summary>
    public void CommitWith(Tx tx, IEnumerable<LoggedEvent> events)
    {
        var finished = events.OrderBy(e => e.PartitionId).ThenBy(e => e.Offset).ToList();
        var moved = new List<GroupOffset>();
        lock (gate)
        {
            for (var i = 0; i < finished.Count;)
            {
                var id = finished[i].PartitionId;
                var offsets = new List<long>();
                for (; i < finished.Count && finished[i].PartitionId == id; i++)
                {
                    offsets.Add(finished[i].Offset);
                }

                Move(partitions[id], partitions[id].Tracker.FirstUnfinishedWith(offsets), moved);
            }
        }

        Commit(tx, moved);
        tx.OnCommitted(() => finished.ForEach(Finish));
    }

    /// <summary>Marks an event finished whose effect is durable already; its offset goes with a later commit.</summary>
    public void Finish(LoggedEvent e)
    {
        lock (gate)
        {
            partitions[e.PartitionId].Tracker.Finish(e.Offset);
        }
    }

    /// <summary>Events in the log that the group has not committed.</summary>
    public ValueTask<long> LagAsync(Tx tx) => reader.LagAsync(tx);

    internal void Start(IReadOnlyList<LoggedEvent> events)
    {
        lock (gate)
        {
            foreach (var e in events)
            {
                if (!partitions.TryGetValue(e.PartitionId, out var partition))
                {
                    partition = new Partition(e.Topic, e.Partition, new OffsetTracker(e.Offset));
                    partitions.Add(e.PartitionId, partition);
                }

                partition.Tracker.Start(e.Offset);
            }
        }
    }

    internal async ValueTask FlushAsync(CancellationToken cancel)
    {
        var moved = new List<GroupOffset>();
        lock (gate)
        {
            foreach (var partition in partitions.Values)
            {
                Move(partition, partition.Tracker.FirstUnfinished, moved);
            }
        }

        if (moved.Count > 0)
        {
            await database.WriteAsync(
                tx =>
                {
                    Commit(tx, moved);
                    return ValueTask.FromResult(0);
                },
                cancel);
        }
    }

    private static void Move(Partition partition, long next, List<GroupOffset> moved)
    {
        if (next > partition.Committed)
        {
            moved.Add(new GroupOffset(partition.Topic, partition.Number, next));
        }
    }

    private void Commit(Tx tx, List<GroupOffset> moved)
    {
        if (moved.Count == 0)
        {
            return;
        }

        reader.CommitOffsets(tx, moved);
        tx.OnCommitted(() =>
        {
            lock (gate)
            {
                foreach (var offset in moved)
                {
                    var partition = partitions[offset.Topic.PartitionId(offset.Partition)];
                    partition.Committed = Math.Max(partition.Committed, offset.NextOffset);
                }
            }
        });
    }

    private sealed class Partition(Topic topic, int number, OffsetTracker tracker)
    {
        public Topic Topic { get; } = topic;

        public int Number { get; } = number;

        public OffsetTracker Tracker { get; } = tracker;

        public long Committed { get; set; }
    }
}

/// <summary>
/// Which offsets of one partition are finished. Events finish in any order; the group may commit only up to
/// the first unfinished one. Not thread-safe: its owner locks.
/// </summary>
internal sealed class OffsetTracker(long first)
{
    private bool[] finished = new bool[1_024];
    private long end = first;

    /// <summary>The first offset that is not finished; everything before it is.</summary>
    public long FirstUnfinished { get; private set; } = first;

    /// <summary>Takes note of the next event, in the order of offsets; gaps (deleted ones) count as finished.</summary>
    public void Start(long offset)
    {
        Invariant.Check(offset >= end, "events of a partition are started in order");
        for (; end < offset; end++)
        {
            Advance();
            Grow();
            finished[Slot(end)] = true;
        }

        Grow();
        finished[Slot(offset)] = false;
        end = offset + 1;
        Advance();
    }

    /// <summary>Marks an event as finished; twice is harmless, and so is one that was never started.</summary>
    public void Finish(long offset)
    {
        if (offset >= FirstUnfinished && offset < end)
        {
            finished[Slot(offset)] = true;
            Advance();
        }
    }

    /// <summary>What <see cref="FirstUnfinished"/> would be if these offsets, sorted, were finished too.</summary>
    public long FirstUnfinishedWith(IReadOnlyList<long> sorted)
    {
        var offset = FirstUnfinished;
        var i = 0;
        while (offset < end)
        {
            while (i < sorted.Count && sorted[i] < offset)
            {
                i++;
            }

            var isGiven = i < sorted.Count && sorted[i] == offset;
            if (!isGiven && !finished[Slot(offset)])
            {
                break;
            }

            offset++;
        }

        return offset;
    }

    private void Advance()
    {
        while (FirstUnfinished < end && finished[Slot(FirstUnfinished)])
        {
            FirstUnfinished++;
        }
    }

    private void Grow()
    {
        if (end - FirstUnfinished < finished.Length)
        {
            return;
        }

        var larger = new bool[finished.Length * 2];
        for (var offset = FirstUnfinished; offset < end; offset++)
        {
            larger[offset & (larger.Length - 1)] = finished[Slot(offset)];
        }

        finished = larger;
    }

    private long Slot(long offset) => offset & (finished.Length - 1);
}
