using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// How events and dead letters stand in Kafka. The names of the headers are a promise to readers outside.
/// </summary>
internal static class KafkaMessages
{
    /// <summary>The schema's name and version.</summary>
    public const string Type = "floodgate-type";

    /// <summary>
    /// The event's offset in the table: rises by one in each partition, and repeats only with the event.
    /// </summary>
    public const string SourceOffset = "floodgate-offset";

    private const string LetterType = "dead-letter/1";
    private const string LetterSuffix = ".dlq";
    private const int LetterPartitions = 3;
    private const int LetterRetentionDays = 30;
    private const int LetterNumbers = 1_000;

    /// <summary>
    /// The topic of a topic's dead letters. Its number is far above those of the topics, which are counted up from 1.
    /// </summary>
    public static Topic LettersOf(Topic topic) => new(
        LetterNumbers + topic.Number, topic.Name + LetterSuffix, LetterPartitions, LetterRetentionDays);

    /// <summary>A dead letter as an event of the table, on its way to its topic in Kafka.</summary>
    public static NewEvent EventOf(Topic topic, DeadLetter letter)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("topic", letter.Topic);
            json.WriteNumber("partition", letter.Partition);
            json.WriteNumber("offset", letter.Offset);
            json.WriteString("group", letter.Group);
            json.WriteString("type", letter.Type);
            json.WriteString("error", letter.Error);
            json.WriteNumber("attempts", letter.Attempts);
            json.WriteString("payload", letter.Payload);
            json.WriteEndObject();
        }

        return new NewEvent(
            LettersOf(topic),
            letter.Key,
            LetterType,
            Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    /// <summary>
    /// The message of an event; that of a dead letter has its origin in the headers and its payload inside.
    /// </summary>
    public static Message<byte[], byte[]> Of(LoggedEvent e, long atMs)
    {
        var headers = new Headers
        {
            { Type, Encoding.UTF8.GetBytes(e.Type) },
            { SourceOffset, Encoding.ASCII.GetBytes(e.Offset.ToString(CultureInfo.InvariantCulture)) },
        };
        var payload = e.Payload;
        if (e.Type == LetterType && e.Topic.Name.EndsWith(LetterSuffix, StringComparison.Ordinal))
        {
            using var letter = JsonDocument.Parse(e.Payload);
            foreach (var property in letter.RootElement.EnumerateObject())
            {
                if (property.Name == "payload")
                {
                    payload = property.Value.GetString()!;
                }
                else
                {
                    headers.Add($"origin-{property.Name}", Encoding.UTF8.GetBytes(property.Value.ToString()));
                }
            }
        }

        return new()
        {
            Key = Encoding.UTF8.GetBytes(e.Key),
            Value = Encoding.UTF8.GetBytes(payload),
            Headers = headers,
            Timestamp = new(atMs, TimestampType.CreateTime),
        };
    }

    /// <summary>The offset in the table; null for a message that no relay sent.</summary>
    public static long? SourceOffsetOf(Message<byte[], byte[]> message) =>
        message.Headers is { } headers
        && headers.TryGetLastBytes(SourceOffset, out var bytes)
        && long.TryParse(bytes, NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            ? offset
            : null;

    /// <summary>The text of a key, value or header, as both databases can keep it.</summary>
    public static string TextOf(byte[]? bytes) =>
        bytes is null ? "" : Encoding.UTF8.GetString(bytes).Replace('\0', '\uFFFD');

    /// <summary>The schema's name and version; empty when there is none.</summary>
    public static string TypeOf(Message<byte[], byte[]> message) =>
        message.Headers is { } headers && headers.TryGetLastBytes(Type, out var bytes) ? TextOf(bytes) : "";
}
