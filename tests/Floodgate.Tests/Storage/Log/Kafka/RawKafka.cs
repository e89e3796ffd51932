using System.Text;
using Confluent.Kafka;
using Floodgate.Storage.Log;
using Floodgate.Storage.Log.Kafka;
using Floodgate.Tests.Fixtures;

namespace Floodgate.Tests.Storage.Log.Kafka;

/// <summary>A message as a reader outside sees it.</summary>
public sealed record RawMessage(int Partition, string Key, string Value, IReadOnlyDictionary<string, string> Headers)
{
    public long SourceOffset => long.Parse(Headers[KafkaMessages.SourceOffset], provider: null);
}

/// <summary>The topics from outside, past the log: what others see, and what they may do.</summary>
public static class RawKafka
{
    /// <summary>Puts a message into a topic that no relay has sent.</summary>
    public static async Task SendAsync(KafkaCluster cluster, string topic, int partition, string key, string value)
    {
        using var producer = ClientOf(cluster).Producer();
        await producer.ProduceAsync(
            new TopicPartition(topic, partition),
            new() { Key = Encoding.UTF8.GetBytes(key), Value = Encoding.UTF8.GetBytes(value) });
    }

    /// <summary>Reads a topic from its beginning until there are so many messages.</summary>
    public static async Task<List<RawMessage>> ReadAsync(KafkaCluster cluster, Topic topic, int count)
    {
        using var consumer = ClientOf(cluster).Consumer("raw").Build();
        consumer.Assign(Enumerable.Range(0, topic.Partitions)
            .Select(p => new TopicPartitionOffset(topic.Name, p, Offset.Beginning)));
        var read = new List<RawMessage>();
        await Eventually.HoldsAsync(
            () =>
            {
                while (consumer.Consume(0) is { } result)
                {
                    if (!result.IsPartitionEOF)
                    {
                        read.Add(Of(result));
                    }
                }

                return Task.FromResult(read.Count >= count);
            },
            () => $"{count} messages are in {topic.Name}, not {read.Count}");
        return read;
    }

    private static RawMessage Of(ConsumeResult<byte[], byte[]> result) => new(
        result.Partition,
        Encoding.UTF8.GetString(result.Message.Key),
        Encoding.UTF8.GetString(result.Message.Value),
        result.Message.Headers.ToDictionary(h => h.Key, h => Encoding.UTF8.GetString(h.GetValueBytes())));

    private static KafkaClient ClientOf(KafkaCluster cluster) => new(
        cluster.Settings, new LogLog(Microsoft.Extensions.Logging.Abstractions.NullLogger<LogLog>.Instance));
}
