using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>The limits of waiting rooms, and what a room has when its merchant does not say.</summary>
/// <param name="TicketsMax">Live tickets of all rooms in memory (1 to 10,000,000; default 1,000,000).</param>
/// <param name="QueueMax">Joins that wait for their commit before 503 (1 to 1,000,000; default 50,000).</param>
/// <param name="BatchMax">Joins, or changes of tickets, in one transaction (1 to 10,000; default 2,000).</param>
/// <param name="JoinGiveUpMs">
/// How long a join tries an unavailable database before it answers 503 (0 to 60,000; default 2,000).</param>
/// <param name="StreamsMax">Event streams open at once (1 to 1,000,000; default 100,000).</param>
/// <param name="AbandonedSeconds">
/// Who waits and was not heard of for so long leaves the line (3 to 86,400; default 120). Clients poll at least three
/// times as often.</param>
/// <param name="EndedKeptSeconds">
/// How long tickets are kept after their sale has ended (0 to 2,592,000; default 3,600).</param>
/// <param name="LagMax">More payment events behind than this slow admission (1 to 10,000,000; default 10,000).</param>
/// <param name="DueMax">More charges put off than this slow admission (1 to 10,000,000; default 1,000).</param>
/// <param name="ActiveMax">Places inside (1 to 1,000,000; default 100).</param>
/// <param name="PassSeconds">How long a pass is good (1 to 86,400; default 600).</param>
/// <param name="RatePerSecondMin">The floor of the admission rate (1 to 100,000; default 1).</param>
/// <param name="RatePerSecondMax">Its ceiling (1 to 100,000; default 500).</param>
public sealed record AdmissionSettings(
    int TicketsMax = 1_000_000,
    int QueueMax = 50_000,
    int BatchMax = 2_000,
    int JoinGiveUpMs = 2_000,
    int StreamsMax = 100_000,
    int AbandonedSeconds = 120,
    int EndedKeptSeconds = 3_600,
    int LagMax = 10_000,
    int DueMax = 1_000,
    int ActiveMax = 100,
    int PassSeconds = 600,
    int RatePerSecondMin = 1,
    int RatePerSecondMax = 500)
{
    /// <summary>The largest value of <see cref="ActiveMax"/>, also for one room.</summary>
    internal const int ActiveMaxMax = 1_000_000;

    /// <summary>The largest value of <see cref="PassSeconds"/>, also for one room.</summary>
    internal const int PassSecondsMax = 86_400;

    /// <summary>The largest rate, also for one room.</summary>
    internal const int RateMax = 100_000;

    /// <summary>The longest time between two polls that a client is told, so that three fit into the limit.</summary>
    internal int PollMsMax => Math.Min(30_000, AbandonedSeconds * 1_000 / 3);

    /// <summary>Reads the settings under <c>Admission:</c>.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="connectionsMax">The server's limit of connections: each stream is one.</param>
    public static AdmissionSettings Read(SettingsSource source, long connectionsMax)
    {
        var settings = new AdmissionSettings(
            source.Int("Admission:TicketsMax", 1_000_000, 1, 10_000_000, "tickets",
                "Live tickets of all waiting rooms in memory; one more is answered 503."),
            source.Int("Admission:QueueMax", 50_000, 1, 1_000_000, "joins",
                "Joins that wait for their commit before 503."),
            source.Int("Admission:BatchMax", 2_000, 1, 10_000, "tickets", "Tickets written in one transaction."),
            source.Int("Admission:JoinGiveUpMs", 2_000, 0, 60_000, "ms",
                "How long a join tries an unavailable database."),
            source.Int("Admission:StreamsMax", 100_000, 1, 1_000_000, "streams",
                "Event streams of tickets open at once; each is a connection."),
            source.Int("Admission:AbandonedSeconds", 120, 3, 86_400, "s",
                "Who waits and was not heard of for so long leaves the line."),
            source.Int("Admission:EndedKeptSeconds", 3_600, 0, 2_592_000, "s",
                "How long tickets are kept after their sale has ended."),
            source.Int("Admission:LagMax", 10_000, 1, 10_000_000, "events",
                "More payment events behind than this slow admission."),
            source.Int("Admission:DueMax", 1_000, 1, 10_000_000, "charges",
                "More charges put off than this slow admission."),
            source.Int("Admission:ActiveMax", 100, 1, ActiveMaxMax, "tickets",
                "Places inside, for a room that does not say."),
            source.Int("Admission:PassSeconds", 600, 1, PassSecondsMax, "s",
                "How long a pass is good, for a room that does not say."),
            source.Int("Admission:RatePerSecondMin", 1, 1, RateMax, "1/s",
                "Floor of the admission rate, for a room that does not say."),
            source.Int("Admission:RatePerSecondMax", 500, 1, RateMax, "1/s",
                "Ceiling of the admission rate, for a room that does not say."));
        if (settings.RatePerSecondMin > settings.RatePerSecondMax)
        {
            source.Refuse(
                "Admission:RatePerSecondMin", "which is more than Admission:RatePerSecondMax; make it smaller.");
        }

        if (settings.StreamsMax >= connectionsMax)
        {
            source.Refuse("Admission:StreamsMax",
                "which is not less than Server:ConnectionsMax: streams alone would shut out every other request. " +
                "Make it smaller, or Server:ConnectionsMax larger.");
        }

        return settings;
    }
}
