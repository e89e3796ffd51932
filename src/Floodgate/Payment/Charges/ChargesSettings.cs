using Floodgate.Payment.Charges.Providers;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>The limits of taking payments.</summary>
/// <param name="QueueMax">Payments that wait for their commit before 503 (1 to 1,000,000; default 20,000).</param>
/// <param name="BatchMax">Payments accepted in one transaction (1 to 10,000; default 500).</param>
/// <param name="AcceptGiveUpMs">
/// How long accepting tries an unavailable database before it answers 503 (0 to 60,000; default 2,000).</param>
/// <param name="OutcomeBatchMax">Provider answers recorded in one transaction (1 to 20,000; default 2,000).</param>
/// <param name="WaitSecondsMax">The longest <c>Prefer: wait</c> (0 to 300; default 60).</param>
/// <param name="StreamsMax">Event streams open at once (1 to 100,000; default 10,000).</param>
/// <param name="RetryDelayMsFirst">
/// Delay before a provider that was not reached, or cannot tell, is asked again; doubles (1 to 60,000; default
/// 500).</param>
/// <param name="RetryDelayMsMax">The longest such delay (1 to 600,000; default 10,000).</param>
public sealed record ChargesSettings(
    int QueueMax = 20_000,
    int BatchMax = 500,
    int AcceptGiveUpMs = 2_000,
    int OutcomeBatchMax = 2_000,
    int WaitSecondsMax = 60,
    int StreamsMax = 10_000,
    int RetryDelayMsFirst = 500,
    int RetryDelayMsMax = 10_000)
{
    /// <summary>Who moves the money.</summary>
    internal ProviderSettings Providers { get; init; } = new();

    /// <summary>Reads the settings under <c>Charges:</c> and <c>Providers:</c>.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="journal">The default of <c>Providers:Simulated:Journal</c>; empty for none.</param>
    public static ChargesSettings Read(SettingsSource source, string journal)
    {
        var settings = new ChargesSettings(
            source.Int("Charges:QueueMax", 20_000, 1, 1_000_000, "payments",
                "Payments that wait for their commit before 503."),
            source.Int("Charges:BatchMax", 500, 1, 10_000, "payments", "Payments accepted in one transaction."),
            source.Int("Charges:AcceptGiveUpMs", 2_000, 0, 60_000, "ms",
                "How long accepting tries an unavailable database."),
            source.Int("Charges:OutcomeBatchMax", 2_000, 1, 20_000, "answers",
                "Provider answers recorded in one transaction."),
            source.Int("Charges:WaitSecondsMax", 60, 0, 300, "s", "The longest Prefer: wait."),
            source.Int("Charges:StreamsMax", 10_000, 1, 100_000, "streams", "Event streams open at once."),
            source.Int("Charges:RetryDelayMsFirst", 500, 1, 60_000, "ms",
                "Delay before a provider is asked again; doubles."),
            source.Int("Charges:RetryDelayMsMax", 10_000, 1, 600_000, "ms", "The longest such delay."))
        {
            Providers = ProviderSettings.Read(source, journal),
        };
        if (settings.RetryDelayMsFirst > settings.RetryDelayMsMax)
        {
            source.Refuse("Charges:RetryDelayMsFirst", "which is more than Charges:RetryDelayMsMax; make it smaller.");
        }

        return settings;
    }
}
