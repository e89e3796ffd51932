using Confluent.Kafka;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// Makes clients of the cluster. What the settings give goes over the defaults here; what the log's promises rest on
/// goes over both.
/// </summary>
internal sealed class KafkaClient(KafkaSettings settings, LogLog log)
{
    private static readonly Dictionary<string, string> ProducerDefaults = new()
    {
        ["acks"] = "all",
        ["enable.idempotence"] = "true",
        ["batch.size"] = "16384",
        ["linger.ms"] = "5",
        ["compression.type"] = "lz4",
        ["delivery.timeout.ms"] = "30000",
    };

    // A member that is gone is noticed after the session, not after the client's default of 45 s; and a member hears
    // with its next heartbeat that partitions move, during which nobody reads them.
    private static readonly Dictionary<string, string> ConsumerDefaults = new()
    {
        ["auto.offset.reset"] = "earliest",
        ["partition.assignment.strategy"] = "cooperative-sticky",
        ["session.timeout.ms"] = "10000",
        ["heartbeat.interval.ms"] = "1000",
        ["queued.max.messages.kbytes"] = "16384",
    };

    /// <summary>Where the cluster is said to be.</summary>
    public string BootstrapServers => settings.BootstrapServers;

    /// <summary>A producer; its reports come on a thread of its own.</summary>
    public IProducer<byte[], byte[]> Producer() =>
        new ProducerBuilder<byte[], byte[]>(Of(ProducerDefaults, []))
            .SetLogHandler((_, line) => log.OfClient(line.Message))
            .SetErrorHandler((_, error) => log.OfClient(error.Reason))
            .Build();

    /// <summary>
    /// A member of a group. Stored offsets are committed by and by, and when partitions are given away.
    /// </summary>
    public ConsumerBuilder<byte[], byte[]> Consumer(string group) =>
        new ConsumerBuilder<byte[], byte[]>(Of(ConsumerDefaults, new()
            {
                ["group.id"] = group,
                ["enable.auto.commit"] = "true",
                ["enable.auto.offset.store"] = "false",
                ["enable.partition.eof"] = "true",
            }))
            .SetLogHandler((_, line) => log.OfClient(line.Message))
            .SetErrorHandler((_, error) => log.OfClient(error.Reason));

    /// <summary>For metadata and topics.</summary>
    public IAdminClient Admin() =>
        new AdminClientBuilder(Of([], []))
            .SetLogHandler((_, line) => log.OfClient(line.Message))
            .SetErrorHandler((_, error) => log.OfClient(error.Reason))
            .Build();

    private Dictionary<string, string> Of(Dictionary<string, string> defaults, Dictionary<string, string> fixedOnes)
    {
        // A broker that is back is met within a second, not within the client's ten.
        var all = new Dictionary<string, string>(defaults) { ["reconnect.backoff.max.ms"] = "1000" };
        foreach (var (name, value) in settings.Client.Concat(fixedOnes))
        {
            all[name] = value;
        }

        all["bootstrap.servers"] = settings.BootstrapServers;
        return all;
    }
}
