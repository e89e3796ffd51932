using Floodgate.Storage.Log.Kafka;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>How the log is read.</summary>
/// <param name="InFlightMax">Events of a group in work at once (1 to 1,000,000, default 40,000).</param>
/// <param name="FetchMax">Events of one read (10 to 100,000, default 4,000).</param>
/// <param name="FetchLingerMs">
/// After a wake-up, how long to let more events gather before reading (0 to 1,000, default 5).</param>
/// <param name="PollMs">The safety net under the wake-up (10 to 1,000, default 1,000).</param>
/// <param name="AttemptsMax">Tries of an event before it becomes a dead letter (1 to 100, default 8).</param>
/// <param name="RetryDelayMsFirst">Delay before the second try; doubles (1 to 60,000, default 100).</param>
/// <param name="RetryDelayMsMax">The longest delay (1 to 3,600,000, default 30,000).</param>
/// <param name="StopWithinMs">How long a stop waits for events in work (0 to 600,000, default 10,000).</param>
public sealed record LogSettings(
    int InFlightMax = 40_000,
    int FetchMax = 4_000,
    int FetchLingerMs = 5,
    int PollMs = 1_000,
    int AttemptsMax = 8,
    int RetryDelayMsFirst = 100,
    int RetryDelayMsMax = 30_000,
    int StopWithinMs = 10_000)
{
    /// <summary>The Kafka cluster that carries the log; null when the log is the table.</summary>
    public KafkaSettings? Kafka { get; init; }

    /// <summary>Reads the settings under <c>Log:</c>.</summary>
    public static LogSettings Read(SettingsSource source) => new(
        source.Int("Log:InFlightMax", 40_000, 1, 1_000_000, "events", "Events of a group in work at once."),
        source.Int("Log:FetchMax", 4_000, 10, 100_000, "events", "Events of one read."),
        source.Int("Log:FetchLingerMs", 5, 0, 1_000, "ms", "After a wake-up, how long to let more events gather."),
        source.Int("Log:PollMs", 1_000, 10, 1_000, "ms", "The safety net under the wake-up."),
        source.Int("Log:AttemptsMax", 8, 1, 100, "tries", "Tries of an event before it becomes a dead letter."),
        source.Int("Log:RetryDelayMsFirst", 100, 1, 60_000, "ms", "Delay before the second try; doubles."),
        source.Int("Log:RetryDelayMsMax", 30_000, 1, 3_600_000, "ms", "The longest delay between tries."),
        source.Int("Log:StopWithinMs", 10_000, 0, 600_000, "ms", "How long a stop waits for events in work."))
    {
        Kafka = KafkaSettings.Read(source),
    };
}

/// <summary>When a failed event is tried again: exponential backoff with jitter, then never. Pure.</summary>
public sealed class RetryPolicy(int attemptsMax, int delayMsFirst, int delayMsMax)
{
    /// <summary>
    /// The delay after the given number of tries, or null when there is no further try. Between half and the whole of
    /// the doubled delay, so that what failed together does not come back together.
    /// </summary>
    /// <param name="attempts">Tries so far, from 1.</param>
    /// <param name="chance">A random number from 0 up to 1.</param>
    public TimeSpan? DelayAfter(int attempts, double chance)
    {
        if (attempts >= attemptsMax)
        {
            return null;
        }

        var whole = Math.Min(delayMsMax, delayMsFirst * Math.Pow(2, Math.Min(attempts - 1, 30)));
        return TimeSpan.FromMilliseconds(whole * (0.5 + (chance / 2)));
    }
}
