using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: PostgreSQL shows rows in the order of commits, not of sequence numbers; the reader must neither skip nor
/// reorder. Method: real connections and gates force the schedule in which the transaction that began first
/// commits last; the same schedule makes a naive reader of a sequence lose an event, so it can fail.
/// </summary>
public sealed class When_transactions_overlap(PostgreSqlServer server) : IAsyncLifetime
{
    private static readonly Statement CountBlocked = new(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");

    private static readonly Statement CountDeadlocks = new(
        "select deadlocks from pg_stat_database where datname = current_database()");

    private static readonly Statement InsertNumbered = new(
        "insert into numbered (payload) select rows.payload from {rows}", Column.Text("payload"));

    private static readonly Statement SelectNumbered = new(
        "select n.id, n.payload from {rows} join numbered n on n.id > rows.after order by n.id", Column.Long("after"));

    private readonly PostgreSqlStage stage = new(server);

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: nothing is skipped in one partition. Method: both transactions append to the same key.
    [Fact]
    public async Task The_second_append_to_a_partition_waits_and_is_read_after_the_first()
    {
        var reading = new Reading(stage, await stage.SubscribeAsync("g", Payments));

        var (whileOpen, afterwards) = await OverlapAsync(
            tx => stage.Log.AppendAsync(tx, [Numbered("k", 1)]),
            tx => stage.Log.AppendAsync(tx, [Numbered("k", 2)]),
            reading.ReadAsync);

        Assert.Empty(whileOpen);
        Assert.Equal(["1", "2"], afterwards);
    }

    // Goal: partitions do not wait for each other, and the late commit is still read. Method: two partitions.
    [Fact]
    public async Task An_append_to_another_partition_is_read_at_once_and_the_late_one_later()
    {
        var reading = new Reading(stage, await stage.SubscribeAsync("g", Payments));

        var (whileOpen, afterwards) = await OverlapAsync(
            tx => stage.Log.AppendAsync(tx, [Numbered(KeyIn(0), 1)]),
            tx => stage.Log.AppendAsync(tx, [Numbered(KeyIn(3), 2)]),
            reading.ReadAsync);

        Assert.Equal(["2"], whileOpen);
        Assert.Equal(["1"], afterwards);
    }

    // Goal: an append late in a long transaction gets a late place. Method: the first transaction begins (and writes)
    // first, but appends only after the second has committed.
    [Fact]
    public async Task A_transaction_that_began_first_and_appends_last_is_read_last()
    {
        var reader = await stage.SubscribeAsync("g", Payments);
        var hasBegun = Gate();
        var mayAppend = Gate();
        var first = stage.WriteAsync(async tx =>
        {
            await NextInCommitOrderAsync(tx);
            hasBegun.SetResult();
            await mayAppend.Task;
            await stage.Log.AppendAsync(tx, [Numbered("k", 1)]);
            return true;
        }).AsTask();
        await hasBegun.Task.Soon();

        await stage.AppendAsync(Numbered("k", 2));
        var early = await FetchAsync(reader, 1);
        mayAppend.SetResult();
        await first.Soon();

        Assert.Equal(["2", "1"], early.Concat(await FetchAsync(reader, 1)).Select(e => e.Payload));
    }

    // Goal: this file's schedule is the dangerous one. Method: a log numbered by a sequence, read by "greater than
    // the last one seen", in the same schedule, never sees the first event.
    [Fact]
    public async Task A_reader_of_a_plain_sequence_would_have_skipped_the_first_event()
    {
        await stage.Database.MigrateAsync(
            [new Migration("test-002", "create table numbered (id bigserial primary key, payload text not null)")],
            CancellationToken.None);
        var last = 0L;

        var (whileOpen, afterwards) = await OverlapAsync(
            tx => Insert(tx, "1"),
            tx => Insert(tx, "2"),
            async () =>
            {
                var rows = await stage.Database.ReadAsync(
                    tx => tx.QueryAsync(SelectNumbered, Rows.One(last).Long(l => l), r => (Id: r.Long(0), r.Text(1))),
                    default);
                last = rows.Select(r => r.Id).Append(last).Max();
                return [.. rows.Select(r => r.Item2)];
            });

        Assert.Equal(["2"], whileOpen);
        Assert.Empty(afterwards); // Event 1 is committed and lost.

        async ValueTask Insert(Tx tx, string payload)
        {
            tx.Queue(InsertNumbered, Rows.One(payload).Text(p => p));
            await tx.QueryAsync(CountBlocked, Rows.None, r => r.Long(0)); // Sends it.
        }
    }

    // Goal: heads are locked in one order. Method: many overlapping transactions over the same partitions, named
    // in opposite orders; the server counts no deadlock and no append fails.
    [Fact]
    public async Task Appends_to_the_same_partitions_in_opposite_orders_never_deadlock()
    {
        NewEvent[] forward = [.. Enumerable.Range(0, 4).Select(p => Numbered(KeyIn(p), p))];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(task => Task.Run(async () =>
        {
            for (var i = 0; i < 25; i++)
            {
                await stage.AppendAsync(task % 2 == 0 ? forward : [.. forward.Reverse()]);
            }
        })));

        Assert.Equal(800, await stage.LagAsync(await stage.SubscribeAsync("g", Payments)));
        Assert.Equal(0, await AskAsync(CountDeadlocks));
    }

    private static TaskCompletionSource Gate() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// The first transaction appends and stays open; the second appends and either commits or waits for a lock; read;
    /// the first commits, then the second if it has not; read again.
    /// </summary>
    private async Task<(List<string> WhileOpen, List<string> Afterwards)> OverlapAsync(
        Func<Tx, ValueTask> first, Func<Tx, ValueTask> second, Func<Task<List<string>>> readAsync)
    {
        var hasAppended = Gate();
        var mayCommit = Gate();
        var opening = stage.WriteAsync(async tx =>
        {
            await first(tx);
            hasAppended.SetResult();
            await mayCommit.Task;
            return true;
        }).AsTask();
        await hasAppended.Task.Soon();
        var overlapping = stage.WriteAsync(async tx =>
        {
            await second(tx);
            return true;
        }).AsTask();
        await Eventually.HoldsAsync(
            async () => overlapping.IsCompleted || await AskAsync(CountBlocked) > 0,
            () => "the second transaction has committed or waits for a lock");

        var whileOpen = await readAsync();
        mayCommit.SetResult();
        await opening.Soon();
        await overlapping.Soon();
        return (whileOpen, await readAsync());
    }

    private ValueTask<long> AskAsync(Statement question) => stage.Database.ReadAsync(
        async tx => (await tx.QueryAsync(question, Rows.None, r => r.Long(0)))[0], default);

    /// <summary>Reads what there is now: until the reader waits for its poll.</summary>
    private sealed class Reading(PostgreSqlStage stage, ILogReader reader)
    {
        public async Task<List<string>> ReadAsync()
        {
            var seen = new List<string>();
            while (true)
            {
                stage.Clock.Advance(TimeSpan.FromMilliseconds(1)); // The timers of earlier fetches are due earlier.
                using var stop = new CancellationTokenSource();
                var fetching = reader.FetchAsync(10, stop.Token).AsTask();
                var dry = stage.Clock.TimerAsync(TimeSpan.FromMilliseconds(stage.Settings.PollMs));
                if (await Task.WhenAny(fetching, dry).Soon() == dry)
                {
                    await stop.CancelAsync();
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
                    return seen;
                }

                seen.AddRange((await fetching).Select(e => e.Payload));
            }
        }
    }
}
