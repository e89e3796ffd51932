using System.Diagnostics.Metrics;

namespace Floodgate.Checkout.Admission;

/// <summary>What this module logs and counts, over all rooms together. No tickets and buyers: whoever knows a ticket's
/// id may use it.</summary>
internal sealed partial class AdmissionLog(ILogger<AdmissionLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Joins = Meter.CreateCounter<long>(
        "floodgate_admission_joins_total", null, "New tickets of waiting rooms, durable.");

    private static readonly Counter<long> Admissions = Meter.CreateCounter<long>(
        "floodgate_admission_admitted_total", null, "Tickets that became active.");

    private static readonly Counter<long> Ends = Meter.CreateCounter<long>(
        "floodgate_admission_ended_total", null, "Tickets that are over, and how.");

    private static readonly Gauge<long> Waiting = Meter.CreateGauge<long>(
        "floodgate_admission_waiting", null, "Tickets that wait, in all rooms.");

    private static readonly Gauge<long> Active = Meter.CreateGauge<long>(
        "floodgate_admission_active", null, "Tickets inside, in all rooms.");

    private static readonly Gauge<double> Rate = Meter.CreateGauge<double>(
        "floodgate_admission_rate_per_second", null, "Admissions per second allowed now, all rooms together.");

    private static readonly UpDownCounter<long> Streams = Meter.CreateUpDownCounter<long>(
        "floodgate_admission_streams", null, "Open event streams of tickets.");

    public static void CountJoins(int count) => Joins.Add(count);

    public static void CountAdmitted(int count) => Admissions.Add(count);

    public static void CountEnded(int count, string how) =>
        Ends.Add(count, new KeyValuePair<string, object?>("how", how));

    public static void CountStream(int change) => Streams.Add(change);

    public static void Measure(long waiting, long active, double rate)
    {
        Waiting.Record(waiting);
        Active.Record(active);
        Rate.Record(rate);
    }

    [LoggerMessage(401, LogLevel.Warning, "Waiting rooms stand still while the database is away: {Reason}")]
    public partial void DatabaseAway(string reason);

    [LoggerMessage(402, LogLevel.Critical, "Waiting rooms stopped by themselves: nobody is admitted until a restart")]
    public partial void Stopped(Exception error);

    [LoggerMessage(403, LogLevel.Information, "Waiting room of sale {SaleId}: {Waiting} waiting, {Active} inside")]
    public partial void Loaded(Guid saleId, int waiting, int active);
}
