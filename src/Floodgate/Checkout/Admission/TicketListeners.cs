using System.Threading.Tasks.Sources;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// One open stream of a ticket: sleeps until it is rung. It costs no timer and allocates nothing between pushes,
/// because there are a hundred thousand of them.
/// </summary>
internal sealed class TicketListener(Guid ticket) : IValueTaskSource
{
    // Under the lock of this listener.
    private ManualResetValueTaskSourceCore<bool> waiting = new() { RunContinuationsAsynchronously = true };
    private bool isWaiting;
    private bool isRung;

    /// <summary>Whose stream it is.</summary>
    public Guid Ticket => ticket;

    // Under the lock of the listeners: the next one of the same ticket, and the place on the wheel.
    internal TicketListener? Next { get; set; }

    internal int Bucket { get; set; }

    internal int Index { get; set; }

    /// <summary>Wakes the stream, now or at its next wait; never runs it.</summary>
    public void Ring()
    {
        lock (this)
        {
            if (!isWaiting)
            {
                isRung = true;
                return;
            }

            isWaiting = false;
        }

        waiting.SetResult(true);
    }

    /// <summary>Waits until it is rung, or was since the last wait. One wait at a time.</summary>
    public ValueTask WaitAsync()
    {
        lock (this)
        {
            if (isRung)
            {
                isRung = false;
                return ValueTask.CompletedTask;
            }

            waiting.Reset();
            isWaiting = true;
            return new ValueTask(this, waiting.Version);
        }
    }

    void IValueTaskSource.GetResult(short token) => waiting.GetResult(token); // tidy: blocking: it has completed.

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => waiting.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        waiting.OnCompleted(continuation, state, token, flags);
}

/// <summary>
/// The open streams of one room, on a wheel: each turn of the ticker rings one of its buckets, so every stream is rung
/// once in a round, and the pushes of all are spread evenly over it.
/// </summary>
internal sealed class TicketListeners
{
    /// <summary>Turns of the ticker until every stream was rung once.</summary>
    public const int Buckets = 50;

    private readonly Lock gate = new();

    // All under the gate.
    private readonly Dictionary<Guid, TicketListener> byTicket = [];
    private readonly List<TicketListener>[] wheel =
        [.. Enumerable.Range(0, Buckets).Select(_ => new List<TicketListener>())];

    private int nextBucket;

    /// <summary>Starts to listen; do it before the ticket is read, or a change in between is missed.</summary>
    public TicketListener Add(Guid ticket)
    {
        var listener = new TicketListener(ticket);
        lock (gate)
        {
            listener.Next = byTicket.GetValueOrDefault(ticket);
            byTicket[ticket] = listener;
            listener.Bucket = nextBucket;
            listener.Index = wheel[nextBucket].Count;
            wheel[nextBucket].Add(listener);
            nextBucket = (nextBucket + 1) % Buckets;
        }

        return listener;
    }

    /// <summary>Ends it; once.</summary>
    public void Remove(TicketListener listener)
    {
        lock (gate)
        {
            var bucket = wheel[listener.Bucket];
            bucket[listener.Index] = bucket[^1];
            bucket[listener.Index].Index = listener.Index;
            bucket.RemoveAt(bucket.Count - 1);
            RemoveOfTicket_NeedsLock(listener);
        }
    }

    /// <summary>Rings the streams of these tickets.</summary>
    public void Ring(IEnumerable<Guid> tickets)
    {
        lock (gate)
        {
            foreach (var ticket in byTicket.Count == 0 ? [] : tickets)
            {
                for (var one = byTicket.GetValueOrDefault(ticket); one is not null; one = one.Next)
                {
                    one.Ring();
                }
            }
        }
    }

    /// <summary>Rings one bucket.</summary>
    public void RingBucket(int bucket)
    {
        lock (gate)
        {
            wheel[bucket].ForEach(listener => listener.Ring());
        }
    }

    /// <summary>Rings every stream.</summary>
    public void RingAll()
    {
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            RingBucket(bucket);
        }
    }

    private void RemoveOfTicket_NeedsLock(TicketListener listener)
    {
        var one = byTicket[listener.Ticket];
        if (one == listener && one.Next is null)
        {
            byTicket.Remove(listener.Ticket);
            return;
        }

        if (one == listener)
        {
            byTicket[listener.Ticket] = one.Next!;
            return;
        }

        while (one.Next != listener)
        {
            one = one.Next!;
        }

        one.Next = listener.Next;
    }
}
