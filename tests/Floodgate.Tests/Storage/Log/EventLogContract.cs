using System.Globalization;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: every event log keeps the same promises, so that what is built on one works on all. Method: only
/// <see cref="IEventLog"/> and <see cref="ILogReader"/> are used; each implementation is one subclass.
/// </summary>
public abstract class EventLogContract(LogStage stage) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await stage.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    // Goal: nobody acts on what may be rolled back. Method: a reader reads inside of the appending transaction.
    [Fact]
    public async Task An_event_is_visible_only_after_its_transaction_commits()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        await stage.AppendAsync(Numbered("k", 1));
        await stage.ArrivedAsync(reader); // Inside of the transaction SQLite cannot wait.

        var seenBefore = await stage.WriteAsync(async tx =>
        {
            await stage.Log.AppendAsync(tx, [Numbered("k", 2)]);
            return await reader.FetchAsync(10, CancellationToken.None);
        });

        Assert.Equal(["1"], seenBefore.Select(e => e.Payload));
        Assert.Equal(["2"], (await FetchAsync(reader, 1)).Select(e => e.Payload));
    }

    // Goal: state and event stay one. Method: a transaction that fails after its append, then one that does not.
    [Fact]
    public async Task An_event_of_a_rolled_back_transaction_is_never_read()
    {
        var reader = await stage.SubscribeAsync("g", Payments);

        await Assert.ThrowsAsync<TimeZoneNotFoundException>(() => stage.WriteAsync<bool>(async tx =>
        {
            await stage.Log.AppendAsync(tx, [Numbered("k", 1)]);
            throw new TimeZoneNotFoundException();
        }).AsTask());
        await stage.AppendAsync(Numbered("k", 2));

        Assert.Equal(["2"], (await FetchAsync(reader, 1)).Select(e => e.Payload));
        Assert.Equal(1, await stage.LagAsync(reader));
    }

    // Goal: an event comes back as it went in. Method: all fields, a long key, text beyond ASCII.
    [Fact]
    public async Task An_event_is_read_as_it_was_appended()
    {
        var key = "주문-" + new string('x', 3_000);
        var reader = await stage.SubscribeAsync("g", Results);
        await stage.AppendAsync(new NewEvent(Results, key, "payment.captured/1", """{"memo":"결제 😀 '\\"}"""));

        var read = Assert.Single(await FetchAsync(reader, 1));

        Assert.Equal(Results, read.Topic);
        Assert.Equal(Results.PartitionOf(key), read.Partition);
        Assert.Equal((key, "payment.captured/1"), (read.Key, read.Type));
        Assert.Equal("""{"memo":"결제 😀 '\\"}""", read.Payload);
    }

    // Goal: order per key. Method: batches of mixed keys; offsets rise in each partition, payloads for each key.
    [Fact]
    public async Task Keys_are_read_in_the_order_of_their_appends()
    {
        var reader = await stage.SubscribeAsync("g", Payments, Results);
        for (var n = 0; n < 60; n += 3)
        {
            await stage.AppendAsync(
                Numbered("a", n), Numbered($"b{n % 7}", n), Numbered("a", n + 1), Numbered("a", n, Results));
        }

        var events = await FetchAsync(reader, 80, max: 11);

        Assert.All(
            events.GroupBy(e => (e.Topic, e.Partition)),
            partition => Assert.Equal(partition.Select(e => e.Offset).Order(), partition.Select(e => e.Offset)));
        Assert.All(
            events.GroupBy(e => (e.Topic, e.Key)),
            key => Assert.Equal(key.Select(Number).Order(), key.Select(Number)));
        Assert.Equal(events.Count, events.DistinctBy(e => (e.Topic, e.Partition, e.Offset)).Count());
    }

    // Goal: commit order is read order under concurrency. Method: a counter whose row is locked until the commit
    // numbers the transactions; eight appenders; the shared key's numbers must come without gap or swap.
    [Fact]
    public async Task A_key_is_read_in_the_order_in_which_concurrent_transactions_committed()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        var reading = FetchAsync(reader, 400, max: 17);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(appender => Task.Run(async () =>
        {
            for (var i = 0; i < 25; i++)
            {
                await stage.WriteAsync(async tx =>
                {
                    var n = await NextInCommitOrderAsync(tx);
                    await stage.Log.AppendAsync(tx, [Numbered($"own-{appender}", n), Numbered("shared", n)]);
                    return n;
                });
            }
        })));

        var events = await reading.Soon();
        Assert.Equal(
            Enumerable.Range(1, 200).Select(n => (long)n),
            events.Where(e => e.Key == "shared").Select(Number));
        Assert.All(
            events.GroupBy(e => e.Key),
            key => Assert.Equal(key.Select(Number).Order(), key.Select(Number)));
    }

    // Goal: groups do not take events from each other. Method: one subscribes before, one after the append.
    [Fact]
    public async Task Each_group_reads_everything_from_the_beginning()
    {
        var early = await stage.SubscribeAsync("early", Payments);
        await stage.AppendAsync([.. Enumerable.Range(0, 30).Select(n => Numbered($"k{n}", n))]);
        var late = await stage.SubscribeAsync("late", Payments);

        var numbers = Enumerable.Range(0, 30).Select(n => (long)n).ToList();
        Assert.Equal(numbers, (await FetchAsync(early, 30)).Select(Number).Order());
        Assert.Equal(numbers, (await FetchAsync(late, 30)).Select(Number).Order());
    }

    // Goal: a restart goes on where the group stood. Method: commit a part, subscribe again.
    [Fact]
    public async Task A_new_reader_goes_on_at_the_committed_offsets()
    {
        var key = KeyIn(2);
        await stage.AppendAsync([.. Enumerable.Range(0, 10).Select(n => Numbered(key, n))]);
        var reader = await stage.SubscribeAsync("g", Payments);
        var first = (await FetchAsync(reader, 10))[0].Offset;

        await stage.CommitAsync(reader, new GroupOffset(Payments, 2, first + 4));
        await reader.DisposeAsync();

        var again = await stage.SubscribeAsync("g", Payments);
        Assert.Equal([4, 5, 6, 7, 8, 9], (await FetchAsync(again, 6)).Select(Number));
    }

    // Goal: a late, slow committer does no harm. Method: commit an offset, then a lower one.
    [Fact]
    public async Task An_offset_never_goes_back()
    {
        var key = KeyIn(1);
        await stage.AppendAsync([.. Enumerable.Range(0, 10).Select(n => Numbered(key, n))]);
        var reader = await stage.SubscribeAsync("g", Payments);
        var first = (await FetchAsync(reader, 10))[0].Offset;

        await stage.CommitAsync(reader, new GroupOffset(Payments, 1, first + 8));
        await stage.CommitAsync(reader, new GroupOffset(Payments, 1, first + 3));

        Assert.Equal(2, await stage.LagAsync(reader));
    }

    // Goal: offset and effect are one. Method: the transaction fails after it was given the offset.
    [Fact]
    public async Task An_offset_of_a_rolled_back_transaction_is_not_committed()
    {
        await stage.AppendAsync(Numbered("k", 1));
        var reader = await stage.SubscribeAsync("g", Payments);
        var read = (await FetchAsync(reader, 1))[0];

        await Assert.ThrowsAsync<TimeZoneNotFoundException>(() => stage.WriteAsync<bool>(tx =>
        {
            reader.CommitOffsets(tx, [new GroupOffset(Payments, read.Partition, read.Offset + 1)]);
            throw new TimeZoneNotFoundException();
        }).AsTask());

        await reader.DisposeAsync();
        Assert.Equal(["1"], (await FetchAsync(await stage.SubscribeAsync("g", Payments), 1)).Select(e => e.Payload));
    }

    // Goal: "lag is 0" means done. Method: count along over partitions, topics and groups.
    [Fact]
    public async Task Lag_is_exactly_what_the_group_has_not_committed()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        var other = await stage.SubscribeAsync("other", Payments, Results);
        Assert.Equal(0, await stage.LagAsync(reader));

        await stage.AppendAsync([.. Enumerable.Range(0, 40).Select(n => Numbered($"k{n}", n))]);
        await stage.AppendAsync(Numbered("k", 1, Results));
        Assert.Equal(40, await stage.LagAsync(reader));
        Assert.Equal(41, await stage.LagAsync(other));

        var ends = (await FetchAsync(reader, 40)).GroupBy(e => e.Partition)
            .Select(p => new GroupOffset(Payments, p.Key, p.Max(e => e.Offset) + 1)).ToArray();
        Assert.Equal(Payments.Partitions, ends.Length);
        await stage.CommitAsync(reader, ends[0] with { NextOffset = ends[0].NextOffset - 1 });
        await stage.CommitAsync(reader, ends[1..]);
        Assert.Equal(1, await stage.LagAsync(reader));

        await stage.CommitAsync(reader, ends);
        Assert.Equal(0, await stage.LagAsync(reader));
        Assert.Equal(41, await stage.LagAsync(other));
    }

    // Goal: a busy partition does not starve the others. Method: one event at a time while one partition has many.
    [Fact]
    public async Task Partitions_take_turns_when_fewer_events_are_wanted_than_there_are_partitions()
    {
        await stage.AppendAsync([.. Enumerable.Range(0, 50).Select(n => Numbered(KeyIn(0), n))]);
        await stage.AppendAsync(Numbered(KeyIn(3), 1_000));
        var reader = await stage.SubscribeAsync("g", Payments);

        var early = await FetchAsync(reader, 2 * Payments.Partitions, max: 1);

        Assert.Contains(early, e => Number(e) == 1_000);
        Assert.Equal(51, early.Count + (await FetchAsync(reader, 51 - early.Count, max: 3)).Count);
    }

    // Goal: a stop between wake-up and read loses nothing. Method: cancel fetches at every stage, then fetch.
    [Fact]
    public async Task A_cancelled_fetch_has_taken_nothing()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        using var stop = new CancellationTokenSource();
        var waiting = reader.FetchAsync(10, stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.Soon());

        await stage.AppendAsync(Numbered("k", 1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.FetchAsync(10, stop.Token).AsTask());

        Assert.Equal(["1"], (await FetchAsync(reader, 1)).Select(e => e.Payload));
    }

    protected static long Number(LoggedEvent e) => long.Parse(e.Payload, CultureInfo.InvariantCulture);
}
