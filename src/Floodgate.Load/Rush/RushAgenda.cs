using System.Threading.Channels;

namespace Floodgate.Load.Rush;

/// <summary>
/// When each buyer acts next. Buyers that are due wait for a lane in the order in which they came due, and their
/// latency counts from then.
/// </summary>
internal sealed class RushAgenda(TimeProvider time)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(5);
    private readonly Channel<(int Buyer, long DueAt)> due = Channel.CreateUnbounded<(int, long)>();
    private readonly PriorityQueue<int, long> later = new();
    private readonly Lock gate = new();

    /// <summary>Buyers that are due, with the moment at which that was seen.</summary>
    public ChannelReader<(int Buyer, long DueAt)> Due => due.Reader;

    /// <summary>Buyer <paramref name="number"/> acts after <paramref name="wait"/>.</summary>
    public void Add(int number, TimeSpan wait)
    {
        var at = time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency);
        lock (gate)
        {
            later.Enqueue(number, at);
        }
    }

    /// <summary>Hands buyers on until <paramref name="isOver"/>; then nobody is due any more.</summary>
    public async Task RunAsync(Func<bool> isOver)
    {
        using var ticks = new PeriodicTimer(Every, time);
        try
        {
            do
            {
                HandOn();
            }
            while (!isOver() && await ticks.WaitForNextTickAsync());
        }
        finally
        {
            due.Writer.Complete();
        }
    }

    private void HandOn()
    {
        var now = time.GetTimestamp();
        lock (gate)
        {
            while (later.TryPeek(out var number, out var at) && at <= now)
            {
                later.Dequeue();
                due.Writer.TryWrite((number, now));
            }
        }
    }
}
