using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

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

    /// <summary>Takes note of the next event, in the order of offsets; gaps (deleted events) count as finished.</summary>
    public void Start(long offset)
    {
        Invariant.Check(offset >= end, "events of a partition are started in order");
        for (; end < offset; end++)
        {
            Grow();
            finished[Slot(end)] = true;
        }

        Grow();
        finished[Slot(offset)] = false;
        end = offset + 1;
        Advance();
    }

    /// <summary>Marks an event as finished; twice is harmless.</summary>
    public void Finish(long offset)
    {
        if (offset >= FirstUnfinished)
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
