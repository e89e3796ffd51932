using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>What is logged, how, and how long readiness checks may take.</summary>
/// <param name="LogLevelMin">Events below are not written.</param>
/// <param name="IsLogJson">One JSON object per line; otherwise lines for people.</param>
/// <param name="ReadyTimeoutMs">A readiness check that takes longer counts as not ready.</param>
public sealed record SupervisionSettings(LogLevel LogLevelMin, bool IsLogJson, int ReadyTimeoutMs)
{
    /// <summary>Reads the settings of this module.</summary>
    public static SupervisionSettings Read(SettingsSource source)
    {
        var level = source.Choice("Log:Level", "info", ["trace", "debug", "info", "warn", "error"],
            "The least important events that are logged.");
        var format = source.Choice("Log:Format", "auto", ["auto", "json", "text"],
            "How events are logged; auto is text on a terminal and JSON lines elsewhere.");
        var timeoutMs = source.Int("Supervision:ReadyTimeoutMs", 2_000, 10, 60_000, "ms",
            "A readiness check that takes longer counts as not ready.");
        var isJson = format == "json" || (format == "auto" && Console.IsOutputRedirected);
        return new(LevelOf(level), isJson, timeoutMs);
    }

    private static LogLevel LevelOf(string level) => level switch
    {
        "trace" => LogLevel.Trace,
        "debug" => LogLevel.Debug,
        "info" => LogLevel.Information,
        "warn" => LogLevel.Warning,
        _ => LogLevel.Error,
    };
}
