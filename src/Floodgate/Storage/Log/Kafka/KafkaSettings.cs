using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>The Kafka cluster that carries the log, and how.</summary>
/// <param name="BootstrapServers">Some of its brokers: <c>host:port</c>, separated by commas.</param>
public sealed record KafkaSettings(string BootstrapServers)
{
    private const string Servers = "Log:Kafka:BootstrapServers";
    private const string ClientPrefix = "Kafka:Client:";

    // What the promises of the log rest on: another value would lose events or tell a wrong place.
    private static readonly string[] Reserved =
        ["bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof"];

    private static readonly string[] SecretWords = ["password", "secret", "pem", "sasl.oauthbearer.config"];

    /// <summary>Properties of librdkafka, passed on as they are.</summary>
    public IReadOnlyDictionary<string, string> Client { get; init; } = new Dictionary<string, string>();

    /// <summary>Copies of a topic that is created here, at most as many as there are brokers.</summary>
    public int Replicas { get; init; } = 3;

    /// <summary>How soon a relay finds what another process appended.</summary>
    public int RelayPollMs { get; init; } = 50;

    /// <summary>How long a relay's partitions stand still after its node died; two seconds come on top.</summary>
    public int RelayLeaseMs { get; init; } = 4_000;

    /// <summary>How long a partition that goes to another node waits for its events in work.</summary>
    public int RevokeWithinMs { get; init; } = 5_000;

    /// <summary>Reads the settings; null when no cluster is named, and the log is the table.</summary>
    public static KafkaSettings? Read(SettingsSource source)
    {
        var servers = source.Text(Servers, "",
            "Brokers of the Kafka cluster that carries the log, host:port, separated by commas; empty is the embedded "
            + "log.");
        var settings = new KafkaSettings(servers)
        {
            Replicas = source.Int("Log:Kafka:Replicas", 3, 1, 10, "copies",
                "Copies of a topic that is created here; at most one on each broker."),
            RelayPollMs = source.Int("Log:Kafka:RelayPollMs", 50, 1, 1_000, "ms",
                "How soon a relay finds what another process appended."),
            RelayLeaseMs = source.Int("Log:Kafka:RelayLeaseMs", 4_000, 500, 60_000, "ms",
                "How long a relay's partitions stand still after its node died; two seconds come on top."),
            RevokeWithinMs = source.Int("Log:Kafka:RevokeWithinMs", 5_000, 0, 60_000, "ms",
                "How long a partition that goes to another node waits for its events in work."),
            Client = source.Section(
                ClientPrefix,
                "A property of librdkafka, passed on as it is: Kafka:Client:linger.ms and so on.",
                name => SecretWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase))),
        };
        if (servers.Length == 0)
        {
            return null;
        }

        if (KafkaNative.Fault is { } missing)
        {
            source.Refuse(Servers, $"which {missing}");
            return settings;
        }

        Check(source, settings);
        return settings;
    }

    private static void Check(SettingsSource source, KafkaSettings settings)
    {
        if (!settings.BootstrapServers.Split(',').All(IsAddress))
        {
            source.Refuse(Servers, "which is no list of brokers. Write HOST:PORT, such as kafka-1:9092,kafka-2:9092.");
        }

        foreach (var (name, value) in settings.Client)
        {
            if (Reserved.Contains(name))
            {
                source.Refuse(ClientPrefix + name, "which Floodgate sets itself. Leave it out.");
            }
            else if (KafkaNative.FaultOf(name, value) is { } fault)
            {
                source.Refuse(
                    ClientPrefix + name,
                    $"which librdkafka does not take ({fault}). See its page of configuration properties, or leave it "
                    + "out.");
            }
        }
    }

    private static bool IsAddress(string address) =>
        Uri.TryCreate($"kafka://{address.Trim()}", UriKind.Absolute, out var uri)
        && uri is { Host.Length: > 0, Port: > 0, PathAndQuery: "" or "/", UserInfo: "" };
}
