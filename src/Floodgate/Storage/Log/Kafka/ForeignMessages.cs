using Confluent.Kafka;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// Makes dead letters of messages that no relay sent. Idempotent by the message's place: its offset in the letter is
/// the broker's below zero, where the table has none.
/// </summary>
internal sealed class ForeignMessages(string group, ReaderParts parts)
{
    /// <summary>Writes the letter, however long the database is away, and tells when it is durable.</summary>
    public async Task BuryAsync(
        Topic topic, ConsumeResult<byte[], byte[]> result, Action buried, CancellationToken stop)
    {
        var tools = parts.Tools;
        var letter = new DeadLetter(
            tools.Ids.Next(), group, topic.Name, result.Partition, -1 - result.Offset.Value,
            KafkaMessages.TextOf(result.Message.Key), KafkaMessages.TypeOf(result.Message),
            KafkaMessages.TextOf(result.Message.Value),
            $"no relay sent this message (it has no header {KafkaMessages.SourceOffset}): it is at the broker's offset "
                + $"{result.Offset.Value}; send events through the API",
            1, "OPEN", UtcInstant.Now(tools.Time).Ms);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await parts.Database.WriteAsync(
                    async tx =>
                    {
                        LogSql.Insert(tx, [letter]);
                        await parts.Log.BuriedAsync(tx, topic, letter);
                        return 0;
                    },
                    stop);
                tools.Log.BuriedForeign(group, topic.Name, result.Partition, result.Offset.Value);
                buried();
                return;
            }
            catch (DatabaseUnavailableException error)
            {
                tools.Log.DatabaseAway(group, error.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(parts.Settings.PollMs), tools.Time, stop)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
