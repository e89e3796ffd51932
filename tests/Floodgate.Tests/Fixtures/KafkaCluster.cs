using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;

namespace Floodgate.Tests.Fixtures;

/// <summary>Three Kafka brokers of librdkafka in this process, whose faults a test decides.</summary>
public sealed class KafkaCluster : IDisposable
{
    private const int BrokerCount = 3;

    // The brokers answer a fetch that finds nothing only after its whole wait. A group's first member waits for 3 s, so
    // the session is longer; others may join a session less a second after one has left.
    private static readonly Dictionary<string, string> Quick = new()
    {
        ["fetch.wait.max.ms"] = "10",
        ["session.timeout.ms"] = "4000",
        ["heartbeat.interval.ms"] = "200",
        ["reconnect.backoff.max.ms"] = "200",
    };

    private readonly RehearsalCluster cluster = new(BrokerCount);

    /// <summary>Starts the brokers with the topics, and those of their dead letters.</summary>
    public KafkaCluster(params IReadOnlyList<Topic> topics) => cluster.Create(KafkaLog.WithLetters(topics));

    public string BootstrapServers => cluster.BootstrapServers;

    /// <summary>The settings that name it, for a test that does not wait long.</summary>
    public KafkaSettings Settings => new(BootstrapServers) { Client = Quick, RelayPollMs = 5 };

    /// <summary>The same as settings of a server.</summary>
    public string[] ServerSettings =>
    [
        $"Log:Kafka:BootstrapServers={BootstrapServers}",
        "Log:Kafka:RelayPollMs=5",
        .. Quick.Select(property => $"Kafka:Client:{property.Key}={property.Value}"),
    ];

    public void Create(string topic, int partitions) => cluster.Create(topic, partitions);

    /// <summary>Takes all brokers away: connections are cut, and no new ones taken.</summary>
    public void TakeDown() => ForEach(cluster.TakeDown);

    /// <summary>Brings them back, with what they had.</summary>
    public void BringUp() => ForEach(cluster.BringUp);

    /// <summary>Takes one of three away.</summary>
    public void TakeDown(int broker) => cluster.TakeDown(broker);

    public void Dispose() => cluster.Dispose();

    private static void ForEach(Action<int> change)
    {
        for (var broker = 1; broker <= BrokerCount; broker++)
        {
            change(broker);
        }
    }
}
