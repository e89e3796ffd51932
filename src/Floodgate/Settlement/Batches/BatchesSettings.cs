using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>When and how days are settled.</summary>
/// <param name="Zone">The zone whose days are settled (default UTC).</param>
/// <param name="Schedule">When the day before is settled (default 04:00 in that zone); null: when asked.</param>
/// <param name="CloseDelayMinutes">How long after its end a day stays open (0 to 1,440 min; default 10).</param>
/// <param name="CommissionBasisPoints">Where no policy is (0 to 10,000 1/100 %; default 500).</param>
/// <param name="RangeLines">Lines settled in one transaction (1 to 1,000,000; default 20,000).</param>
/// <param name="WorkersMax">Ranges settled at once (1 to 16; default 2); SQLite settles one.</param>
/// <param name="AttemptsMax">How often a step is tried while the database is away (1 to 100; default 3).</param>
/// <param name="ReplicaConnectionString">Where statements and plans are read; empty: where all is.</param>
public sealed record BatchesSettings(
    TimeZoneInfo Zone,
    Schedule? Schedule,
    int CloseDelayMinutes = 10,
    int CommissionBasisPoints = 500,
    int RangeLines = 20_000,
    int WorkersMax = 2,
    int AttemptsMax = 3,
    string ReplicaConnectionString = "")
{
    /// <summary>Reads the settings under <c>Settlement:</c>.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="connectionsMax">Connections to the database that all uses share; 0 with SQLite.</param>
    public static BatchesSettings Read(SettingsSource source, int connectionsMax)
    {
        var zoneName = source.Text(
            "Settlement:Zone", "UTC", "The time zone whose days are settled, such as Asia/Seoul.");
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(zoneName, out var zone))
        {
            source.Refuse("Settlement:Zone", "which this machine does not know. Write a name of the IANA time zone " +
                "database, such as Asia/Seoul, or install the package tzdata.");
        }

        var schedule = Schedule.Read(
            source, "Settlement:Schedule", $"0 4 * * * {zone?.Id ?? "UTC"}", "When the day before is settled.");
        var settings = new BatchesSettings(
            zone ?? TimeZoneInfo.Utc,
            schedule,
            source.Int("Settlement:CloseDelayMinutes", 10, 0, 1_440, "min", "How long after its end a day stays open."),
            source.Int("Settlement:CommissionBasisPoints", 500, 0, 10_000, "1/100 %",
                "The commission where no policy is."),
            source.Int("Settlement:RangeLines", 20_000, 1, 1_000_000, "lines", "Lines settled in one transaction."),
            source.Int("Settlement:WorkersMax", 2, 1, 16, "ranges", "Ranges settled at once; SQLite settles one."),
            source.Int("Settlement:AttemptsMax", 3, 1, 100, "tries",
                "How often a step is tried while the database is away."),
            source.Text("Settlement:ReplicaConnectionString", "",
                "A replica of the PostgreSQL database, for plans and statements; empty reads where all is.",
                secret: true));
        if (connectionsMax > 0 && settings.WorkersMax * 2 > connectionsMax)
        {
            source.Refuse("Settlement:WorkersMax", "which is more than half of Database:ConnectionsMax, so payments " +
                "would wait for settlements; make it smaller.");
        }

        if (connectionsMax == 0 && settings.ReplicaConnectionString.Length > 0)
        {
            source.Refuse("Settlement:ReplicaConnectionString", "which needs a PostgreSQL database to be a replica " +
                "of; set Database:ConnectionString, or leave it empty.");
        }

        return settings;
    }
}
