using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>How old an answer of the catalogue may be, and how large a file of it.</summary>
/// <param name="FreshMs">
/// From this age on an answer is renewed behind while it is still given (10 to 60,000 ms; default 500).</param>
/// <param name="StaleMsMax">
/// No answer is older than this, also when nobody told this node of a change, or the database is away (100 to 600,000
/// ms; default 2,000). At least <paramref name="FreshMs"/>.</param>
/// <param name="AnswersMax">Answers kept; the oldest go first (10 to 1,000,000; default 10,000).</param>
/// <param name="TakesNoCache">
/// Whether a request with <c>Cache-Control: no-cache</c> goes past the memory: demo mode only, because anybody could
/// keep the database busy with it.</param>
/// <param name="ImportBytesMax">
/// The largest file that is imported (1,024 to 67,108,864 bytes; default 8,388,608).</param>
public sealed record CatalogSettings(
    int FreshMs = 500, int StaleMsMax = 2_000, int AnswersMax = 10_000, bool TakesNoCache = false,
    int ImportBytesMax = 8_388_608)
{
    /// <summary>Reads the settings under <c>Catalog:</c>.</summary>
    public static CatalogSettings Read(SettingsSource source, bool isDemo)
    {
        var settings = new CatalogSettings(
            source.Int("Catalog:FreshMs", 500, 10, 60_000, "ms",
                "Age from which an answer is renewed while it is still given."),
            source.Int("Catalog:StaleMsMax", 2_000, 100, 600_000, "ms",
                "No answer of the catalogue is older than this."),
            source.Int("Catalog:AnswersMax", 10_000, 10, 1_000_000, "answers",
                "Answers of the catalogue kept in memory."),
            isDemo,
            source.Int("Catalog:ImportBytesMax", 8_388_608, 1_024, 67_108_864, "bytes",
                "The largest file of a catalogue that is imported."));
        if (settings.FreshMs > settings.StaleMsMax)
        {
            source.Refuse("Catalog:FreshMs", "which is more than Catalog:StaleMsMax; make it smaller.");
        }

        return settings;
    }
}
