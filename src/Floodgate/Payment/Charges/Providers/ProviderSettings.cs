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
