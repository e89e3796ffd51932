using Floodgate.Vocabulary;
using StackExchange.Redis;

namespace Floodgate.Storage.Coordination;

/// <summary>How jobs are run.</summary>
/// <param name="LeaseSeconds">How long a job stands still after its node died (5 to 600, default 60).</param>
/// <param name="PollMs">How often what is due is looked for (50 to 60,000, default 1,000).</param>
/// <param name="AttemptsMax">Tries of a run whose node died or whose database was away (1 to 100, default 5).</param>
/// <param name="RetryDelaySeconds">Before a run is tried again (0 to 3,600, default 10).</param>
/// <param name="HistoryDays">How long ended runs are kept (1 to 3,650, default 90).</param>
public sealed record JobSettings(
    int LeaseSeconds = 60, int PollMs = 1_000, int AttemptsMax = 5, int RetryDelaySeconds = 10, int HistoryDays = 90)
{
    /// <summary>Reads the settings under <c>Jobs:</c>.</summary>
    public static JobSettings Read(SettingsSource source) => new(
        source.Int("Jobs:LeaseSeconds", 60, 5, 600, "s", "How long a job stands still after its node died."),
        source.Int("Jobs:PollMs", 1_000, 50, 60_000, "ms", "How often what is due is looked for."),
        source.Int("Jobs:AttemptsMax", 5, 1, 100, "tries",
            "Tries of a run whose node died or whose database was away."),
        source.Int("Jobs:RetryDelaySeconds", 10, 0, 3_600, "s", "Before such a run is tried again."),
        source.Int("Jobs:HistoryDays", 90, 1, 3_650, "days", "How long ended runs of jobs are kept."));
}

/// <summary>What several processes on one database share.</summary>
/// <param name="Redis">
/// The Redis of all nodes as StackExchange.Redis reads it; empty: this process shares nothing but the database.</param>
/// <param name="RedisTimeoutMs">A call that takes longer is given up (10 to 10,000, default 500).</param>
/// <param name="Cluster">The name of this installation, kept in its database; another one is refused.</param>
/// <param name="ClockSkewMsMax">
/// By how much a node's clock may differ from the database's before readiness tells (100 to 60,000, default 2,000).
/// </param>
public sealed record CoordinationSettings(
    string Redis = "", int RedisTimeoutMs = 500, string Cluster = "floodgate", int ClockSkewMsMax = 2_000)
{
    private const int ClusterLengthMax = 100;

    /// <summary>True when Redis is configured: other processes may serve the same installation.</summary>
    public bool IsShared => Redis.Length > 0;

    /// <summary>Reads the settings of this module.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="isPostgreSql">Whether several processes can use the database.</param>
    public static CoordinationSettings Read(SettingsSource source, bool isPostgreSql)
    {
        var settings = new CoordinationSettings(
            source.Text("Coordination:Redis", "",
                "The Redis that all nodes of this database share, such as cache:6379,password=...; empty: none.",
                secret: true),
            source.Int("Coordination:RedisTimeoutMs", 500, 10, 10_000, "ms",
                "A call to Redis that takes longer is given up, and Redis counts as away."),
            source.Text("Coordination:Cluster", "floodgate",
                "The name of this installation: a database keeps the first it is used with and refuses another."),
            source.Int("Coordination:ClockSkewMsMax", 2_000, 100, 60_000, "ms",
                "By how much this node's clock may differ from the database's before it is not ready."));
        if (settings.IsShared && ParseRedis(settings.Redis, out var fault) is null)
        {
            source.Refuse("Coordination:Redis", $"which is no configuration of Redis: {fault} Write HOST:PORT, and " +
                "behind it options such as ,password=... and ,ssl=true.");
        }
        else if (settings.IsShared && !isPostgreSql)
        {
            source.Refuse("Coordination:Redis", "which is for several processes on one database, and SQLite serves " +
                "one. Set Database:ConnectionString to a PostgreSQL server, or leave Coordination:Redis empty.");
        }

        if (Names.FaultOf(settings.Cluster, ClusterLengthMax) is { } wrong)
        {
            source.Refuse("Coordination:Cluster", $"which is no name: it {wrong}.");
        }

        return settings;
    }

    /// <summary>The configuration, or null with what is wrong; never the text, which may hold a password.</summary>
    internal static ConfigurationOptions? ParseRedis(string text, out string fault)
    {
        fault = "";
        try
        {
            var options = ConfigurationOptions.Parse(text);
            fault = "it names no server.";
            return options.EndPoints.Count == 0 ? null : options;
        }
        catch (Exception error) when (error is ArgumentException or FormatException or OverflowException)
        {
            fault = error.Message;
            return null;
        }
    }
}
