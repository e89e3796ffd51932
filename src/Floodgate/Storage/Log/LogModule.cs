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
        if (runsWorker)
        {
            services.AddHostedService<RetentionWorker>();
        }
    }

    /// <summary>Creates the topics, after the migrations and before anything appends or reads.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<EmbeddedLog>()
            .CreateTopicsAsync(services.GetRequiredService<IReadOnlyList<Topic>>(), cancel);
}
