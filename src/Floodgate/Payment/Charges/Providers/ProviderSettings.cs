using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>Who answers for the gateway.</summary>
internal enum GatewayKind
{
    /// <summary>A provider simulated inside this process.</summary>
    Simulated,

    /// <summary>A provider over HTTP/2 in its own process.</summary>
    Http,
}

/// <summary>The settings under <c>Providers:</c>. <see cref="Problems"/> names every value that cannot be.</summary>
internal sealed record ProviderSettings
{
    /// <summary>The name of the gateway in payments, whoever answers for it.</summary>
    public const string GatewayName = "GATEWAY";

    /// <summary>The default of <see cref="CallTimeoutMs"/>.</summary>
    public const int CallTimeoutMsDefault = 30_000;

    /// <summary><c>Providers:Gateway</c>: <c>simulated</c> (default) or <c>http</c>.</summary>
    public GatewayKind Gateway { get; init; } = GatewayKind.Simulated;

    /// <summary><c>Providers:Http:Url</c>: scheme, host and port of the provider; needed with <c>http</c>.</summary>
    public string? HttpUrl { get; init; }

    /// <summary><c>Providers:Http:Connections</c>: how many connections share the calls, 1 to 32; default 4.</summary>
    public int HttpConnections { get; init; } = 4;

    /// <summary>
    /// <c>Providers:CallTimeoutMs</c>: how long a call may take before its outcome is Unknown, in milliseconds, 100 to
    /// 120,000; default 30,000. A hold must outlast it.
    /// </summary>
    public int CallTimeoutMs { get; init; } = CallTimeoutMsDefault;

    /// <summary><c>Providers:Simulated:Journal</c>: file that keeps the provider's memory; default none.</summary>
    public string? SimulatedJournal { get; init; }

    /// <summary><c>Providers:Simulated:DeclineSeed</c>: which ids are declined by chance; default 0.</summary>
    public long SimulatedDeclineSeed { get; init; }

    /// <summary>
    /// <c>Providers:Simulated:LatencyMs</c> and the other fields of <see cref="ProviderFaults"/>: the faults at start,
    /// with ranges of their own; default 200 ms of latency and nothing else.
    /// </summary>
    public ProviderFaults SimulatedFaults { get; init; } = new() { LatencyMs = 200 };

    /// <summary><c>Providers:Breaker</c>: when calls to a provider stop and start again.</summary>
    public CircuitBreakerSettings Breaker { get; init; } = new();

    /// <summary>Reads them; out of range values are refused together with those of the other modules.</summary>
    public static ProviderSettings Read(SettingsSource source)
    {
        var journal = source.Text("Providers:Simulated:Journal", "",
            "File that keeps the simulated provider's memory over a restart; empty forgets it.");
        var settings = new ProviderSettings
        {
            Gateway = source.Choice("Providers:Gateway", "simulated", ["simulated", "http"],
                "Who answers for the gateway.") == "http" ? GatewayKind.Http : GatewayKind.Simulated,
            HttpUrl = source.Text("Providers:Http:Url", "", "Address of the provider with Providers:Gateway = http."),
            HttpConnections = Int("Http:Connections", 4, 1, 32, "connections", "How many share the calls."),
            CallTimeoutMs = Int("CallTimeoutMs", CallTimeoutMsDefault, 100, 120_000, "ms",
                "How long a call may take before its outcome is unknown."),
            SimulatedJournal = journal.Length > 0 ? journal : null,
            SimulatedDeclineSeed = source.Long("Providers:Simulated:DeclineSeed", 0, 0, long.MaxValue, "",
                "Which ids are declined by chance."),
            SimulatedFaults = new()
            {
                LatencyMs = Int("Simulated:LatencyMs", 200, 0, ProviderFaults.LatencyMsMax, "ms",
                    "Latency of the simulated provider."),
            },
            Breaker = new()
            {
                WindowCalls = Int("Breaker:WindowCalls", 100, 1, 10_000, "calls", "How many last calls are judged."),
                CallsMin = Int("Breaker:CallsMin", 10, 1, 10_000, "calls", "No judgement on fewer."),
                FailurePercent = Int("Breaker:FailurePercent", 50, 1, 100, "%", "Opens from this share of failures."),
                SlowPercent = Int("Breaker:SlowPercent", 50, 1, 100, "%", "Opens from this share of slow calls."),
                SlowMs = Int("Breaker:SlowMs", 2_000, 1, 120_000, "ms", "A call longer than this is slow."),
                OpenMs = Int("Breaker:OpenMs", 60_000, 100, 3_600_000, "ms", "No calls for so long."),
                TrialCalls = Int("Breaker:TrialCalls", 5, 1, 100, "calls", "Trials that must all be good to close."),
                TrialTimeoutMs = Int("Breaker:TrialTimeoutMs", 60_000, 100, 600_000, "ms",
                    "A trial without a result for so long counts as failed."),
            },
        };
        if (settings.Gateway == GatewayKind.Http && !IsUsable(settings.HttpUrl))
        {
            source.Refuse("Providers:Http:Url", "which is no address such as http://127.0.0.1:8090, without a path.");
        }

        if (settings.Breaker.CallsMin > settings.Breaker.WindowCalls)
        {
            source.Refuse("Providers:Breaker:CallsMin", "which is more than Providers:Breaker:WindowCalls.");
        }

        if (settings.Breaker.TrialTimeoutMs < settings.CallTimeoutMs)
        {
            source.Refuse("Providers:Breaker:TrialTimeoutMs", "which is less than a call may take "
                + "(Providers:CallTimeoutMs); make it larger.");
        }

        return settings;

        int Int(string name, int value, int min, int max, string unit, string meaning) =>
            (int)source.Long("Providers:" + name, value, min, max, unit, meaning);
    }

    /// <summary>A sentence for each setting that is out of range, with its name; empty when all are fine.</summary>
    public IEnumerable<string> Problems()
    {
        if (Gateway == GatewayKind.Http && !IsUsable(HttpUrl))
        {
            yield return $"Providers:Http:Url is '{HttpUrl}'; with Providers:Gateway = http it must be an address " +
                "such as http://127.0.0.1:8090, without a path.";
        }

        if (HttpConnections is < 1 or > 32)
        {
            yield return $"Providers:Http:Connections is {HttpConnections}; it must be from 1 to 32.";
        }

        if (CallTimeoutMs is < 100 or > 120_000)
        {
            yield return $"Providers:CallTimeoutMs is {CallTimeoutMs}; it must be from 100 to 120000 milliseconds.";
        }

        foreach (var problem in SimulatedFaults.Problems())
        {
            yield return $"Providers:Simulated: {problem}";
        }

        foreach (var problem in Breaker.Problems())
        {
            yield return problem;
        }
    }

    private static bool IsUsable(string? url) => Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && uri.Scheme is "http" or "https" && uri.PathAndQuery == "/";
}
