using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>
/// The log on Kafka. Appending is appending to the table, in the same transaction; a <see cref="KafkaRelay"/> forwards
/// what is committed, and readers are members of consumer groups. The table stays the truth: an event has the
/// table's offset everywhere, and a reader that misses one takes it from there (ADR 0027).
/// </summary>
internal sealed class KafkaLog(
    EmbeddedLog table, Database.Database database, KafkaClient client, LogSettings settings, ConsumerTools tools)
    : IEventLog, IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly List<KafkaReader> readers = [];

    /// <summary>Called after each commit of an append here.</summary>
    public event Action? Appended;

    /// <summary>True until every group has told this process its part of the partitions.</summary>
    public bool IsJoining
    {
        get
        {
            lock (gate)
            {
                return readers.Count == 0 || readers.Exists(reader => !reader.HasJoined);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask AppendAsync(Tx tx, IReadOnlyList<NewEvent> events)
    {
        await table.AppendAsync(tx, events);
        if (events.Count > 0)
        {
            tx.OnCommitted(() => Appended?.Invoke());
        }
    }

    /// <inheritdoc/>
    public ValueTask BuriedAsync(Tx tx, Topic topic, DeadLetter letter) =>
        AppendAsync(tx, [KafkaMessages.EventOf(topic, letter)]);

    /// <inheritdoc/>
    public async ValueTask<ILogReader> SubscribeAsync(
        string group, IReadOnlyList<Topic> topics, CancellationToken cancel)
    {
        await table.JoinAsync(group, topics, cancel);
        var reader = new KafkaReader(
            group, topics, new ReaderParts(database, client, this, settings, tools), gone => Forget(gone));
        lock (gate)
        {
            readers.Add(reader);
        }

        return reader;
    }

    /// <summary>Creates the topics in the table, with those of their dead letters.</summary>
    /// <exception cref="InvariantViolatedException">Says what is stored otherwise and what to do.</exception>
    public ValueTask CreateTopicsAsync(IReadOnlyList<Topic> topics, CancellationToken cancel) =>
        table.CreateTopicsAsync(WithLetters(topics), cancel);

    /// <summary>The topics, and those of their dead letters.</summary>
    public static IReadOnlyList<Topic> WithLetters(IReadOnlyList<Topic> topics) =>
        [.. topics, .. topics.Select(KafkaMessages.LettersOf)];

    /// <summary>Ends the readers that are left.</summary>
    public async ValueTask DisposeAsync()
    {
        List<KafkaReader> left;
        lock (gate)
        {
            left = [.. readers];
        }

        await Task.WhenAll(left.Select(reader => reader.DisposeAsync().AsTask()));
    }

    private void Forget(KafkaReader reader)
    {
        lock (gate)
        {
            readers.Remove(reader);
        }
    }
}
