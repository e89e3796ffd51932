using System.Runtime.InteropServices;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// Kafka brokers for tests and rehearsals, in this process: librdkafka's own, which speak the protocol of consumer
/// groups and idempotent producers and keep some megabytes of each partition in memory. On 127.0.0.1, at ports that the
/// system chooses; everything is forgotten at the end.
/// </summary>
internal sealed class RehearsalCluster : IDisposable
{
    private const int Producer = 0;
    private const int TextBytes = 512;

    private readonly nint client;
    private readonly nint cluster;

    /// <summary>Starts so many brokers.</summary>
    public RehearsalCluster(int brokers)
    {
        if (KafkaNative.Fault is { } fault)
        {
            throw new InvalidOperationException($"The rehearsal cluster {fault}");
        }

        Brokers = brokers;
        var text = new byte[TextBytes];
        var conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "log_level", "0", text, TextBytes); // It would tell that it has no servers.
        client = rd_kafka_new(Producer, conf, text, TextBytes);
        if (client == 0)
        {
            throw new InvalidOperationException($"The rehearsal cluster did not start: {KafkaNative.TextOf(text)}");
        }

        cluster = rd_kafka_mock_cluster_new(client, brokers);
        BootstrapServers = Marshal.PtrToStringUTF8(rd_kafka_mock_cluster_bootstraps(cluster))!;
    }

    /// <summary>How many brokers there are; they are numbered from 1.</summary>
    public int Brokers { get; }

    /// <summary>Where they listen.</summary>
    public string BootstrapServers { get; }

    /// <summary>Takes one broker away: its connections are cut, and no new ones taken. It keeps what it has.</summary>
    public void TakeDown(int broker) => _ = rd_kafka_mock_broker_set_down(cluster, broker);

    /// <summary>Brings it back, with what it had.</summary>
    public void BringUp(int broker) => _ = rd_kafka_mock_broker_set_up(cluster, broker);

    /// <summary>Creates a topic.</summary>
    public void Create(string topic, int partitions) =>
        _ = rd_kafka_mock_topic_create(cluster, topic, partitions, Brokers);

    /// <summary>Creates the topics of a log.</summary>
    public void Create(IReadOnlyList<Topic> topics)
    {
        foreach (var topic in topics)
        {
            Create(topic.Name, topic.Partitions);
        }
    }

    /// <summary>Ends the brokers.</summary>
    public void Dispose()
    {
        rd_kafka_mock_cluster_destroy(cluster);
        rd_kafka_destroy(client);
    }

    [DllImport(KafkaNative.Library)]
    private static extern nint rd_kafka_conf_new();

    [DllImport(KafkaNative.Library)]
    private static extern int rd_kafka_conf_set(
        nint conf,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string name,
        [MarshalAs(UnmanagedType.LPUTF8Str)] string value,
        [Out] byte[] error,
        nint errorBytes);

    [DllImport(KafkaNative.Library)]
    private static extern nint rd_kafka_new(int kind, nint conf, [Out] byte[] error, nint errorBytes);

    [DllImport(KafkaNative.Library)]
    private static extern void rd_kafka_destroy(nint client);

    [DllImport(KafkaNative.Library)]
    private static extern nint rd_kafka_mock_cluster_new(nint client, int brokers);

    [DllImport(KafkaNative.Library)]
    private static extern void rd_kafka_mock_cluster_destroy(nint cluster);

    [DllImport(KafkaNative.Library)]
    private static extern nint rd_kafka_mock_cluster_bootstraps(nint cluster);

    [DllImport(KafkaNative.Library)]
    private static extern int rd_kafka_mock_broker_set_down(nint cluster, int broker);

    [DllImport(KafkaNative.Library)]
    private static extern int rd_kafka_mock_broker_set_up(nint cluster, int broker);

    [DllImport(KafkaNative.Library)]
    private static extern int rd_kafka_mock_topic_create(
        nint cluster, [MarshalAs(UnmanagedType.LPUTF8Str)] string topic, int partitions, int replicas);
}
