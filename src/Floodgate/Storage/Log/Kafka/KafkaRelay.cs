using Confluent.Kafka;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>What the relay works with.</summary>
internal sealed record RelayParts(
    Database.Database Database, KafkaClient Client, KafkaTopics Checked, RelayShares Shares, LogSettings Settings)
{
    /// <summary>The topics to forward.</summary>
    public required IReadOnlyList<Topic> Topics { get; init; }

    /// <summary>Messages and metrics.</summary>
    public required LogLog Log { get; init; }

    /// <summary>The clock.</summary>
    public required TimeProvider Time { get; init; }
}

/// <summary>
/// Forwards the events of the table to Kafka: each partition in its order, to the partition of the same number. Runs
/// on every node; the partitions are divided by <see cref="RelayShares"/>. A round reads what is new, sends it, and
/// waits for the brokers; progress is committed now and then as the offsets of a group. What was sent and not
/// committed when a relay died, or a share changed hands, is sent again: readers drop what they have seen.
/// </summary>
internal sealed class KafkaRelay(RelayParts parts) : BackgroundService
{
    /// <summary>The group whose offsets are the relays' progress: the sweep spares what is not forwarded.</summary>
    public const string Group = "kafka-relay";

    private static readonly TimeSpan CommitEvery = TimeSpan.FromMilliseconds(250);

    private readonly Coordination.Signal woken = new();
    private readonly Dictionary<long, (Topic Topic, int Number)> partitions = parts.Topics
        .SelectMany(t => Enumerable.Range(0, t.Partitions).Select(p => (Topic: t, Number: p)))
        .ToDictionary(p => p.Topic.PartitionId(p.Number));

    // The loop's own: how far each held partition is sent and committed.
    private readonly Dictionary<long, (long Sent, long Committed)> places = [];
    private IProducer<byte[], byte[]>? producer;
    private long committedAt;

    private Exception? failure;

    /// <summary>Why it stopped by itself; null while all is well.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>Tells that something was appended here.</summary>
    public void Wake() => woken.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await parts.Checked.Ready.WaitAsync(stoppingToken);
            while (!stoppingToken.IsCancellationRequested)
            {
                if (!await TryOnceAsync(stoppingToken))
                {
                    await woken.WaitAsync(
                        TimeSpan.FromMilliseconds(parts.Settings.Kafka!.RelayPollMs), parts.Time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal end.
        }
        catch (Exception error) // The edge of the loop: readiness tells that this relay stands still.
        {
            Volatile.Write(ref failure, error);
            parts.Log.Stopped(Group, error);
        }

        await LeaveAsync();
    }

    /// <summary>One round; true when there may be more to do at once.</summary>
    private async ValueTask<bool> TryOnceAsync(CancellationToken stop)
    {
        try
        {
            if (await parts.Shares.KeepAsync(stop))
            {
                await CommitAsync(stop);
                await parts.Shares.GiveAsync(stop);
            }

            var due = await DueAsync(stop);
            if (due.Count > 0)
            {
                return await ForwardAsync(due, stop);
            }

            TellAge(0);
            await CommitAsync(stop);
        }
        catch (DatabaseUnavailableException error)
        {
            parts.Log.DatabaseAway(Group, error.Message);
        }

        return false;
    }

    /// <summary>The held partitions with something new, and how much; begins with those that were taken.</summary>
    private async ValueTask<List<(long Partition, long From, long Next)>> DueAsync(CancellationToken stop)
    {
        foreach (var gone in places.Keys.Where(id => !parts.Shares.Holds(id)).ToList())
        {
            places.Remove(gone);
        }

        var taken = partitions.Keys.Where(id => !places.ContainsKey(id) && parts.Shares.Holds(id)).ToList();
        if (taken.Count > 0)
        {
            var stored = await parts.Database.WriteAsync(
                tx =>
                {
                    LogSql.CreateGroup(tx, Group, taken);
                    return LogSql.SelectOffsetsAsync(tx, Group);
                },
                stop);
            foreach (var (id, committed, _) in stored.Where(o => taken.Contains(o.Partition)))
            {
                places[id] = (committed, committed);
            }
        }

        var heads = await parts.Database.ReadAsync(KafkaSql.SelectHeadsAsync, stop);
        return
        [
            .. heads.Where(h => places.TryGetValue(h.Partition, out var place) && place.Sent < h.Next)
                .Select(h => (h.Partition, places[h.Partition].Sent, h.Next)),
        ];
    }

    /// <summary>Sends a page of each partition and waits for the brokers; false when they did not take all.</summary>
    private async ValueTask<bool> ForwardAsync(
        List<(long Partition, long From, long Next)> due, CancellationToken stop)
    {
        var page = Math.Max(1, parts.Settings.FetchMax / due.Count);
        var events = await parts.Database.ReadAsync(
            tx => LogSql.SelectAsync(tx, [.. due.Select(d => (d.Partition, d.From, page))], Map), stop);
        foreach (var (partition, _, next) in due.ExceptBy(events.Select(e => e.Event.PartitionId), d => d.Partition))
        {
            places[partition] = places[partition] with { Sent = next }; // Swept before this group was made.
        }

        var oldestMs = events.Count == 0 ? 0 : events.Min(e => e.AtMs);
        TellAge(oldestMs);
        var round = new RelayRound(events.Count);
        producer ??= parts.Client.Producer();
        for (var i = 0; i < events.Count; i++)
        {
            Send(producer, round, i, events[i].Event, events[i].AtMs);
        }

        // Nothing is given back in the middle of a round; the leases go on being renewed.
        while (await Task.WhenAny(round.Answered, Task.Delay(CommitEvery, parts.Time, stop)) != round.Answered)
        {
            stop.ThrowIfCancellationRequested();
            TellAge(oldestMs);
            await parts.Shares.KeepAsync(stop);
        }

        var isWhole = Advance(events, round);
        if (parts.Time.GetElapsedTime(committedAt) >= CommitEvery)
        {
            await CommitAsync(stop);
        }

        return isWhole;
    }

    private void Send(IProducer<byte[], byte[]> to, RelayRound round, int place, LoggedEvent e, long atMs)
    {
        try
        {
            to.Produce(
                new TopicPartition(e.Topic.Name, e.Partition),
                KafkaMessages.Of(e, atMs),
                report => round.Answer(place, report.Error));
        }
        catch (ProduceException<byte[], byte[]> error)
        {
            round.Answer(place, error.Error);
        }
    }

    // Up to the first of a partition that the brokers did not take. One that they never will is passed over: it stays
    // in the table, where readers find what is missing between two messages.
    private bool Advance(List<(LoggedEvent Event, long AtMs)> events, RelayRound round)
    {
        var stuck = new HashSet<long>();
        for (var i = 0; i < events.Count; i++)
        {
            var (e, error) = (events[i].Event, round.ErrorOf(i));
            if (error is { Code: ErrorCode.MsgSizeTooLarge or ErrorCode.InvalidMsg })
            {
                parts.Log.NotForwarded(e.Topic.Name, e.Partition, e.Offset, error.Reason);
                error = null;
            }

            if (error is not null && stuck.Add(e.PartitionId))
            {
                parts.Log.BrokerRefuses(e.Topic.Name, e.Partition, error.Reason);
            }

            if (!stuck.Contains(e.PartitionId))
            {
                places[e.PartitionId] = places[e.PartitionId] with { Sent = e.Offset + 1 };
            }
        }

        if (round.IsFatal)
        {
            producer!.Dispose(); // The idempotent producer of these brokers is at its end; the next round makes one.
            producer = null;
        }

        return stuck.Count == 0;
    }

    private void TellAge(long oldestMs) =>
        parts.Log.BacklogAge(oldestMs == 0 ? 0 : (UtcInstant.Now(parts.Time).Ms - oldestMs) / 1_000.0);

    private async ValueTask CommitAsync(CancellationToken stop)
    {
        var moved = places.Where(p => p.Value.Sent > p.Value.Committed).ToList();
        if (moved.Count == 0)
        {
            return;
        }

        await parts.Database.WriteAsync(
            tx =>
            {
                LogSql.CommitOffsets(
                    tx, Group, [.. moved.Select(m => OffsetOf(m.Key, m.Value.Sent)).OrderBy(o => o.Topic.Number)]);
                return ValueTask.FromResult(0);
            },
            stop);
        foreach (var (id, (sent, _)) in moved)
        {
            places[id] = (sent, sent);
        }

        committedAt = parts.Time.GetTimestamp();
    }

    private async ValueTask LeaveAsync()
    {
        producer?.Dispose();
        try
        {
            await CommitAsync(CancellationToken.None);
            await parts.Shares.LeaveAsync();
        }
        catch (DatabaseUnavailableException error)
        {
            parts.Log.DatabaseAway(Group, error.Message); // The leases end by themselves.
        }
    }

    private GroupOffset OffsetOf(long id, long next) => new(partitions[id].Topic, partitions[id].Number, next);

    private (LoggedEvent Event, long AtMs) Map(Row row)
    {
        var (topic, number) = partitions[row.Long(0)];
        return (new(topic, number, row.Long(1), row.Text(2), row.Text(3), row.Text(4)), row.Long(5));
    }
}

/// <summary>
/// The answers to the messages of one round. Answered by the client's thread, read after the last answer.
/// </summary>
internal sealed class RelayRound
{
    private readonly TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Error?[] errors;
    private int left;

    public RelayRound(int messages)
    {
        errors = new Error?[messages];
        left = messages;
        if (messages == 0)
        {
            answered.SetResult();
        }
    }

    /// <summary>Completes when every message has its answer.</summary>
    public Task Answered => answered.Task;

    /// <summary>True when the producer can send no more.</summary>
    public bool IsFatal => errors.Any(e => e is { IsFatal: true });

    /// <summary>Why the message was not taken; null when it was.</summary>
    public Error? ErrorOf(int place) => errors[place];

    /// <summary>Takes note of an answer.</summary>
    public void Answer(int place, Error error)
    {
        errors[place] = error.IsError ? error : null;
        if (Interlocked.Decrement(ref left) == 0)
        {
            answered.TrySetResult();
        }
    }
}
