using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Floodgate.Storage.Coordination;

/// <summary>What this module logs and counts.</summary>
public sealed partial class CoordinationLog(ILogger<CoordinationLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Runs = Meter.CreateCounter<long>(
        "floodgate_job_runs_total", null, "Runs of jobs, by their outcome; waiting are those put back.");

    private static readonly Histogram<double> Durations = Meter.CreateHistogram<double>(
        "floodgate_job_duration", "s", "Time from the beginning of a job's run to its end.");

    private static readonly Counter<long> Losses = Meter.CreateCounter<long>(
        "floodgate_redis_away_total", null, "Times that Redis was there and then away.");

    private static readonly Gauge<int> Away = Meter.CreateGauge<int>(
        "floodgate_redis_away", null, "1 while the Redis that is configured is away, else 0.");

    internal void RedisIs(bool away, string reason)
    {
        Away.Record(away ? 1 : 0);
        if (away)
        {
            Losses.Add(1);
            RedisAway(reason);
        }
        else
        {
            RedisBack();
        }
    }

    internal void Ended(string job, JobRunState state, TimeSpan took)
    {
        var name = new KeyValuePair<string, object?>("job", job);
        Runs.Add(1, name, new("outcome", CoordinationSql.Word(state).ToLowerInvariant()));
        Durations.Record(took.TotalSeconds, name);
    }

    [LoggerMessage(251, LogLevel.Warning, "{What} waits for the database: {Reason}")]
    internal partial void DatabaseAway(string what, string reason);

    [LoggerMessage(252, LogLevel.Critical, "Jobs stand still until a restart")]
    internal partial void Stopped(Exception error);

    [LoggerMessage(253, LogLevel.Error, "The job {Job} failed")]
    internal partial void JobFailed(string job, Exception error);

    [LoggerMessage(254, LogLevel.Error, "A turn of the job {Job} ended by itself and is tried again")]
    internal partial void TurnFailed(string job, Exception error);

    [LoggerMessage(255, LogLevel.Warning, "The lease of the job {Job} was lost; its run goes on elsewhere")]
    internal partial void LeaseLost(string job);

    [LoggerMessage(256, LogLevel.Warning, "Redis is away: {Reason}; every feature goes on as its table says")]
    private partial void RedisAway(string reason);

    [LoggerMessage(257, LogLevel.Information, "Redis answers; what was remembered from before is looked up again")]
    private partial void RedisBack();

    [LoggerMessage(258, LogLevel.Error, "A message of another node was not understood")]
    internal partial void NewsFailed(Exception error);

    [LoggerMessage(259, LogLevel.Warning,
        "The clock of this node is {OffsetMs} ms away from the database's; set it by NTP")]
    internal partial void ClockIsOff(long offsetMs);
}
