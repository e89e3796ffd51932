using Floodgate.Load.Reports;

namespace Floodgate.Load.Target;

/// <summary>Follows the server's backlog until every accepted payment is final.</summary>
internal static class BacklogWatch
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LookEveryNearEnd = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Looks at the backlog and the server's use every 250 ms, and every 50 ms once everything left is in flight, until
    /// nothing is left or <paramref name="bound"/> has passed. Time counts from <paramref name="begin"/>, which runs
    /// after the first look.
    /// </summary>
    public static async Task<DrainFacts> UntilFinalAsync(
        Session session, TimeSpan bound, Func<Task>? begin, CancellationToken cancel)
    {
        var first = await session.Api.LagAsync(cancel);
        var useBefore = await session.Api.UseAsync(cancel);
        var start = session.Time.GetTimestamp();
        await (begin?.Invoke() ?? Task.CompletedTask);
        var samples = new List<DrainSample>();
        var (lag, use) = (first, useBefore);
        var tellAt = TimeSpan.FromSeconds(1);
        for (var at = TimeSpan.Zero; ; at = session.Time.GetElapsedTime(start))
        {
            samples.Add(new DrainSample(
                Math.Round(at.TotalSeconds, 3), lag.Remaining, lag.InFlight, use?.ResidentBytes));
            if (lag.Remaining == 0 || at >= bound)
            {
                return new DrainFacts(
                    at.TotalSeconds, lag.Remaining == 0, first.Remaining, first.InFlightMax, null, samples)
                {
                    CpuSeconds = use?.CpuSeconds - useBefore?.CpuSeconds,
                };
            }

            if (at >= tellAt)
            {
                tellAt += TimeSpan.FromSeconds(1);
                session.Tell($"{at.TotalSeconds,5:F0} s  {lag.Remaining} not final yet, {lag.InFlight} in flight");
            }

            await Task.Delay(lag.Remaining > lag.InFlight ? LookEvery : LookEveryNearEnd, session.Time, cancel);
            use = await session.Api.UseAsync(cancel);
            lag = await session.Api.LagAsync(cancel);
        }
    }
}
