using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>Puts the module together.</summary>
public static class LogModule
{
    /// <summary>The tables of the embedded log.</summary>
    public static IReadOnlyList<Migration> Migrations => [.. LogSql.Migrations, .. KafkaSql.Migrations];

    /// <summary>Registers the log with the topics of all modules, its desk and its sweep.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="settings">The limits, and Kafka if it carries the log.</param>
    /// <param name="topics">The topics of all modules.</param>
    /// <param name="runsWorker">True where events are consumed.</param>
    /// <param name="isShared">True when several processes can use the database.</param>
    public static void Add(
        IServiceCollection services,
        LogSettings settings,
        IReadOnlyList<Topic> topics,
        bool runsWorker,
        bool isShared)
    {
        services.AddSingleton(settings);
        services.AddSingleton(topics);
        services.AddSingleton<LogLog>();
        services.AddSingleton<EmbeddedLog>();
        if (settings.Kafka is null)
        {
            services.AddSingleton<IEventLog>(p => p.GetRequiredService<EmbeddedLog>());
        }
        else
        {
            KafkaModule.Add(services, settings, topics);
        }

        services.AddSingleton<DeadLetters>();
        services.AddSingleton(p => new ConsumerTools(
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<Ids>(),
            p.GetRequiredService<Random>().NextDouble,
            p.GetRequiredService<LogLog>()));
        services.AddSingleton(p => RetentionJob(
            p.GetRequiredService<EmbeddedLog>(), settings.Kafka is null ? topics : KafkaLog.WithLetters(topics)));
        if (runsWorker && (settings.Kafka is null || !isShared))
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
    /// <exception cref="SettingsException">The Kafka cluster has other topics than needed.</exception>
    public static async ValueTask StartAsync(IServiceProvider services, CancellationToken cancel)
    {
        var topics = services.GetRequiredService<IReadOnlyList<Topic>>();
        if (services.GetRequiredService<LogSettings>().Kafka is not null)
        {
            await KafkaModule.StartAsync(services, topics, cancel);
            return;
        }

        await services.GetRequiredService<EmbeddedLog>().CreateTopicsAsync(topics, cancel);
        if (services.GetService<LogOwner>() is not null)
        {
            // No relay runs beside the table's only consumer: progress of an earlier one would hold up the sweep.
            await services.GetRequiredService<Database.Database>().WriteAsync(
                tx =>
                {
                    KafkaSql.ForgetGroup(tx, KafkaRelay.Group);
                    return ValueTask.FromResult(0);
                },
                cancel);
        }
    }

    /// <summary>
    /// What keeps events from reaching Kafka, as a short sentence; null while all is well or Kafka is not used. A
    /// process that takes payments goes on without the brokers, so for it only what was never there counts. One that
    /// only reads is not ready before it has joined its groups: so of nodes restarted in turn one always reads.
    /// </summary>
    public static string? BrokerFaultOf(IServiceProvider services, bool takesPayments) => takesPayments
        ? KafkaModule.HasBeenReady(services) ? null : KafkaModule.FaultOf(services)
        : KafkaModule.FaultOf(services) ?? (KafkaModule.IsJoining(services)
            ? "waits for its part of the partitions: its consumer groups are being divided anew."
            : null);

    /// <summary>Deletes events past their retention.</summary>
    private static Job RetentionJob(EmbeddedLog log, IReadOnlyList<Topic> topics) => new(
        "log-retention",
        Schedule.Of("41 * * * *"),
        async (_, cancel) => $"{await log.SweepAsync(topics, cancel)} events deleted");
}
