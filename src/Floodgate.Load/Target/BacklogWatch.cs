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
    /// after the first look. A server that is away meanwhile leaves the last figures standing.
    /// </summary>
    /// <exception cref="CannotRunException">The server was away for all of the time, or refuses the look.</exception>
    public static async Task<DrainFacts> UntilFinalAsync(
        Session session, TimeSpan bound, Func<Task>? begin, CancellationToken cancel)
    {
        var (first, useBefore) = await FirstLookAsync(session, bound, cancel);
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
            (lag, use) = await TryLookAsync(session, cancel) ?? (lag, use);
        }
    }

    private static async Task<(WireLag Lag, ServerUse? Use)> FirstLookAsync(
        Session session, TimeSpan bound, CancellationToken cancel)
    {
        for (var start = session.Time.GetTimestamp(); session.Time.GetElapsedTime(start) < bound;)
        {
            if (await TryLookAsync(session, cancel) is { } seen)
            {
                return seen;
            }

            await Task.Delay(LookEvery, session.Time, cancel);
        }

        return await LookAsync(session, cancel);
    }

    private static async Task<(WireLag Lag, ServerUse? Use)?> TryLookAsync(Session session, CancellationToken cancel)
    {
        try
        {
            return await LookAsync(session, cancel);
        }
        catch (CannotRunException away) when (away.IsAway)
        {
            return null;
        }
    }

    private static async Task<(WireLag Lag, ServerUse? Use)> LookAsync(Session session, CancellationToken cancel)
    {
        var use = await session.Api.UseAsync(cancel);
        return (await session.Api.LagAsync(cancel), use);
    }
}
