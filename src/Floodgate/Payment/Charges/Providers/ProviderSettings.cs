using Floodgate.Payment.Charges.Providers.Simulated;
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

/// <summary>The settings under <c>Providers:</c>.</summary>
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

    /// <summary>
    /// <c>Providers:Simulated:Journal</c>: file that keeps the provider's memory; default <c>provider.journal</c> in
    /// SQLite's folder, none with PostgreSQL.
    /// </summary>
    public string? SimulatedJournal { get; init; }

    /// <summary><c>Providers:Simulated:DeclineSeed</c>: which ids are declined by chance; default 0.</summary>
    public long SimulatedDeclineSeed { get; init; }

    /// <summary>
    /// The faults at start: <c>Providers:Simulated:LatencyMs</c>, 0 to 600,000 ms, default 200, and nothing else.
    /// </summary>
    public ProviderFaults SimulatedFaults { get; init; } = new() { LatencyMs = 200 };

    /// <summary><c>Providers:Breaker</c>: when calls to a provider stop and start again.</summary>
    public CircuitBreakerSettings Breaker { get; init; } = new();

    /// <summary>Reads them; out of range values are refused together with those of the other modules.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="journalDefault">The default of <see cref="SimulatedJournal"/>; empty for none.</param>
    public static ProviderSettings Read(SettingsSource source, string journalDefault)
    {
        var journal = source.Text("Providers:Simulated:Journal", journalDefault,
            "File that keeps the simulated provider's memory over a restart; empty, as with PostgreSQL, forgets it.");
        var settings = new ProviderSettings
        {
            Gateway = source.Choice("Providers:Gateway", "simulated", ["simulated", "http"],
                "Who answers for the gateway.") == "http" ? GatewayKind.Http : GatewayKind.Simulated,
            HttpUrl = source.Text("Providers:Http:Url", "", "Address of the provider with Providers:Gateway = http."),
            HttpConnections = source.Int("Providers:Http:Connections", 4, 1, 32, "connections",
                "How many share the calls."),
            CallTimeoutMs = source.Int("Providers:CallTimeoutMs", CallTimeoutMsDefault, 100, 120_000, "ms",
                "How long a call may take before its outcome is unknown."),
            SimulatedJournal = journal.Length > 0 ? journal : null,
            SimulatedDeclineSeed = source.Long("Providers:Simulated:DeclineSeed", 0, 0, long.MaxValue, "",
                "Which ids are declined by chance."),
            SimulatedFaults = new()
            {
                LatencyMs = source.Int("Providers:Simulated:LatencyMs", 200, 0, ProviderFaults.LatencyMsMax, "ms",
                    "Latency of the simulated provider."),
            },
            Breaker = CircuitBreakerSettings.Read(source),
        };
        if (settings.Gateway == GatewayKind.Http && !IsUsable(settings.HttpUrl))
        {
            source.Refuse("Providers:Http:Url", "which is no address such as http://127.0.0.1:8090, without a path.");
        }

        if (settings.Breaker.TrialTimeoutMs < settings.CallTimeoutMs)
        {
            source.Refuse("Providers:Breaker:TrialTimeoutMs", "which is less than a call may take "
                + "(Providers:CallTimeoutMs); make it larger.");
        }

        return settings;
    }

    private static bool IsUsable(string? url) => Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && uri.Scheme is "http" or "https" && uri.PathAndQuery == "/";
}
