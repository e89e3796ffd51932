namespace Floodgate.Payment.Charges.Providers;

/// <summary>When a circuit breaker opens and closes. <see cref="Problems"/> names every value that cannot be.</summary>
internal sealed record CircuitBreakerSettings
{
    /// <summary>
    /// <c>Providers:Breaker:WindowCalls</c>: how many last calls are judged, 1 to 10,000; default 100.
    /// </summary>
    public int WindowCalls { get; init; } = 100;

    /// <summary><c>Providers:Breaker:CallsMin</c>: no judgement on fewer, 1 to WindowCalls; default 10.</summary>
    public int CallsMin { get; init; } = 10;

    /// <summary>
    /// <c>Providers:Breaker:FailurePercent</c>: opens from this share of failures, 1 to 100; default 50.
    /// </summary>
    public int FailurePercent { get; init; } = 50;

    /// <summary>
    /// <c>Providers:Breaker:SlowPercent</c>: opens from this share of slow calls, 1 to 100; default 50.
    /// </summary>
    public int SlowPercent { get; init; } = 50;

    /// <summary>
    /// <c>Providers:Breaker:SlowMs</c>: a call longer than this is slow, 1 to 120,000 ms; default 2,000.
    /// </summary>
    public int SlowMs { get; init; } = 2_000;

    /// <summary><c>Providers:Breaker:OpenMs</c>: no calls for so long, 100 to 3,600,000 ms; default 60,000.</summary>
    public int OpenMs { get; init; } = 60_000;

    /// <summary>
    /// <c>Providers:Breaker:TrialCalls</c>: trials that must all be good to close, 1 to 100; default 5.
    /// </summary>
    public int TrialCalls { get; init; } = 5;

    /// <summary>
    /// <c>Providers:Breaker:TrialTimeoutMs</c>: a trial without a result for so long counts as failed, 100 to 600,000
    /// ms; default 60,000. Longer than a call may take (<c>Providers:CallTimeoutMs</c>).
    /// </summary>
    public int TrialTimeoutMs { get; init; } = 60_000;

    /// <summary>A sentence for each setting that is out of range, with its name; empty when all are fine.</summary>
    public IEnumerable<string> Problems()
    {
        (string Name, int Value, int Min, int Max)[] ranges =
        [
            ("WindowCalls", WindowCalls, 1, 10_000),
            ("CallsMin", CallsMin, 1, Math.Max(WindowCalls, 1)),
            ("FailurePercent", FailurePercent, 1, 100),
            ("SlowPercent", SlowPercent, 1, 100),
            ("SlowMs", SlowMs, 1, 120_000),
            ("OpenMs", OpenMs, 100, 3_600_000),
            ("TrialCalls", TrialCalls, 1, 100),
            ("TrialTimeoutMs", TrialTimeoutMs, 100, 600_000),
        ];
        return ranges
            .Where(range => range.Value < range.Min || range.Value > range.Max)
            .Select(range => $"Providers:Breaker:{range.Name} is {range.Value}; " +
                $"it must be from {range.Min} to {range.Max}.");
    }
}

/// <summary>The last calls in a ring: how many, how many failed, how many were slow. Not thread-safe.</summary>
internal sealed class CallWindow(CircuitBreakerSettings settings)
{
    private readonly (bool Failed, bool Slow)[] _calls = new (bool, bool)[settings.WindowCalls];
    private int _next;

    /// <summary>Calls in the window.</summary>
    public int Count { get; private set; }

    /// <summary>Failed calls in the window.</summary>
    public int Failed { get; private set; }

    /// <summary>Slow calls in the window.</summary>
    public int Slow { get; private set; }

    /// <summary>Enough calls are known, and too many of them failed or were slow.</summary>
    public bool IsTooBad => Count >= settings.CallsMin
        && (Failed * 100L >= (long)settings.FailurePercent * Count
            || Slow * 100L >= (long)settings.SlowPercent * Count);

    /// <summary>Adds the latest call; the oldest leaves a full window.</summary>
    public void Add(bool failed, bool slow)
    {
        if (Count == _calls.Length)
        {
            Failed -= _calls[_next].Failed ? 1 : 0;
            Slow -= _calls[_next].Slow ? 1 : 0;
            Count--;
        }

        _calls[_next] = (failed, slow);
        _next = (_next + 1) % _calls.Length;
        Failed += failed ? 1 : 0;
        Slow += slow ? 1 : 0;
        Count++;
    }

    /// <summary>Forgets every call.</summary>
    public void Clear() => (Count, Failed, Slow, _next) = (0, 0, 0, 0);
}
