namespace Floodgate.Load.Traffic;

/// <summary>The shape of an open loop.</summary>
/// <param name="RatePerSecond">Arrivals per second, evenly spaced.</param>
/// <param name="Count">Arrivals in all.</param>
/// <param name="WaitMax">An arrival that waits longer for a free connection is dropped.</param>
internal sealed record OpenPlan(int RatePerSecond, int Count, TimeSpan WaitMax);

/// <summary>What a loop did.</summary>
/// <param name="Arrivals">Arrivals that came due.</param>
/// <param name="Waited">Those of them that found every connection busy and had to wait; 0 in a closed loop.</param>
internal sealed record LoopResult(long Arrivals, long Waited);

/// <summary>
/// Constant arrival: requests are sent when they are due, not when earlier ones are answered, because buyers do not
/// wait for each other. Latency counts from the due moment, so a stall of the server shows in every request it
/// delayed (no coordinated omission).
/// </summary>
internal static class OpenLoop
{
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Runs the whole plan and returns when everything sent is settled. Returns how many arrivals came due: each of
    /// them is accepted, refused, an error or dropped.
    /// </summary>
    public static async Task<LoopResult> RunAsync(
        Lanes lanes, OpenPlan plan, TimeProvider time, CancellationToken cancel)
    {
        var desk = new ArrivalDesk<Lane>(time, plan.WaitMax);
        lanes.Dropped = () => desk.Dropped;
        foreach (var lane in lanes.All)
        {
            desk.Add(lane);
        }

        // A thread of its own: a pacer among the pool's tasks would be late whenever the pool is busy.
        var arrivals = await Task.Factory.StartNew(
            () => Pace(desk, plan, time, cancel),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        await desk.WhenIdleAsync();
        return new LoopResult(arrivals, desk.Waited);
    }

    private static int Pace(ArrivalDesk<Lane> desk, OpenPlan plan, TimeProvider time, CancellationToken cancel)
    {
        PreciseRest.PrepareThread();
        return new Pacer(time, PreciseRest.For).Run(plan.RatePerSecond, plan.Count, Send, cancel);

        void Send(long scheduled)
        {
            if (desk.Arrive(scheduled) is { } lane)
            {
                // Runs on this thread up to the first wait, which is after the request was sent.
                _ = DriveAsync(desk, lane, scheduled, time);
            }
        }
    }

    private static async Task DriveAsync(ArrivalDesk<Lane> desk, Lane lane, long scheduled, TimeProvider time)
    {
        try
        {
            do
            {
                if (!await lane.CarryAsync(scheduled))
                {
                    await Task.Delay(ReconnectPause, time);
                }
            }
            while (desk.TryNext(lane, out scheduled));
        }
        catch (Exception bug)
        {
            // The edge of the loop: what a server does never throws here, so the run itself is wrong and must end.
            desk.Fail(bug);
        }
    }
}
