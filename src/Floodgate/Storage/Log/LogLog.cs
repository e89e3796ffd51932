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

    private static readonly Gauge<double> RelayBacklogAge = Meter.CreateGauge<double>(
        "floodgate_relay_backlog_age_seconds", "s",
        "Age of the oldest event that this node has to forward to Kafka; 0 when there is none.");

    private static readonly Counter<long> Missed = Meter.CreateCounter<long>(
        "floodgate_log_missed_total", null, "Events that Kafka did not have and that were read from the table.");

    internal void HandlerWaits(string group) => Waits.Add(1, new KeyValuePair<string, object?>("group", group));

    internal void HandlerFailed(string group, LoggedEvent e, int attempts, Exception error)
    {
        Failures.Add(1, new KeyValuePair<string, object?>("group", group));
        LogHandlerFailed(group, e.Topic.Name, e.Partition, e.Offset, attempts, error);
    }

    internal void BacklogAge(double seconds) => RelayBacklogAge.Record(seconds);

    internal void FromTable(string group, int count)
    {
        Missed.Add(count, new KeyValuePair<string, object?>("group", group));
        LogFromTable(group, count);
    }

    internal void BuriedForeign(string group, string topic, int partition, long at)
    {
        Burials.Add(1, new KeyValuePair<string, object?>("group", group));
        LogBuriedForeign(group, topic, partition, at);
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

    [LoggerMessage(205, LogLevel.Critical, "Another process consumes this log now; this one stops")]
    internal partial void TakenOver();

    [LoggerMessage(207, LogLevel.Debug, "The Kafka client says: {Line}")]
    internal partial void OfClient(string line);

    [LoggerMessage(208, LogLevel.Error, "{Fault}")]
    internal partial void TopicsWrong(string fault);

    [LoggerMessage(209, LogLevel.Warning,
        "Topic {Topic} keeps messages for {FoundMs} ms where {WantedMs} are asked for (retention.ms)")]
    internal partial void RetentionShort(string topic, long foundMs, long wantedMs);

    [LoggerMessage(210, LogLevel.Error,
        "{Topic}/{Partition}/{Offset} is not forwarded to Kafka, whose readers take it from the table: {Reason}")]
    internal partial void NotForwarded(string topic, int partition, long offset, string reason);

    [LoggerMessage(211, LogLevel.Warning, "The brokers do not take {Topic}/{Partition}; tried again: {Reason}")]
    internal partial void BrokerRefuses(string topic, int partition, string reason);

    [LoggerMessage(212, LogLevel.Information, "Group {Group} got {Count} partitions")]
    internal partial void Assigned(string group, int count);

    [LoggerMessage(213, LogLevel.Information, "Group {Group} gives back {Count} partitions")]
    internal partial void Revoked(string group, int count);

    [LoggerMessage(214, LogLevel.Warning, "Group {Group} has lost {Count} partitions to other members")]
    internal partial void Lost(string group, int count);

    [LoggerMessage(215, LogLevel.Warning, "Group {Group} read {Count} events from the table that Kafka did not have")]
    private partial void LogFromTable(string group, int count);

    [LoggerMessage(216, LogLevel.Error,
        "Group {Group} made {Topic}/{Partition}, broker's offset {At}, a dead letter: no relay sent it")]
    private partial void LogBuriedForeign(string group, string topic, int partition, long at);

    [LoggerMessage(203, LogLevel.Warning, "Group {Group} failed at {Topic}/{Partition}/{Offset}, try {Attempts}")]
    private partial void LogHandlerFailed(
        string group, string topic, int partition, long offset, int attempts, Exception error);

    [LoggerMessage(204, LogLevel.Error, "Group {Group} made {Topic}/{Partition}/{Offset} a dead letter: {Reason}")]
    private partial void LogBuried(string group, string topic, int partition, long offset, string reason);

    [LoggerMessage(217, LogLevel.Warning, "Group {Group} prepares {Count} events one by one after an error")]
    internal partial void PreparedAlone(string group, int count, Exception error);

    [LoggerMessage(206, LogLevel.Warning, "Group {Group} left {Count} events unfinished; they will be delivered again")]
    internal partial void LeftUnfinished(string group, int count);
}
