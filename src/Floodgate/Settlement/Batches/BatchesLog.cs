using System.Diagnostics.Metrics;

namespace Floodgate.Settlement.Batches;

/// <summary>What this module logs and counts. No merchants and amounts: those are others' business.</summary>
internal sealed partial class BatchesLog(ILogger<BatchesLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Written = Meter.CreateCounter<long>(
        "floodgate_settlement_lines_written_total", null, "Lines written for captures and refunds.");

    private static readonly Counter<long> Settled = Meter.CreateCounter<long>(
        "floodgate_settlement_lines_settled_total", null, "Lines settled by this process.");

    public static void CountWritten(long lines) => Written.Add(lines);

    public static void CountSettled(long lines) => Settled.Add(lines);

    [LoggerMessage(800, LogLevel.Information, "{Days} days are settled")]
    public partial void DaysSettled(int days);

    [LoggerMessage(801, LogLevel.Warning, "Settling waits and is carried on later: {Reason}")]
    public partial void PutOff(string reason);

    [LoggerMessage(802, LogLevel.Critical, "Settling stopped by itself and stands still")]
    public partial void Stopped(Exception error);
}
