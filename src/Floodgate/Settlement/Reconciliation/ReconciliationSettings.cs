using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>When books are compared, and how much at once.</summary>
/// <param name="Hourly">The timetable of the comparison of what is new.</param>
/// <param name="Daily">The timetable of the comparison with every check over all rows.</param>
/// <param name="GraceSeconds">What is younger is not compared yet: the other side may still be on its way.</param>
/// <param name="OverlapHours">How far behind the last one's end each window by timetable begins.</param>
/// <param name="UploadBytesMax">The largest statement that is taken as a file.</param>
public sealed record ReconciliationSettings(
    Schedule? Hourly, Schedule? Daily, int GraceSeconds, int OverlapHours, long UploadBytesMax)
{
    /// <summary>Reads the settings under <c>Reconciliation:</c>.</summary>
    public static ReconciliationSettings Read(SettingsSource source) => new(
        Schedule.Read(source, "Reconciliation:Hourly", "5 * * * *", "When what is new is reconciled."),
        Schedule.Read(source, "Reconciliation:Daily", "0 5 * * *",
            "When it is reconciled together with every check over all rows."),
        source.Int("Reconciliation:GraceSeconds", 600, 0, 86_400, "s",
            "What is younger is not compared yet: the other side may be on its way."),
        source.Int("Reconciliation:OverlapHours", 24, 0, 720, "h",
            "How far behind the end of the last one a reconciliation by timetable begins."),
        source.Long("Reconciliation:UploadBytesMax", 268_435_456, 1_024, 4_294_967_296, "bytes",
            "The largest provider statement that is taken as a file."));
}
