namespace Floodgate.Tests.Fixtures;

/// <summary>
/// The real clock, set to another time: delays last as long as they do, and days can be passed at once.
/// </summary>
public sealed class ShiftedTime : TimeProvider
{
    private long shiftTicks;
    private long stoppedTicks;

    /// <summary>A clock that shows this moment now.</summary>
    public static ShiftedTime At(DateTime utc)
    {
        var time = new ShiftedTime();
        time.Shift(new DateTimeOffset(utc) - time.GetUtcNow());
        return time;
    }

    /// <summary>Sets it on, or back.</summary>
    public void Shift(TimeSpan by) => Interlocked.Add(ref shiftTicks, by.Ticks);

    /// <summary>Shows the moment of now until <see cref="GoOn"/>; timers and timestamps go on.</summary>
    public void Stop() => Interlocked.Exchange(ref stoppedTicks, GetUtcNow().UtcTicks);

    /// <summary>Shows the time again.</summary>
    public void GoOn() => Interlocked.Exchange(ref stoppedTicks, 0);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Interlocked.Read(ref stoppedTicks) is > 0 and var stopped
        ? new DateTimeOffset(stopped, TimeSpan.Zero)
        : base.GetUtcNow().AddTicks(Interlocked.Read(ref shiftTicks));
}
