using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log;

/// <summary>
/// The seam to the event log: a table of the same database here, Kafka fed by that table in a cluster. An
/// event is in the log when, and only when, the transaction that appended it is committed; a key's events
/// are read in the order in which their transactions were committed, each at least once.
/// </summary>
public interface IEventLog
{
    /// <summary>
    /// Appends as a part of the transaction. Locks the heads of the partitions, always in one order, until
    /// the commit: append once in a transaction, as its last step but <see cref="Offsets.CommitWith"/>. The topics
    /// must have been created.
    /// </summary>
    ValueTask AppendAsync(Tx tx, IReadOnlyList<NewEvent> events);

    /// <summary>
    /// Called in the transaction that makes an event a dead letter, before its offset is committed: in a cluster the
    /// letter is also an event, for readers outside.
    /// </summary>
    ValueTask BuriedAsync(Tx tx, Topic topic, DeadLetter letter);

    /// <summary>Starts to read for a group, at the offsets it has committed (the beginning for a new one).</summary>
    ValueTask<ILogReader> SubscribeAsync(string group, IReadOnlyList<Topic> topics, CancellationToken cancel);
}

/// <summary>
/// One group's place in the log. Used by one loop. Not calling <see cref="FetchAsync"/> is how reading
/// is paused; it never loses the group its partitions, however long it lasts. Disposing leaves the group and is safe
/// while an offset is being committed.
/// </summary>
public interface ILogReader : IAsyncDisposable
{
    /// <summary>
    /// The next events, at most <paramref name="max"/> (at least 1), in order within each partition; waits for
    /// the first. Woken by the commit of an append in this process, at the latest after the poll interval. A call
    /// that fails or is cancelled has taken nothing: the next one returns what it would have.
    /// </summary>
    ValueTask<IReadOnlyList<LoggedEvent>> FetchAsync(int max, CancellationToken cancel);

    /// <summary>
    /// Makes the offsets durable with the transaction (Kafka: right after its commit). An offset never goes
    /// back. Locks the group's offsets in one order.
    /// </summary>
    void CommitOffsets(Tx tx, IReadOnlyList<GroupOffset> offsets);

    /// <summary>
    /// What to do when partitions go to another member of the group. Called by a thread of the reader. Set before the
    /// first fetch.
    /// </summary>
    void WhenRevoked(GiveUpPartitions giveUp);

    /// <summary>True while the event's partition is this reader's, and was not away since the fetch.</summary>
    bool Holds(LoggedEvent e);

    /// <summary>Events that are in the log and not committed by the group, over all partitions it reads.</summary>
    ValueTask<long> LagAsync(Tx tx);
}

/// <summary>
/// Finishes or drops what is in work of partitions that go to another member, soon; or drops what it can, when they
/// are another's already. They go when the task is completed.
/// </summary>
public delegate Task GiveUpPartitions(IReadOnlyList<(Topic Topic, int Partition)> gone, bool areLost);
