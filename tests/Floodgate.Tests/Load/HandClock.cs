namespace Floodgate.Tests.Load;

/// <summary>A clock that moves only when a test moves it. One tick of it is 100 ns.</summary>
internal sealed class HandClock : TimeProvider
{
    private long ticks = TimeSpan.TicksPerDay;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => ticks;

    public void Move(TimeSpan span) => ticks += span.Ticks;
}
