namespace Floodgate.Tests.Fixtures;

/// <summary>
/// The real clock, set to another time: delays last as long as they do, and days can be passed at once.
/// </summary>
public sealed class ShiftedTime : TimeProvider
{
    private long shiftTicks;

    /// <summary>A clock that shows this moment now.</summary>
    public static ShiftedTime At(DateTime utc)
    {
        var time = new ShiftedTime();
        time.Shift(new DateTimeOffset(utc) - time.GetUtcNow());
        return time;
    }

    /// <summary>Sets it on, or back.</summary>
    public void Shift(TimeSpan by) => Interlocked.Add(ref shiftTicks, by.Ticks);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref shiftTicks));
}
