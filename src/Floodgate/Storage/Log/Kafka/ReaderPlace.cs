namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// One partition of a reader: what has arrived and was not taken, and how far it is by both counts, the table's
/// (source) and the broker's. Not thread-safe: the reader locks.
/// </summary>
internal sealed class ReaderPlace(Topic topic, int number)
{
    // Messages that were taken over and are not committed, in order; and foreign ones that are not dead letters yet.
    private readonly Queue<(long Source, long At)> passed = new();
    private readonly Queue<LoggedEvent> waiting = new();
    private long lastSource;
    private long lastAt;
    private long stored;

    public Topic Topic { get; } = topic;

    public int Number { get; } = number;

    /// <summary>True while the partition is this member's.</summary>
    public bool IsAssigned { get; private set; }

    /// <summary>Counts the times that the partition came or went: what was fetched in an earlier one is gone.</summary>
    public int Turn { get; private set; }

    /// <summary>The source offset to hand out next; null until the group's committed one was asked for.</summary>
    public long? Next { get; private set; }

    /// <summary>Events below it were there at the assignment: another member may have had them in work.</summary>
    public long Head { get; private set; }

    /// <summary>The first source offset that the group has not committed, as far as this member knows.</summary>
    public long Committed { get; private set; }

    /// <summary>True once something has arrived, or the broker said that there is nothing.</summary>
    public bool IsFilled { get; set; }

    /// <summary>True while the client is told not to fetch it.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Broker's offsets of foreign messages whose dead letters are being written.</summary>
    public HashSet<long> Foreign { get; } = [];

    /// <summary>Where it stood when it was last looked at for a standstill.</summary>
    public long? StoodAt { get; set; }

    /// <summary>Messages that wait to be handed out or made dead letters.</summary>
    public int Count => waiting.Count + Foreign.Count;

    /// <summary>The source offset of the first that waits; null when none does.</summary>
    public long? FirstWaiting => waiting.TryPeek(out var first) ? first.Offset : null;

    /// <summary>The partition is this member's from now on.</summary>
    public void Assign()
    {
        Leave();
        IsAssigned = true;
        stored = -1;
        lastAt = -1;
        lastSource = -1;
    }

    /// <summary>It goes: what waits is another's to hand out. What was handed out may still be committed.</summary>
    public void Close()
    {
        IsAssigned = false;
        Turn++;
        Next = null;
        IsFilled = false;
        IsPaused = false;
        StoodAt = null;
        waiting.Clear();
    }

    /// <summary>It is gone.</summary>
    public void Leave()
    {
        Close();
        passed.Clear();
        Foreign.Clear();
    }

    /// <summary>Begins at the group's committed offset; what arrived from below it is dropped.</summary>
    public void Begin(long committed, long head)
    {
        (Next, Committed, Head) = (committed, committed, head);
        Drop(committed);
    }

    /// <summary>Takes over a message, unless it is a repeated one.</summary>
    public void Arrive(LoggedEvent e, long at)
    {
        lastAt = at;
        IsFilled = true;
        if (e.Offset > lastSource && !(e.Offset < Next))
        {
            lastSource = e.Offset;
            waiting.Enqueue(e);
            passed.Enqueue((e.Offset, at));
        }
    }

    /// <summary>Takes note of a message that is no event of this log.</summary>
    public void ArriveForeign(long at)
    {
        lastAt = at;
        IsFilled = true;
        Foreign.Add(at);
    }

    /// <summary>The next event that waits, when none is missing before it.</summary>
    public LoggedEvent? Take()
    {
        if (FirstWaiting is not { } first || first != Next)
        {
            return null;
        }

        Next = first + 1;
        return Mark(waiting.Dequeue());
    }

    /// <summary>Hands out what was found in the table; the rest of the way there is nothing.</summary>
    public List<LoggedEvent> Fill(IReadOnlyList<LoggedEvent> found, int wanted, long until)
    {
        List<LoggedEvent> fresh = [.. found.Where(e => e.Offset < until).Select(Mark)];
        Next = found.Count == wanted && fresh.Count > 0 ? fresh[^1].Offset + 1 : until;
        Drop(Next.Value);
        return fresh;
    }

    /// <summary>The group's offset was committed.</summary>
    public void Commit(long next) => Committed = Math.Max(Committed, next);

    /// <summary>The broker's offset to store now; null when it has not moved.</summary>
    public long? ToStore()
    {
        var next = stored;
        while (passed.TryPeek(out var first) && first.Source < Committed)
        {
            next = passed.Dequeue().At + 1;
        }

        if (passed.Count == 0 && Next is not null)
        {
            next = Math.Max(next, lastAt + 1);
        }

        next = Foreign.Count == 0 ? next : Math.Min(next, Foreign.Min());
        if (next <= stored)
        {
            return null;
        }

        stored = next;
        return next;
    }

    private void Drop(long below)
    {
        while (FirstWaiting < below)
        {
            waiting.Dequeue();
        }
    }

    private LoggedEvent Mark(LoggedEvent e) => e with { Turn = Turn, MayBeRepeated = e.Offset < Head };
}
