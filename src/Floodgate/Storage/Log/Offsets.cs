using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>A group's progress in all its partitions. Thread-safe.</summary>
public sealed class Offsets
{
    private readonly ILogReader reader;
    private readonly Database.Database database;
    private readonly Lock gate = new();
    private readonly Dictionary<long, OffsetsPartition> partitions = [];

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

                if (partitions.TryGetValue(id, out var partition)) // Else another member's now, effect or not.
                {
                    Move(partition, partition.Tracker.FirstUnfinishedWith(offsets), moved);
                }
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
            partitions.GetValueOrDefault(e.PartitionId)?.Tracker.Finish(e.Offset);
        }
    }

    /// <summary>Events in the log that the group has not committed.</summary>
    public ValueTask<long> LagAsync(Tx tx) => reader.LagAsync(tx);

    /// <summary>Takes note that the events are in work; the partition of each, which it leaves with its lane.</summary>
    internal IReadOnlyList<OffsetsPartition> Start(IReadOnlyList<LoggedEvent> events)
    {
        var started = new OffsetsPartition[events.Count];
        lock (gate)
        {
            for (var i = 0; i < events.Count; i++)
            {
                var e = events[i];
                // An offset of before the end: the partition was away, and begins again at what the group committed.
                if (!partitions.TryGetValue(e.PartitionId, out var partition) || e.Offset < partition.Tracker.End)
                {
                    partition = new OffsetsPartition(e.Topic, e.Partition, new OffsetTracker(e.Offset));
                    partitions[e.PartitionId] = partition;
                }

                partition.Tracker.Start(e.Offset);
                partition.Started++;
                partition.InWork++;
                started[i] = partition;
            }
        }

        return started;
    }

    /// <summary>
    /// An event that waited for others of its key is next. False when its partition goes to another member and the
    /// event is left to that one.
    /// </summary>
    internal bool Begin(OffsetsPartition partition, LoggedEvent e)
    {
        lock (gate)
        {
            return partition.Begin(e.Offset);
        }
    }

    /// <summary>An event is not in work any more, finished or not.</summary>
    internal void Leave(OffsetsPartition partition)
    {
        lock (gate)
        {
            partition.InWork--;
            partition.EndIfEmpty();
        }
    }

    /// <summary>
    /// An event goes to another member before it was in work. With the last of a partition of which nothing ever was,
    /// the partition is forgotten: who gave it up may not have known it. One of which something was is known, and its
    /// offsets are still to be committed.
    /// </summary>
    internal void Drop(OffsetsPartition partition)
    {
        lock (gate)
        {
            partition.Dropped++;
            partition.InWork--;
            partition.EndIfEmpty();
            if (partition.Dropped == partition.Started)
            {
                Remove(partition);
            }
        }
    }

    /// <summary>
    /// Tells that the partitions go to another member, or are there already. Answers those that are known here.
    /// </summary>
    internal IReadOnlyList<OffsetsPartition> GiveUp(
        IReadOnlyList<(Topic Topic, int Partition)> gone, bool areLost)
    {
        lock (gate)
        {
            List<OffsetsPartition> known =
            [
                .. gone.Select(g => partitions.GetValueOrDefault(g.Topic.PartitionId(g.Partition)))
                    .OfType<OffsetsPartition>(),
            ];
            foreach (var partition in known)
            {
                partition.GiveUp(areLost);
            }

            return known;
        }
    }

    /// <summary>They are another member's now.</summary>
    internal void Forget(IReadOnlyList<OffsetsPartition> gone)
    {
        lock (gate)
        {
            foreach (var partition in gone)
            {
                Remove(partition);
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

    private void Remove(OffsetsPartition partition)
    {
        var id = partition.Topic.PartitionId(partition.Number);
        if (partitions.GetValueOrDefault(id) == partition)
        {
            partitions.Remove(id);
        }
    }

    private static void Move(OffsetsPartition partition, long next, List<GroupOffset> moved)
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
                    if (partitions.TryGetValue(offset.Topic.PartitionId(offset.Partition), out var partition))
                    {
                        partition.Committed = Math.Max(partition.Committed, offset.NextOffset);
                    }
                }
            }
        });
    }

}

/// <summary>A partition while it is this reader's. Its owner locks.</summary>
internal sealed class OffsetsPartition(Topic topic, int number, OffsetTracker tracker)
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource gone = new();
    private volatile bool isGone;
    private long begun = -1;
    private bool isLost;

    public Topic Topic { get; } = topic;

    public int Number { get; } = number;

    public OffsetTracker Tracker { get; } = tracker;

    public long Committed { get; set; }

    /// <summary>Events that were started.</summary>
    public long Started { get; set; }

    /// <summary>Those of them that went before they were in work.</summary>
    public long Dropped { get; set; }

    /// <summary>Events in work.</summary>
    public int InWork { get; set; }

    /// <summary>True when it goes or went to another member: nothing of it is tried again.</summary>
    public bool IsGone => isGone;

    /// <summary>Cancelled when it goes.</summary>
    public CancellationToken Gone => gone.Token;

    /// <summary>Completes when it goes and nothing of it is in work.</summary>
    public Task Ended => ended.Task;

    /// <summary>
    /// Takes note of an event that is next in its key; false when it is left to another member. When the partition
    /// goes, what waits before an event that was begun is done first: the group's offset could not pass it, and the
    /// other member would repeat all that is done behind it.
    /// </summary>
    public bool Begin(long offset)
    {
        if (isGone && (isLost || offset > begun))
        {
            return false;
        }

        begun = Math.Max(begun, offset);
        return true;
    }

    public void GiveUp(bool isLostAlready)
    {
        isLost = isLostAlready;
        isGone = true;
        _ = gone.CancelAsync(); // Not awaited: the waits that it ends go on on the pool, not under the owner's lock.
        EndIfEmpty();
    }

    public void EndIfEmpty()
    {
        if (isGone && InWork == 0)
        {
            ended.TrySetResult();
        }
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

    /// <summary>Behind the last one that was started.</summary>
    public long End => end;

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
