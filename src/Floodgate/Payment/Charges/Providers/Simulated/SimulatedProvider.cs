namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>What a simulated provider is besides its book and its faults.</summary>
internal sealed record SimulationSettings
{
    /// <summary>The name that payments choose it by.</summary>
    public string Name { get; init; } = ProviderSettings.GatewayName;

    /// <summary>How long a caller waits, in milliseconds; a later answer is Unknown. Default 30,000.</summary>
    public int CallTimeoutMs { get; init; } = ProviderSettings.CallTimeoutMsDefault;

    /// <summary>Which calls are declined by chance: with the same seed the same ids, in every run.</summary>
    public ulong DeclineSeed { get; init; }

    /// <summary>The faults at start.</summary>
    public ProviderFaults Faults { get; init; } = new();
}

/// <summary>
/// A payment provider inside this process: real rules and memory (<see cref="ProviderBook"/>), latency and faults as
/// set. Has its effect when the call arrives and answers when the latency has passed, so that a question by id in
/// between already finds the call. One timer per waiting call: with 40,000 waiting, a ring of buckets driven by one
/// timer was measured to save less than a fifth of 3.5 microseconds a call.
/// </summary>
/// <param name="book">The memory; the caller disposes of it.</param>
/// <param name="settings">Name, time-out and first faults.</param>
/// <param name="time">The clock that latency passes by.</param>
/// <param name="random">Asked once, for the seed of every draw that is not bound to a call's id.</param>
internal sealed class SimulatedProvider(
    ProviderBook book,
    SimulationSettings settings,
    TimeProvider time,
    Random random) : IPaymentProvider
{
    private readonly ulong drawSeed = (ulong)random.NextInt64();
    private ulong draws;
    private ProviderFaults current = settings.Faults;

    /// <inheritdoc/>
    public string Name => settings.Name;

    /// <summary>What it remembers.</summary>
    public ProviderBook Book => book;

    /// <summary>The faults from now on; calls that already wait keep the latency they drew.</summary>
    public ProviderFaults Faults
    {
        get => Volatile.Read(ref current);
        set => Volatile.Write(ref current, value);
    }

    /// <inheritdoc/>
    public async Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel)
    {
        var faults = Faults;
        if (faults.Outage)
        {
            return new ProviderAnswer(ProviderVerdict.NotReached, "outage");
        }

        if (Happens(faults.ErrorRatio))
        {
            return new ProviderAnswer(ProviderVerdict.NotReached, "provider_error");
        }

        var recorded = book.Record(call, IsDeclinedByIssuer(call, faults));
        var latencyMs = Happens(faults.TimeoutAfterSuccessRatio) ? int.MaxValue : LatencyMs(faults);
        var answer = await WaitAsync(latencyMs, cancel) ? recorded.Answer : TimedOut;
        return IsSettled(recorded.Line) ? answer : Unsettled;
    }

    /// <inheritdoc/>
    public async Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel)
    {
        if (Faults.Outage || Happens(Faults.ErrorRatio))
        {
            return new ProviderAnswer(ProviderVerdict.Unknown, "outage");
        }

        if (!await WaitAsync(LatencyMs(Faults), cancel))
        {
            return TimedOut;
        }

        // Looked up after the latency: an answer that was true a second ago is not good enough for "never seen".
        return book.Find(callId) is not { } found
            ? new ProviderAnswer(ProviderVerdict.NotReached, ProviderAnswer.NeverSeen)
            : IsSettled(found.Number) ? found.Line.Answer : Unsettled;
    }

    private static ProviderAnswer TimedOut => new(ProviderVerdict.Unknown, "timed_out");

    private static ProviderAnswer Unsettled => new(ProviderVerdict.Unknown, "journal_unwritten");

    // Only new money meets the issuer; captures, voids and refunds follow the book's rules alone.
    private bool IsDeclinedByIssuer(ProviderCall call, ProviderFaults faults) =>
        call.Action is ProviderAction.Authorize or ProviderAction.Charge
        && Chance.Hits(faults.DeclineRatio, Chance.Draw(call.Id, settings.DeclineSeed));

    private int LatencyMs(ProviderFaults faults)
    {
        if (Happens(faults.PeakRatio))
        {
            return faults.PeakLatencyMs;
        }

        return faults.LatencySpreadMs == 0
            ? faults.LatencyMs
            : faults.LatencyMs + (int)Math.Round(((2 * Chance.Fraction(Draw())) - 1) * faults.LatencySpreadMs);
    }

    // False when the caller's time is over first.
    private async ValueTask<bool> WaitAsync(int latencyMs, CancellationToken cancel)
    {
        var waitMs = Math.Min(latencyMs, settings.CallTimeoutMs);
        if (waitMs > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(waitMs), time, cancel);
        }

        return latencyMs <= settings.CallTimeoutMs;
    }

    private bool IsSettled(int? line)
    {
        try
        {
            if (line is { } number)
            {
                book.Settle(number);
            }

            return true;
        }
        catch (IOException)
        {
            // The effect stands in memory but would not survive: nobody may rely on it yet.
            return false;
        }
    }

    private bool Happens(double ratio) => ratio > 0 && Chance.Hits(ratio, Draw());

    private ulong Draw() => Chance.Mix(drawSeed + Chance.Mix(Interlocked.Increment(ref draws)));
}
