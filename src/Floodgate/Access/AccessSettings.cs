using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>Limits of keys and their cache.</summary>
/// <param name="KeysCachedMax">Known keys kept in memory; when full, all are looked up again.</param>
/// <param name="KeyCachedSeconds">How long a key revoked on another node may still work here.</param>
/// <param name="UnknownKeysCachedMax">Unknown keys kept in memory, so that a wrong key costs one look-up.</param>
/// <param name="UnknownKeyCachedSeconds">How long a key created on another node may still be refused here.</param>
/// <param name="HasDemoKeys">Whether the fixed, publicly known keys of demo mode are taken.</param>
public sealed record AccessSettings(
    int KeysCachedMax, int KeyCachedSeconds, int UnknownKeysCachedMax, int UnknownKeyCachedSeconds, bool HasDemoKeys)
{
    /// <summary>Reads the settings of this module.</summary>
    public static AccessSettings Read(SettingsSource source, bool isDemo) => new(
        source.Int("Access:KeysCachedMax", 100_000, 1, 10_000_000, "keys", "Known keys kept in memory."),
        source.Int("Access:KeyCachedSeconds", 30, 1, 3_600, "s",
            "How long a key revoked on another node may still work on this one."),
        source.Int("Access:UnknownKeysCachedMax", 10_000, 1, 1_000_000, "keys",
            "Unknown keys kept in memory, so that a wrong key costs one look-up."),
        source.Int("Access:UnknownKeyCachedSeconds", 5, 1, 300, "s",
            "How long a key created on another node may still be refused on this one."),
        isDemo);
}
