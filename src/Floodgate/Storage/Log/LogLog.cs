using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Floodgate.Storage.Log;

/// <summary>What this module logs and counts. Keys and payloads are personal data: only places are named.</summary>
public sealed partial class LogLog(ILogger<LogLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "floodgate_log_handler_failures_total", null, "Tries of an event that ended in an exception.");

    private static readonly Counter<long> Burials = Meter.CreateCounter<long>(
        "floodgate_log_dead_letters_total", null, "Events that became dead letters.");

    private static readonly Counter<long> Waits = Meter.CreateCounter<long>(
        "floodgate_log_database_waits_total", null, "Tries of an event that found the database away.");

    internal void HandlerWaits(string group) => Waits.Add(1, new KeyValuePair<string, object?>("group", group));

    internal void HandlerFailed(string group, LoggedEvent e, int attempts, Exception error)
    {
        Failures.Add(1, new KeyValuePair<string, object?>("group", group));
        LogHandlerFailed(group, e.Topic.Name, e.Partition, e.Offset, attempts, error);
    }

    internal void Buried(string group, LoggedEvent e, string error)
    {
        Burials.Add(1, new KeyValuePair<string, object?>("group", group));
        LogBuried(group, e.Topic.Name, e.Partition, e.Offset, error);
    }

    [LoggerMessage(201, LogLevel.Warning, "Group {Group} waits for the database: {Reason}")]
    internal partial void DatabaseAway(string group, string reason);

    [LoggerMessage(202, LogLevel.Critical, "Group {Group} stopped by itself and stands still until a restart")]
    internal partial void Stopped(string group, Exception error);

    [LoggerMessage(203, LogLevel.Warning, "Group {Group} failed at {Topic}/{Partition}/{Offset}, try {Attempts}")]
    private partial void LogHandlerFailed(
        string group, string topic, int partition, long offset, int attempts, Exception error);

    [LoggerMessage(204, LogLevel.Error, "Group {Group} made {Topic}/{Partition}/{Offset} a dead letter: {Reason}")]
    private partial void LogBuried(string group, string topic, int partition, long offset, string reason);

    [LoggerMessage(205, LogLevel.Warning, "Group {Group} prepares {Count} events one by one after an error")]
    internal partial void PreparedAlone(string group, int count, Exception error);

    [LoggerMessage(206, LogLevel.Warning, "Group {Group} left {Count} events unfinished; they will be delivered again")]
    internal partial void LeftUnfinished(string group, int count);
}
