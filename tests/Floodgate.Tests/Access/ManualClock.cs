namespace Floodgate.Tests.Access;

/// <summary>A clock that moves only when the test says so.</summary>
internal sealed class ManualClock : TimeProvider
{
    private long timestamp = 1;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Run by whoever asks for the timestamp, before it is told.</summary>
    public Action? BeforeTimestamp { get; set; }

    public override long GetTimestamp()
    {
        BeforeTimestamp?.Invoke();
        return timestamp;
    }

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(timestamp);

    public void Advance(TimeSpan span) => timestamp += span.Ticks;
}
