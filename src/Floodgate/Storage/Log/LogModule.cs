using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>Puts the module together.</summary>
public static class LogModule
{
    /// <summary>The tables of the embedded log.</summary>
    public static IReadOnlyList<Migration> Migrations => LogSql.Migrations;

    /// <summary>Registers the log with the topics of all modules, its desk and its sweep.</summary>
    public static void Add(
        IServiceCollection services, LogSettings settings, IReadOnlyList<Topic> topics, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton(topics);
        services.AddSingleton<LogLog>();
        services.AddSingleton<EmbeddedLog>();
        services.AddSingleton<IEventLog>(p => p.GetRequiredService<EmbeddedLog>());
        services.AddSingleton<DeadLetters>();
        services.AddSingleton(p => new ConsumerTools(
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<Ids>(),
            p.GetRequiredService<Random>().NextDouble,
            p.GetRequiredService<LogLog>()));
        services.AddSingleton(p => RetentionJob(p.GetRequiredService<EmbeddedLog>(), topics));
        if (runsWorker)
        {
            services.AddSingleton<LogOwner>();
            services.AddHostedService(p => p.GetRequiredService<LogOwner>());
        }
    }

    /// <summary>
    /// Takes the sole right to consume the embedded log, where this process runs workers: before anything else, so
    /// that one too many touches nothing. False when another process has it.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be reached.</exception>
    public static async ValueTask<bool> TryOwnAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetService<LogOwner>() is not { } owner || await owner.TryTakeAsync(cancel);

    /// <summary>True when another process took that right over, and this one stops for it.</summary>
    public static bool IsTakenOver(IServiceProvider services) => services.GetService<LogOwner>() is { IsLost: true };

    /// <summary>Creates the topics, after the migrations and before anything appends or reads.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<EmbeddedLog>()
            .CreateTopicsAsync(services.GetRequiredService<IReadOnlyList<Topic>>(), cancel);

    /// <summary>Deletes events past their retention.</summary>
    private static Job RetentionJob(EmbeddedLog log, IReadOnlyList<Topic> topics) => new(
        "log-retention",
        Schedule.Of("41 * * * *"),
        async (_, cancel) => $"{await log.SweepAsync(topics, cancel)} events deleted");
}
