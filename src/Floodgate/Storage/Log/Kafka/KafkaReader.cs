using Confluent.Kafka;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log.Kafka;

/// <summary>What a reader works with.</summary>
internal sealed record ReaderParts(
    Database.Database Database, KafkaClient Client, IEventLog Log, LogSettings Settings, ConsumerTools Tools);

/// <summary>
/// A member of a consumer group. A thread of its own polls the client always, whatever the handlers do, so a slow one
/// never gets it evicted; what it cannot keep it pauses. Events are handed out by their offsets in the table, each
/// once in an assignment and none left out: what a partition's messages skip is read from the table.
/// </summary>
internal sealed class KafkaReader : ILogReader
{
    private const int PollMs = 50;
    private const int ForeignMax = 100;

    // Set once.
    private readonly string group;
    private readonly ReaderParts parts;
    private readonly Action<KafkaReader> left;
    private readonly ReaderPlace[] places;
    private readonly Dictionary<TopicPartition, ReaderPlace> byName;
    private readonly Dictionary<string, Topic> topics;
    private readonly int placeMax;
    private readonly ReaderGaps gaps;
    private readonly ForeignMessages foreign;
    private readonly CancellationTokenSource ending = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The places are under the gate.
    private readonly Lock gate = new();

    // Rung by the polling thread.
    private readonly Signal arrived = new();
    private volatile Exception? failure;
    private volatile bool hasJoined;

    // Of the loop that fetches.
    private bool isPolling;
    private int turn;

    private GiveUpPartitions giveUp = (_, _) => Task.CompletedTask;

    public KafkaReader(string group, IReadOnlyList<Topic> topics, ReaderParts parts, Action<KafkaReader> left)
    {
        this.group = group;
        this.parts = parts;
        this.left = left;
        this.topics = topics.ToDictionary(t => t.Name);
        places = [.. topics.SelectMany(t => Enumerable.Range(0, t.Partitions).Select(p => new ReaderPlace(t, p)))];
        byName = places.ToDictionary(p => new TopicPartition(p.Topic.Name, p.Number));
        placeMax = Math.Max(64, 2 * parts.Settings.FetchMax / places.Length);
        gaps = new ReaderGaps(group, places, gate, parts);
        foreign = new ForeignMessages(group, parts);
    }

    /// <summary>True once the group has told this member its part of the partitions, be it none.</summary>
    public bool HasJoined => hasJoined;

    /// <inheritdoc/>
    public void WhenRevoked(GiveUpPartitions giveUp) => this.giveUp = giveUp;

    /// <inheritdoc/>
    public bool Holds(LoggedEvent e)
    {
        lock (gate)
        {
            return byName[new(e.Topic.Name, e.Partition)].Turn == e.Turn;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<LoggedEvent>> FetchAsync(int max, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Poll();
        while (true)
        {
            await BeginAsync(cancel);
            if (await TakeAsync(max, cancel) is { Count: > 0 } events)
            {
                return events;
            }

            if (failure is { } error)
            {
                throw new InvalidOperationException("The polling thread of a Kafka consumer has ended.", error);
            }

            if (!await arrived.WaitAsync(
                TimeSpan.FromMilliseconds(parts.Settings.PollMs), parts.Tools.Time, cancel))
            {
                StopFilling();
            }
        }
    }

    /// <summary>Joins the group without taking anything, and completes when there is something to take.</summary>
    public async Task PrimeAsync(CancellationToken cancel)
    {
        Poll();
        while (true)
        {
            await BeginAsync(cancel);
            lock (gate)
            {
                if (IsFilled() && places.Any(p => p.FirstWaiting is not null))
                {
                    return;
                }
            }

            await arrived.WaitAsync(Timeout.InfiniteTimeSpan, parts.Tools.Time, cancel);
        }
    }

    /// <inheritdoc/>
    public void CommitOffsets(Tx tx, IReadOnlyList<GroupOffset> offsets)
    {
        LogSql.CommitOffsets(tx, group, offsets);
        tx.OnCommitted(() =>
        {
            lock (gate)
            {
                foreach (var offset in offsets)
                {
                    byName[new(offset.Topic.Name, offset.Partition)].Commit(offset.NextOffset);
                }
            }
        });
    }

    /// <inheritdoc/>
    public async ValueTask<long> LagAsync(Tx tx)
    {
        var mine = places.Select(p => p.Topic.PartitionId(p.Number)).ToHashSet();
        return (await LogSql.SelectOffsetsAsync(tx, group))
            .Where(o => mine.Contains(o.Partition)).Sum(o => o.Head - o.Committed);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        left(this);
        if (!ending.IsCancellationRequested)
        {
            await ending.CancelAsync();
        }

        if (isPolling)
        {
            await ended.Task;
        }
    }

    private void Poll()
    {
        if (!isPolling)
        {
            isPolling = true;
            new Thread(RunPolling) { IsBackground = true, Name = $"kafka-{group}" }.Start();
        }
    }

    // Asks for the group's offsets of what was assigned, before anything of it is handed out.
    private async ValueTask BeginAsync(CancellationToken cancel)
    {
        List<(ReaderPlace Place, int Turn)> fresh;
        lock (gate)
        {
            fresh = [.. places.Where(p => p is { IsAssigned: true, Next: null }).Select(p => (p, p.Turn))];
        }

        if (fresh.Count == 0)
        {
            return;
        }

        try
        {
            var stored = (await parts.Database.ReadAsync(tx => LogSql.SelectOffsetsAsync(tx, group), cancel))
                .ToDictionary(o => o.Partition);
            lock (gate)
            {
                foreach (var (place, _) in fresh.Where(f => f.Place.Turn == f.Turn))
                {
                    var (_, committed, head) = stored[place.Topic.PartitionId(place.Number)];
                    place.Begin(committed, head);
                }
            }
        }
        finally
        {
            arrived.Set(); // Whether it succeeded or not, the next look finds more.
        }
    }

    private async ValueTask<List<LoggedEvent>> TakeAsync(int max, CancellationToken cancel)
    {
        if (await gaps.FillAsync(max, cancel) is { } missed)
        {
            arrived.Set(); // There may be more behind it.
            if (missed.Count > 0)
            {
                return missed;
            }
        }

        var taken = new List<LoggedEvent>();
        lock (gate)
        {
            if (!IsFilled())
            {
                return taken;
            }

            // They take turns; the one that is first now is the last of the next call.
            for (var more = true; more && taken.Count < max;)
            {
                more = false;
                var share = Math.Max(1, (max - taken.Count) / places.Length);
                for (var i = 0; i < places.Length && taken.Count < max; i++)
                {
                    var place = places[(turn + i) % places.Length];
                    for (var n = 0; n < share && taken.Count < max && place.Take() is { } e; n++)
                    {
                        taken.Add(e);
                        more = true;
                    }
                }

                turn = (turn + 1) % places.Length;
            }
        }

        return taken;
    }

    // A new assignment's partitions arrive one after the other: the first must not be taken for all there is.
    private bool IsFilled() => places.All(p => !p.IsAssigned || p.IsFilled);

    private void StopFilling()
    {
        lock (gate)
        {
            foreach (var place in places.Where(p => p.IsAssigned))
            {
                place.IsFilled = true;
            }
        }
    }

    private void RunPolling()
    {
        try
        {
            while (!ending.IsCancellationRequested)
            {
                using var consumer = parts.Client.Consumer(group)
                    .SetPartitionsAssignedHandler((_, given) => Assign(given))
                    .SetPartitionsRevokedHandler((member, gone) => Revoke(member, gone))
                    .SetPartitionsLostHandler((_, gone) => Lose(gone))
                    .Build();
                consumer.Subscribe(topics.Keys);
                PollWhileWell(consumer);
                Leave(consumer);
            }
        }
        catch (Exception error) // The edge of the thread: whoever fetches gets it.
        {
            failure = error;
            arrived.Set();
        }

        ended.SetResult();
    }

    private void Leave(IConsumer<byte[], byte[]> consumer)
    {
        try
        {
            consumer.Close();
        }
        catch (KafkaException error)
        {
            parts.Tools.Log.OfClient(error.Error.Reason); // The group notices at the end of the session.
        }
    }

    private void PollWhileWell(IConsumer<byte[], byte[]> consumer)
    {
        var tendedAt = Environment.TickCount64;
        while (!ending.IsCancellationRequested)
        {
            try
            {
                if (consumer.Consume(PollMs) is { } result)
                {
                    Arrive(result);
                }
            }
            catch (ConsumeException error)
            {
                parts.Tools.Log.OfClient(error.Error.Reason);
                if (error.Error.IsFatal)
                {
                    return; // A new client goes on where this one was.
                }
            }

            if (Environment.TickCount64 - tendedAt >= PollMs)
            {
                Tend(consumer);
                tendedAt = Environment.TickCount64;
            }
        }
    }

    private void Arrive(ConsumeResult<byte[], byte[]> result)
    {
        var place = byName.GetValueOrDefault(result.TopicPartition);
        var source = result.IsPartitionEOF ? null : KafkaMessages.SourceOffsetOf(result.Message);
        var isForeign = !result.IsPartitionEOF && (source is null || place is null);
        lock (gate)
        {
            if (isForeign)
            {
                place?.ArriveForeign(result.Offset);
            }
            else if (result.IsPartitionEOF)
            {
                place?.IsFilled = true;
            }
            else
            {
                place!.Arrive(EventOf(place, source!.Value, result.Message), result.Offset);
            }
        }

        if (isForeign)
        {
            _ = foreign.BuryAsync(topics[result.Topic], result, () => Buried(place, result.Offset), ending.Token);
        }

        arrived.Set();
    }

    private void Buried(ReaderPlace? place, long at)
    {
        lock (gate)
        {
            place?.Foreign.Remove(at);
        }
    }

    private static LoggedEvent EventOf(ReaderPlace place, long source, Message<byte[], byte[]> message) => new(
        place.Topic, place.Number, source, KafkaMessages.TextOf(message.Key), KafkaMessages.TypeOf(message),
        KafkaMessages.TextOf(message.Value));

    /// <summary>Pauses what is full, resumes what has room, and stores how far the group is.</summary>
    private void Tend(IConsumer<byte[], byte[]> consumer)
    {
        List<TopicPartition> full = [], roomy = [];
        List<TopicPartitionOffset> done;
        lock (gate)
        {
            foreach (var (name, place) in byName.Where(p => p.Value.IsAssigned))
            {
                var isFull = place.Count > placeMax || place.Foreign.Count > ForeignMax;
                if (isFull != place.IsPaused && (isFull || place.Count < placeMax / 2))
                {
                    place.IsPaused = isFull;
                    (isFull ? full : roomy).Add(name);
                }
            }

            done = ToStore(byName.Where(p => p.Value.IsAssigned).Select(p => p.Key));
        }

        consumer.Pause(full);
        consumer.Resume(roomy);
        Store(consumer, done);
    }

    private List<TopicPartitionOffset> ToStore(IEnumerable<TopicPartition> names) =>
    [
        .. from name in names
           let place = byName.GetValueOrDefault(name)
           where place is not null
           let offset = place.ToStore()
           where offset is not null
           select new TopicPartitionOffset(name, offset.Value),
    ];

    private void Store(IConsumer<byte[], byte[]> consumer, List<TopicPartitionOffset> offsets)
    {
        foreach (var offset in offsets)
        {
            try
            {
                consumer.StoreOffset(offset);
            }
            catch (KafkaException error)
            {
                // Taken away in this moment. The group's own offset is in the database.
                parts.Tools.Log.OfClient(error.Error.Reason);
            }
        }
    }

    private void Assign(List<TopicPartition> given)
    {
        lock (gate)
        {
            foreach (var place in PlacesOf(given))
            {
                place.Assign();
            }
        }

        hasJoined = true;
        parts.Tools.Log.Assigned(group, given.Count);
        arrived.Set();
    }

    // The client hands the partitions over when this returns: until then what is in work has time to finish.
    private void Revoke(IConsumer<byte[], byte[]> member, List<TopicPartitionOffset> gone)
    {
        var names = gone.ConvertAll(g => g.TopicPartition);
        List<(Topic, int)> mine;
        lock (gate)
        {
            mine = [.. PlacesOf(names).Select(p => (p.Topic, p.Number))];
            foreach (var place in PlacesOf(names))
            {
                place.Close(); // First: what is handed out after the drain would be in two hands.
            }
        }

        parts.Tools.Log.Revoked(group, gone.Count);
        // tidy: blocking: the callback is how the client is made to wait, in a thread that has nothing else to do.
        giveUp(mine, areLost: false).GetAwaiter().GetResult();
        List<TopicPartitionOffset> done;
        lock (gate)
        {
            done = ToStore(names);
            Leave(names);
        }

        Store(member, done);
    }

    // They are others' already; what is in work here is repeated there.
    private void Lose(List<TopicPartitionOffset> gone)
    {
        var names = gone.ConvertAll(g => g.TopicPartition);
        List<(Topic, int)> mine;
        lock (gate)
        {
            mine = [.. PlacesOf(names).Select(p => (p.Topic, p.Number))];
            Leave(names);
        }

        parts.Tools.Log.Lost(group, gone.Count);
        _ = giveUp(mine, areLost: true);
    }

    private void Leave(List<TopicPartition> names)
    {
        foreach (var place in PlacesOf(names))
        {
            place.Leave();
        }
    }

    private IEnumerable<ReaderPlace> PlacesOf(List<TopicPartition> names) =>
        names.Select(n => byName.GetValueOrDefault(n)).OfType<ReaderPlace>();
}
