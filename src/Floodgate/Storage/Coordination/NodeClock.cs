using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>
/// The clock that all nodes agree on: the database's. Each node adds to its own what it lacks, measured every few
/// seconds to half a round trip, so that a wrong clock neither keeps a lease nor robs one.
/// </summary>
public sealed class NodeClock(TimeProvider time)
{
    private long offsetMs;

    /// <summary>By how much the database's clock is ahead of this node's, in milliseconds.</summary>
    public long OffsetMs => Interlocked.Read(ref offsetMs);

    /// <summary>Now, by the database's clock.</summary>
    public UtcInstant Now => new(UtcInstant.Now(time).Ms + OffsetMs);

    /// <summary>The database said this while our own clock went from one moment to another.</summary>
    internal void Note(long databaseMs, long beforeMs, long afterMs) =>
        Interlocked.Exchange(ref offsetMs, databaseMs - ((beforeMs + afterMs) / 2));
}
