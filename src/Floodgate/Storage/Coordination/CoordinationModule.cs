using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>Puts the module together.</summary>
public static class CoordinationModule
{
    /// <summary>The tables of leases and jobs.</summary>
    public static IReadOnlyList<Migration> Migrations => CoordinationSql.Migrations;

    /// <summary>Registers leases and the board; the loop only where the role runs it.</summary>
    public static void Add(IServiceCollection services, JobSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<CoordinationLog>();
        services.AddSingleton<LeaseBook>();
        services.AddSingleton<JobBoard>();
        services.AddSingleton(p => HistoryJob(
            p.GetRequiredService<Database.Database>(), settings, p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(p => new JobTools(
            settings,
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<CoordinationLog>(),
            NodeName(p.GetRequiredService<Ids>())));
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
