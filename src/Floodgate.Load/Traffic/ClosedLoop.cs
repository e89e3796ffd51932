namespace Floodgate.Load.Traffic;

/// <summary>When a closed loop ends: after so many offers, or after a time, whichever is first.</summary>
internal sealed record ClosedPlan(long CountMax, TimeSpan TimeMax)
{
    /// <summary>Ends early when this says so, asked before each request.</summary>
    public Func<bool> Done { get; init; } = static () => false;

    /// <summary>Ends after this many offers.</summary>
    public static ClosedPlan Of(long count) => new(count, TimeSpan.MaxValue);

    /// <summary>Ends after this time.</summary>
    public static ClosedPlan For(TimeSpan time) => new(long.MaxValue, time);
}

/// <summary>
/// Every connection sends its next request when the last one is answered: finds the rate that the server can carry,
/// not the latency that users would see at a rate (for that: <see cref="OpenLoop"/>).
/// </summary>
internal static class ClosedLoop
{
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(100);

    /// <summary>Runs until the plan ends and every request sent is settled. Returns how long it took.</summary>
    public static async Task<TimeSpan> RunAsync(
        Lanes lanes, ClosedPlan plan, TimeProvider time, CancellationToken cancel)
    {
        var start = time.GetTimestamp();
        long taken = 0;
        await Task.WhenAll(lanes.All.Select(lane => Task.Run(() => DriveAsync(lane), CancellationToken.None)));
        return time.GetElapsedTime(start);

        async Task DriveAsync(Lane lane)
        {
            while (!cancel.IsCancellationRequested
                && !plan.Done()
                && time.GetElapsedTime(start) < plan.TimeMax
                && Interlocked.Increment(ref taken) <= plan.CountMax)
            {
                if (!await lane.CarryAsync(time.GetTimestamp()))
                {
                    await Task.Delay(ReconnectPause, time, CancellationToken.None);
                }
            }
        }
    }
}
