namespace Floodgate.Load.Traffic;

/// <summary>
/// Where arrivals meet lanes that can carry them. An arrival that finds no free lane waits, and its latency goes on
/// counting from its scheduled time; one that has waited longer than <paramref name="waitMax"/> is dropped, counted
/// and never sent. So a server (or this tool) at its limit shows as latency and drops, never as a lower rate.
/// </summary>
/// <typeparam name="TLane">What carries one arrival at a time.</typeparam>
internal sealed class ArrivalDesk<TLane>(TimeProvider time, TimeSpan waitMax)
    where TLane : class
{
    private readonly Lock gate = new();

    // All below: guarded by the gate.
    private readonly Stack<TLane> free = new();
    private readonly Queue<long> waiting = new();
    private TaskCompletionSource? idle;
    private Exception? failure;
    private int busy;

    /// <summary>Arrivals that were never sent because no lane came free in time.</summary>
    public long Dropped { get; private set; }

    /// <summary>Arrivals that had to wait for a lane, sent or dropped.</summary>
    public long Waited { get; private set; }

    /// <summary>
    /// Adds a lane that is free. The last one freed is used first: its connection and caches are warm.
    /// </summary>
    public void Add(TLane lane)
    {
        lock (gate)
        {
            free.Push(lane);
        }
    }

    /// <summary>
    /// An arrival scheduled at this timestamp: the lane that must carry it now, or null when it waits.
    /// </summary>
    public TLane? Arrive(long scheduled)
    {
        lock (gate)
        {
            if (free.TryPop(out var lane))
            {
                busy++;
                return lane;
            }

            waiting.Enqueue(scheduled);
            Waited++;
            return null;
        }
    }

    /// <summary>A lane is done: true with the next arrival that it must carry, false when it is free again.</summary>
    public bool TryNext(TLane lane, out long scheduled)
    {
        lock (gate)
        {
            while (waiting.TryDequeue(out scheduled))
            {
                if (time.GetElapsedTime(scheduled) <= waitMax)
                {
                    return true;
                }

                Dropped++;
            }

            free.Push(lane);
            busy--;
            if (busy == 0)
            {
                idle?.TrySetResult();
            }

            return false;
        }
    }

    /// <summary>A lane broke by a bug: whoever waits for the end gets its exception and does not hang.</summary>
    public void Fail(Exception bug)
    {
        lock (gate)
        {
            failure ??= bug;
            idle?.TrySetException(bug);
        }
    }

    /// <summary>Completes when no lane is busy; to be asked once, after the last arrival.</summary>
    public Task WhenIdleAsync()
    {
        lock (gate)
        {
            idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (failure is not null)
            {
                idle.SetException(failure);
            }
            else if (busy == 0)
            {
                idle.SetResult();
            }

            return idle.Task;
        }
    }
}
