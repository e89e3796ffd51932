using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>Puts the log on Kafka together.</summary>
internal static class KafkaModule
{
    /// <summary>Registers the log, and the loops of every role: whoever appends can forward.</summary>
    public static void Add(IServiceCollection services, LogSettings settings, IReadOnlyList<Topic> topics)
    {
        var kafka = settings.Kafka!;
        var all = KafkaLog.WithLetters(topics);
        services.AddSingleton(p => new KafkaClient(kafka, p.GetRequiredService<LogLog>()));
        services.AddSingleton(p => new KafkaTopics(
            p.GetRequiredService<KafkaClient>(),
            kafka,
            all,
            p.GetRequiredService<LogLog>(),
            p.GetRequiredService<TimeProvider>()));
        services.AddSingleton<KafkaLog>();
        services.AddSingleton<IEventLog>(p => p.GetRequiredService<KafkaLog>());
        services.AddSingleton(p => MakeRelay(p, settings, all));
        services.AddHostedService(p => p.GetRequiredService<KafkaTopics>());
        services.AddHostedService(p => p.GetRequiredService<KafkaRelay>());
    }

    /// <summary>Creates the topics in the table, and looks at those of the cluster.</summary>
    /// <exception cref="SettingsException">A topic of the cluster has fewer partitions than needed.</exception>
    public static async ValueTask StartAsync(
        IServiceProvider services, IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        await services.GetRequiredService<KafkaLog>().CreateTopicsAsync(topics, cancel);
        await services.GetRequiredService<KafkaTopics>().LookAsync(cancel);
    }

    /// <summary>What keeps events from being forwarded, as a short sentence; null while all is well.</summary>
    public static string? FaultOf(IServiceProvider services) =>
        services.GetRequiredService<KafkaRelay>().Failure is not null
            ? "the relay stands still after an error; see the log, then restart."
            : services.GetRequiredService<KafkaTopics>().Fault is { } fault
                ? $"Log:Kafka:BootstrapServers {fault}"
                : null;

    /// <summary>True until a process that reads has its part of the partitions in every group.</summary>
    public static bool IsJoining(IServiceProvider services) => services.GetRequiredService<KafkaLog>().IsJoining;

    /// <summary>True once the cluster was there with all topics.</summary>
    public static bool HasBeenReady(IServiceProvider services) =>
        services.GetRequiredService<KafkaTopics>().Ready.IsCompleted;

    private static KafkaRelay MakeRelay(IServiceProvider services, LogSettings settings, IReadOnlyList<Topic> topics)
    {
        var time = services.GetRequiredService<TimeProvider>();
        var database = services.GetRequiredService<Database.Database>();
        var relay = new KafkaRelay(new RelayParts(
            database,
            services.GetRequiredService<KafkaClient>(),
            services.GetRequiredService<KafkaTopics>(),
            new RelayShares(
                database,
                services.GetRequiredService<LeaseBook>(),
                services.GetRequiredService<NodeBook>().Name,
                TimeSpan.FromMilliseconds(settings.Kafka!.RelayLeaseMs),
                time),
            settings)
        {
            Topics = topics,
            Log = services.GetRequiredService<LogLog>(),
            Time = time,
        });
        services.GetRequiredService<KafkaLog>().Appended += relay.Wake;
        return relay;
    }
}
