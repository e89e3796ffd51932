using System.Text.Json.Nodes;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Accept;

/// <summary>
/// Takes the payment provider away for a while in the middle of the load, and notes what the breakers do and how the
/// intake fares meanwhile. The knob is put back whatever happens.
/// </summary>
internal sealed class OutageDrill(Session session, Lanes lanes, int atSecond, int seconds)
{
    private const string Outage = "outage";
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private readonly long start = session.Time.GetTimestamp();
    private readonly Dictionary<string, string> states = [];
    private readonly List<BreakerChange> changes = [];

    private double At => Math.Round(session.Time.GetElapsedTime(start).TotalSeconds, 2);

    /// <summary>
    /// Runs the outage, then goes on looking until <paramref name="load"/> is done and every breaker is closed again,
    /// at most <paramref name="afterSecondsMax"/> after the later of the two.
    /// </summary>
    public async Task<OutageFacts> RunAsync(Task load, int afterSecondsMax, CancellationToken cancel)
    {
        await LookUntilAsync(() => At >= atSecond, cancel);
        var faults = await session.Api.FaultsAsync(cancel);
        var before = lanes.Sum().Latency;
        double from;
        double to;
        Histogram during;
        try
        {
            await SetAsync(faults, true, cancel);
            from = At;
            session.Tell($"provider outage begins, for {seconds} s");
            await LookUntilAsync(() => At >= from + seconds, cancel);
            during = lanes.Sum().Latency.Since(before);
        }
        finally
        {
            // Not cancellable: a provider left switched off would spoil whatever runs next.
            await SetAsync(faults, false, CancellationToken.None);
            to = At;
            session.Tell("provider outage ends");
        }

        await LookUntilAsync(() => load.IsCompleted, cancel);
        var bound = Math.Max(to, At) + afterSecondsMax;
        await LookUntilAsync(() => At >= bound || states.Values.All(state => state == "CLOSED"), cancel);
        return new OutageFacts(from, to, during.Summary(), changes);
    }

    private async Task LookUntilAsync(Func<bool> done, CancellationToken cancel)
    {
        do
        {
            await LookAsync();
            await Task.Delay(LookEvery, session.Time, cancel);
        }
        while (!done());
    }

    private async Task LookAsync()
    {
        IReadOnlyList<WireBreaker> breakers;
        try
        {
            breakers = await session.Api.BreakersAsync(CancellationToken.None);
        }
        catch (CannotRunException)
        {
            // A look that fails tells nothing; the next one is near.
            return;
        }

        foreach (var breaker in breakers)
        {
            if (!states.TryGetValue(breaker.Provider, out var known) || known != breaker.State)
            {
                states[breaker.Provider] = breaker.State;
                changes.Add(new BreakerChange(At, breaker.Provider, breaker.State));
                session.Tell($"{At,5:F0} s  breaker {breaker.Provider}: {breaker.State}");
            }
        }
    }

    private async Task SetAsync(JsonObject faults, bool outage, CancellationToken cancel)
    {
        faults[Outage] = outage;
        await session.Api.SetFaultsAsync(faults, cancel);
    }
}
