using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>How jobs are run.</summary>
/// <param name="LeaseSeconds">How long a job stands still after its node died (5 to 600, default 60).</param>
/// <param name="PollMs">How often what is due is looked for (50 to 60,000, default 1,000).</param>
/// <param name="AttemptsMax">Tries of a run whose node died or whose database was away (1 to 100, default 5).</param>
/// <param name="RetryDelaySeconds">Before a run is tried again (0 to 3,600, default 10).</param>
/// <param name="HistoryDays">How long ended runs are kept (1 to 3,650, default 90).</param>
public sealed record JobSettings(
    int LeaseSeconds = 60, int PollMs = 1_000, int AttemptsMax = 5, int RetryDelaySeconds = 10, int HistoryDays = 90)
{
    /// <summary>Reads the settings under <c>Jobs:</c>.</summary>
    public static JobSettings Read(SettingsSource source) => new(
        source.Int("Jobs:LeaseSeconds", 60, 5, 600, "s", "How long a job stands still after its node died."),
        source.Int("Jobs:PollMs", 1_000, 50, 60_000, "ms", "How often what is due is looked for."),
        source.Int("Jobs:AttemptsMax", 5, 1, 100, "tries",
            "Tries of a run whose node died or whose database was away."),
        source.Int("Jobs:RetryDelaySeconds", 10, 0, 3_600, "s", "Before such a run is tried again."),
        source.Int("Jobs:HistoryDays", 90, 1, 3_650, "days", "How long ended runs of jobs are kept."));
}
