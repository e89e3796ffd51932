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
    int StopWithinMs = 10_000);
