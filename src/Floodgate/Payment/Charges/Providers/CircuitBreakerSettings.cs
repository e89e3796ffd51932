using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>When a circuit breaker opens and closes.</summary>
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

    /// <summary>Reads them; <see cref="ProviderSettings"/> compares them with those of calls.</summary>
    public static CircuitBreakerSettings Read(SettingsSource source)
    {
        var settings = new CircuitBreakerSettings
        {
            WindowCalls = source.Int("Providers:Breaker:WindowCalls", 100, 1, 10_000, "calls",
                "How many last calls are judged."),
            CallsMin = source.Int("Providers:Breaker:CallsMin", 10, 1, 10_000, "calls", "No judgement on fewer."),
            FailurePercent = source.Int("Providers:Breaker:FailurePercent", 50, 1, 100, "%",
                "Opens from this share of failures."),
            SlowPercent = source.Int("Providers:Breaker:SlowPercent", 50, 1, 100, "%",
                "Opens from this share of slow calls."),
            SlowMs = source.Int("Providers:Breaker:SlowMs", 2_000, 1, 120_000, "ms",
                "A call longer than this is slow."),
            OpenMs = source.Int("Providers:Breaker:OpenMs", 60_000, 100, 3_600_000, "ms", "No calls for so long."),
            TrialCalls = source.Int("Providers:Breaker:TrialCalls", 5, 1, 100, "calls",
                "Trials that must all be good to close."),
            TrialTimeoutMs = source.Int("Providers:Breaker:TrialTimeoutMs", 60_000, 100, 600_000, "ms",
                "A trial without a result for so long counts as failed."),
        };
        if (settings.CallsMin > settings.WindowCalls)
        {
            source.Refuse("Providers:Breaker:CallsMin", "which is more than Providers:Breaker:WindowCalls.");
        }

        return settings;
    }
}

/// <summary>The last calls in a ring: how many, how many failed, how many were slow. Not thread-safe.</summary>
internal sealed class CallWindow(CircuitBreakerSettings settings)
{
    private readonly (bool Failed, bool Slow)[] calls = new (bool, bool)[settings.WindowCalls];
    private int next;

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
        if (Count == calls.Length)
        {
            Failed -= calls[next].Failed ? 1 : 0;
            Slow -= calls[next].Slow ? 1 : 0;
            Count--;
        }

        calls[next] = (failed, slow);
        next = (next + 1) % calls.Length;
        Failed += failed ? 1 : 0;
        Slow += slow ? 1 : 0;
        Count++;
    }

    /// <summary>Forgets every call.</summary>
    public void Clear() => (Count, Failed, Slow, next) = (0, 0, 0, 0);
}
