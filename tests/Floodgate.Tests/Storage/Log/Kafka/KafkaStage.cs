using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;

namespace Floodgate.Tests.Storage.Log.Kafka;

/// <summary>
/// The log on three brokers, over SQLite in a temporary folder or a real PostgreSQL. The relay is that of another
/// process: it has the database for itself, also while the test takes it away, and the real clock.
/// </summary>
public sealed class KafkaStage(PostgreSqlServer? server = null) : LogStage
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("floodgate-kafka-");
    private readonly List<KafkaLog> logs = [];
    private readonly List<KafkaRelay> relays = [];
    private Database? inner;

    public KafkaCluster Cluster { get; } = new(Payments, Results);

    /// <summary>False for a test that has relays of its own.</summary>
    public bool StartsRelay { get; init; } = true;

    /// <summary>The database without the switch.</summary>
    internal Database Inner => inner!;

    internal LogLog Messages { get; } = new(NullLogger<LogLog>.Instance);

    public override async Task<IEventLog> OpenLogAsync()
    {
        var log = new KafkaLog(
            new EmbeddedLog(Database, Settings, Clock), Database, new KafkaClient(Settings.Kafka!, Messages), Settings,
            Tools);
        await log.CreateTopicsAsync([Payments, Results], CancellationToken.None);
        logs.Add(log);
        if (StartsRelay && relays.Count == 0)
        {
            await StartRelayAsync("relay");
        }

        relays.ForEach(relay => log.Appended += relay.Wake);
        return log;
    }

    public override int EventsOfCrashes => 60;

    public override Task ArrivedAsync(ILogReader reader) => ((KafkaReader)reader).PrimeAsync(CancellationToken.None);

    /// <summary>One more relay; ended with the stage.</summary>
    internal async Task<KafkaRelay> StartRelayAsync(string node, LeaseBook? leases = null)
    {
        var kafka = Settings.Kafka!;
        var client = new KafkaClient(kafka, Messages);
        var topics = KafkaLog.WithLetters([Payments, Results]);
        var looked = new KafkaTopics(client, kafka, topics, Messages, TimeProvider.System);
        await looked.LookAsync(CancellationToken.None);
        var time = TimeProvider.System;
        var relay = new KafkaRelay(new RelayParts(
            Inner,
            client,
            looked,
            new RelayShares(
                Inner,
                leases ?? new(Inner, new(time), time, News.Alone()),
                node,
                TimeSpan.FromMilliseconds(kafka.RelayLeaseMs),
                time),
            Settings)
        {
            Topics = topics,
            Log = Messages,
            Time = time,
        });
        relays.Add(relay);
        await relay.StartAsync(CancellationToken.None);
        return relay;
    }

    public override async ValueTask DisposeAsync()
    {
        await Task.WhenAll(logs.Select(log => log.DisposeAsync().AsTask()));
        await Task.WhenAll(relays.Select(relay => relay.StopAsync(CancellationToken.None)));
        relays.ForEach(relay => relay.Dispose());
        Cluster.Dispose();
        await base.DisposeAsync();
        folder.Delete(recursive: true);
    }

    protected override async Task<Database> OpenDatabaseAsync()
    {
        Settings = Settings with { Kafka = Cluster.Settings };
        inner = Floodgate.Storage.Database.Database.Open(
            server is null
                ? new DatabaseSettings("", folder.FullName)
                : new DatabaseSettings(await server.CreateDatabaseAsync(), ""));
        return inner;
    }
}

/// <summary>The contract of logs on Kafka over SQLite.</summary>
public sealed class KafkaLogOnSqliteTests() : EventLogContract(new KafkaStage());

/// <summary>The contract of consumers on Kafka over PostgreSQL; each test waits for a group to form.</summary>
public sealed class ConsumerOnKafkaOnPostgreSqlTests(PostgreSqlServer server)
    : ConsumerContract(new KafkaStage(server));
