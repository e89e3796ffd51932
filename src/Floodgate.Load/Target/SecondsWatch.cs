using Floodgate.Load.Reports;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Target;

/// <summary>
/// Once a second while a load runs: one line of progress and one sample for the report. A look that the busy server
/// does not answer leaves its figures empty; it never disturbs the load.
/// </summary>
internal sealed class SecondsWatch(Session session, Lanes lanes)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private readonly List<SecondSample> samples = [];
    private readonly long start = session.Time.GetTimestamp();
    private Tally last = lanes.Sum();
    private TimeSpan lastAt;
    private ServerUse? lastUse;
    private TimeSpan lastUseAt;

    /// <summary>What was seen so far.</summary>
    public IReadOnlyList<SecondSample> Samples => samples;

    /// <summary>Seconds since the watch began.</summary>
    public double ElapsedSeconds => session.Time.GetElapsedTime(start).TotalSeconds;

    /// <summary>Watches until <paramref name="load"/> is done, and returns its result.</summary>
    public async Task<T> WhileAsync<T>(Task<T> load)
    {
        using var ticks = new PeriodicTimer(Every, session.Time);
        while (await Task.WhenAny(load, ticks.WaitForNextTickAsync().AsTask()) != load)
        {
            await LookAsync();
        }

        if (session.Time.GetElapsedTime(start) - lastAt > Every / 4)
        {
            await LookAsync();
        }

        return await load;
    }

    private async Task LookAsync()
    {
        var at = session.Time.GetElapsedTime(start);
        var sum = lanes.Sum();
        var recent = sum.Latency.Since(last.Latency);
        var span = (at - lastAt).TotalSeconds;
        var (backlog, use) = await AskServerAsync();
        var sample = new SecondSample(
            Math.Round(at.TotalSeconds, 2),
            Math.Round((sum.Accepted - last.Accepted) / span, 1),
            sum.Refused - last.Refused,
            sum.Errors - last.Errors,
            sum.Dropped - last.Dropped,
            recent.PercentileMicros(50),
            recent.PercentileMicros(99),
            recent.MaxMicros,
            backlog,
            use?.ResidentBytes,
            Cores(use, at));
        samples.Add(sample);
        (last, lastAt) = (sum, at);
        session.Tell($"{at.TotalSeconds,5:F0} s  {sample.AcceptedPerSecond,8:F0}/s  {sum.Accepted} accepted"
            + $"  {sum.Refused} refused  {sum.Errors} errors  {sum.Dropped} dropped"
            + $"  p99 {Units.Latency(sum.Latency.PercentileMicros(99))}  backlog {backlog?.ToString() ?? "?"}");
    }

    private double? Cores(ServerUse? use, TimeSpan at)
    {
        var cores = (use?.CpuSeconds - lastUse?.CpuSeconds) / (at - lastUseAt).TotalSeconds;
        (lastUse, lastUseAt) = (use, at);
        return cores is { } known ? Math.Round(known, 3) : null;
    }

    private async Task<(long? Backlog, ServerUse? Use)> AskServerAsync()
    {
        try
        {
            var lag = await session.Api.LagAsync(CancellationToken.None);
            return (lag.Remaining, await session.Api.UseAsync(CancellationToken.None));
        }
        catch (CannotRunException)
        {
            return (null, null);
        }
    }
}
