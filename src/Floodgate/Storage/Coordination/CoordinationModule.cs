using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>Puts the module together.</summary>
public static class CoordinationModule
{
    /// <summary>The tables of leases, jobs and nodes.</summary>
    public static IReadOnlyList<Migration> Migrations { get; } =
        [.. CoordinationSql.Migrations, .. NodeSql.Migrations];

    /// <summary>Registers what nodes share: news, counters, answers, and who they are.</summary>
    /// <param name="services">Where.</param>
    /// <param name="settings">Whether there is a Redis, and which.</param>
    /// <param name="role">What this process does.</param>
    /// <param name="log">What carries its log: <c>table</c> or <c>kafka</c>.</param>
    /// <param name="hasOthers">Whether the database is one that several processes use.</param>
    public static void AddShared(
        IServiceCollection services, CoordinationSettings settings, string role, string log, bool hasOthers)
    {
        services.AddSingleton(settings);
        services.AddSingleton<CoordinationLog>();
        services.AddSingleton<NodeClock>();
        if (settings.IsShared)
        {
            services.AddSingleton<Redis>();
        }

        services.AddSingleton(p => p.GetService<Redis>() is { } redis
            ? new News(redis, p.GetRequiredService<Ids>())
            : News.Alone());
        services.AddSingleton(p => new SharedBuckets(p.GetService<Redis>()));
        services.AddSingleton(p => new SharedAnswers(p.GetService<Redis>()));
        services.AddSingleton(p => new SignsOfLife(p.GetService<Redis>()));
        services.AddSingleton(p => new NodeBook(
            p.GetRequiredService<Database.Database>(),
            settings,
            p.GetService<Redis>(),
            p.GetRequiredService<NodeClock>(),
            p.GetRequiredService<CoordinationLog>(),
            (NodeName(p.GetRequiredService<Ids>()), role, log, p.GetRequiredService<TimeProvider>(),
                p.GetRequiredService<Ids>())));
        if (hasOthers)
        {
            services.AddHostedService(p => p.GetRequiredService<NodeBook>());
        }
    }

    /// <summary>
    /// Opens what is shared and joins the other nodes; after the migrations, before everything else. Null, or what is
    /// in the way, as a sentence that names the setting.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be reached.</exception>
    public static ValueTask<string?> JoinAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<NodeBook>().JoinAsync(cancel);

    /// <summary>Registers leases and the board; the loop only where the role runs it.</summary>
    public static void Add(IServiceCollection services, JobSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<LeaseBook>();
        services.AddSingleton<JobBoard>();
        services.AddSingleton(p => HistoryJob(
            p.GetRequiredService<Database.Database>(), settings, p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(p => new JobTools(
            settings,
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<CoordinationLog>(),
            p.GetRequiredService<NodeBook>().Name));
        services.AddSingleton<JobWorker>();
        if (runsWorker)
        {
            services.AddHostedService(p => p.GetRequiredService<JobWorker>());
        }
    }

    /// <summary>Why jobs stand still by themselves; null while all is well.</summary>
    public static Exception? FailureOf(IServiceProvider services) => services.GetRequiredService<JobWorker>().Failure;

    /// <summary>Forgets runs that ended long ago, a thousand at a time.</summary>
    private static Job HistoryJob(Database.Database database, JobSettings settings, TimeProvider time) => new(
        "job-history",
        Schedule.Of("23 3 * * *"),
        async (turn, cancel) =>
        {
            var before = Ids.FirstOf(UtcInstant.Now(time).Plus(TimeSpan.FromDays(-settings.HistoryDays)));
            var deleted = 0;
            int now;
            do
            {
                now = await database.WriteAsync(tx => CoordinationSql.DeleteOldAsync(tx, before), cancel);
                deleted += now;
                turn.Report($"{deleted} runs forgotten");
            }
            while (now > 0);
            return $"{deleted} runs forgotten";
        });

    // The machine for people; the rest because containers share names and process numbers.
    private static string NodeName(Ids ids) =>
        $"{Environment.MachineName}-{Environment.ProcessId}-{ids.NextSecret().ToString("N")[^8..]}";
}
