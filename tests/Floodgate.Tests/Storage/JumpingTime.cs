using System.Collections.Concurrent;

namespace Floodgate.Tests.Storage;

/// <summary>A clock that jumps to the end of every delay as soon as somebody waits for it; it notes each.</summary>
public sealed class JumpingTime : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2031, 5, 4, 9, 0, 0, TimeSpan.Zero);
    private long elapsedTicks;

    /// <summary>The delays that were waited for, in milliseconds.</summary>
    public ConcurrentQueue<long> DelaysMs { get; } = [];

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override long GetTimestamp() => Interlocked.Read(ref elapsedTicks);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Start.AddTicks(GetTimestamp());

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        DelaysMs.Enqueue((long)dueTime.TotalMilliseconds);
        Interlocked.Add(ref elapsedTicks, dueTime.Ticks);
        ThreadPool.QueueUserWorkItem(_ => callback(state));
        return new Passed();
    }

    private sealed class Passed : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => false;

        public void Dispose()
        {
            // It has passed.
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
