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
        (int)source.Long("Access:KeysCachedMax", 100_000, 1, 10_000_000, "keys", "Known keys kept in memory."),
        (int)source.Long("Access:KeyCachedSeconds", 30, 1, 3_600, "s",
            "How long a key revoked on another node may still work on this one."),
        (int)source.Long("Access:UnknownKeysCachedMax", 10_000, 1, 1_000_000, "keys",
            "Unknown keys kept in memory, so that a wrong key costs one look-up."),
        (int)source.Long("Access:UnknownKeyCachedSeconds", 5, 1, 300, "s",
            "How long a key created on another node may still be refused on this one."),
        isDemo);
}
