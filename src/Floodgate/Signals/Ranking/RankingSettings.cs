using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>What the rankings look at.</summary>
/// <param name="WindowMinutes">How far back the fast-selling ranking looks (1 to 60 minutes; default 5).</param>
/// <param name="DaysKept">How far back the top ranking can look; older counts go (1 to 30 days; default 3).</param>
public sealed record RankingSettings(int WindowMinutes = 5, int DaysKept = 3)
{
    /// <summary>Reads the settings under <c>Ranking:</c>.</summary>
    public static RankingSettings Read(SettingsSource source) => new(
        source.Int("Ranking:WindowMinutes", 5, 1, 60, "min", "How far back the fast-selling ranking looks."),
        source.Int("Ranking:DaysKept", 3, 1, 30, "days", "How far back the top ranking can look."));
}
