using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: all or nothing, seen by nobody before its time. Method: break off at every point.</summary>
public abstract class TransactionsContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly Thing One = Thing.Number(1);

    // Goal: an exception of the work leaves nothing. Method: throw after queued and executed statements.
    [Fact]
    public async Task An_exception_of_the_work_leaves_nothing()
    {
        var isCommitted = false;
        await Assert.ThrowsAsync<FormatException>(() => Db.WriteAsync<int>(async tx =>
        {
            tx.OnCommitted(() => isCommitted = true);
            await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(One), r => 0);
            await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf(Thing.Number(2)));
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(3)));
            throw new FormatException("the work gives up");
        }).AsTask());

        await Assert.ThrowsAsync<FormatException>(() => Db.WriteAsync(
            tx => tx.QueryAsync<int>(
                ThingSql.InsertReturning, ThingSql.RowsOf(Thing.Numbers(4, 3)), _ => throw new FormatException()))
            .AsTask());

        Assert.False(isCommitted);
        await OnlyRemainsAsync();
    }

    // Goal: an error of a statement rolls back, wherever it surfaces. Method: the last of several fails at the commit,
    // after one that has a result, so that the error comes late in the answer.
    [Fact]
    public async Task A_queued_statement_that_fails_at_the_commit_leaves_nothing()
    {
        var isCommitted = false;
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One)));

        await Assert.ThrowsAsync<StatementFailedException>(() => WriteAsync(tx =>
        {
            tx.OnCommitted(() => isCommitted = true);
            tx.Queue(ThingSql.InsertReturning, ThingSql.RowsOf(Thing.Number(2)));
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One));
        }).AsTask());

        Assert.False(isCommitted);
        await OnlyRemainsAsync(One);
    }

    // Goal: PostgreSQL answers the commit of a failed transaction with a silent rollback; nobody may take that for
    // success. Method: work that catches the error and goes on.
    [Fact]
    public async Task Work_that_hides_a_failed_statement_is_not_committed()
    {
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One)));

        await Assert.ThrowsAsync<InvariantViolatedException>(() => Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(2)));
            await Assert.ThrowsAnyAsync<Exception>(
                () => tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(One), r => 0).AsTask());
            return 0;
        }).AsTask());

        await Assert.ThrowsAsync<InvariantViolatedException>(() => Db.WriteAsync(async tx =>
        {
            await Assert.ThrowsAnyAsync<Exception>(
                () => tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(One), r => 0).AsTask());
            return await ThingSql.CountAsync(tx);
        }).AsTask());

        await OnlyRemainsAsync(One);
    }

    // Goal: an expectation that does not hold takes everything back and names its rule. Method: the second of
    // three, once at the commit and once before a query.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_violated_expectation_rolls_back_and_names_the_rule(bool withQuery)
    {
        var violation = await Assert.ThrowsAsync<InvariantViolatedException>(() => Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.InsertReturning, ThingSql.RowsOf(Thing.Numbers(1, 3)), 3, "three are inserted");
            tx.Queue(ThingSql.Add, ThingSql.Added(1, Thing.Numbers(3, 3)), 3, "three are changed");
            tx.Queue(ThingSql.Add, ThingSql.Added(1, One), 1, "one is changed");
            return withQuery ? await ThingSql.CountAsync(tx) : 0;
        }).AsTask());

        Assert.Contains("three are changed; expected 3 rows, changed 1", violation.Message);
        await OnlyRemainsAsync();
    }

    // Goal: OnCommitted tells the truth. Method: read with another transaction inside it, and inside the work.
    [Fact]
    public async Task Others_see_the_rows_from_the_commit_on_and_not_before()
    {
        var before = -1L;
        Task<long>? after = null;
        var isAnswered = false;
        await Db.WriteAsync(async tx =>
        {
            tx.OnCommitted(() =>
            {
                Assert.False(isAnswered);
                after = CountAsync().AsTask();
            });
            await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(One), r => 0);
            before = await CountAsync();
            return 0;
        });
        isAnswered = true;

        Assert.Equal(0, before);
        Assert.NotNull(after);
        Assert.Equal(1, await after);
    }

    // Goal: a broken promise of OnCommitted costs its own caller only. Method: throw in it, then write again.
    [Fact]
    public async Task An_exception_after_the_commit_reaches_the_caller_and_nobody_else()
    {
        await Assert.ThrowsAsync<FormatException>(() => WriteAsync(tx =>
        {
            tx.OnCommitted(() => throw new FormatException());
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One));
        }).AsTask());

        await OnlyRemainsAsync(One);
    }

    // Goal: checks that compare tables see one moment. Method: another transaction commits between two statements.
    [Fact]
    public async Task A_snapshot_sees_the_same_moment_in_every_statement()
    {
        var (before, after) = await Db.ReadSnapshotAsync(async tx =>
        {
            var before = await ThingSql.CountAsync(tx);
            var writing = WriteAsync(other => other.Queue(ThingSql.Insert, ThingSql.RowsOf(One))).AsTask();
            // SQLite's work may not suspend.
            Assert.True(SpinWait.SpinUntil(() => writing.IsCompleted, Eventually.Deadline));
            return (before, await ThingSql.CountAsync(tx));
        });

        Assert.Equal((0, 0), (before, after));
        await OnlyRemainsAsync(One);
    }

    // Goal: transactions that share a commit of SQLite do not share their fate. Method: hold the writers, let many
    // wait, every seventh failing in one of four ways.
    [Fact]
    public async Task One_that_fails_takes_nobody_along()
    {
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One)));
        var held = HoldWriters(Db, 1);
        var all = Enumerable.Range(100, 200).Select(n => FailSometimesAsync(n)).ToList();
        held.Set();

        await Task.WhenAll(all);

        var expected = Enumerable.Range(100, 200).Where(n => n % 7 != 0).Select(n => Thing.Number(n)).Prepend(One);
        await OnlyRemainsAsync([.. expected]);
    }

    // Goal: a caller that has gone does not get its turn. Method: cancel before, and while all writers are held.
    [Fact]
    public async Task Cancelling_ends_the_wait_for_a_turn_and_nothing_is_written()
    {
        var db = Place.Open(Place.Settings with { ConnectionsMax = 2 });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => InsertAsync(db, One, new(canceled: true)));

        using var gone = new CancellationTokenSource();
        var held = HoldWriters(db, Place.IsPostgreSql ? 2 : 1);
        var waiting = InsertAsync(db, One, gone.Token);
        await gone.CancelAsync();
        held.Set();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Eventually.Deadline));
        await OnlyRemainsAsync();
    }

    // Goal: a transaction that escapes from its work is dead. Method: use it afterwards.
    [Fact]
    public async Task A_transaction_is_over_when_its_work_has_returned()
    {
        var escaped = await Db.WriteAsync(ValueTask.FromResult);

        Assert.Throws<InvariantViolatedException>(() => escaped.Queue(ThingSql.Insert, ThingSql.RowsOf(One)));
        await Assert.ThrowsAsync<InvariantViolatedException>(() => ThingSql.CountAsync(escaped).AsTask());
        await OnlyRemainsAsync();
    }

    // Goal: closing loses nothing that was taken and takes nothing more. Method: close while a writer is held.
    [Fact]
    public async Task Closing_finishes_what_was_given_and_refuses_the_rest()
    {
        var db = Place.Open();
        var held = HoldWriters(db, 1);
        var given = InsertAsync(db, One, CancellationToken.None);
        var closing = Task.Run(() => db.DisposeAsync().AsTask());
        held.Set();

        await Task.WhenAll(given, closing).WaitAsync(Eventually.Deadline);
        await db.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => InsertAsync(db, One, CancellationToken.None));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => db.ReadAsync(ThingSql.CountAsync).AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => db.ReadSnapshotAsync(ThingSql.CountAsync).AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => db.TryOwnLogAsync(CancellationToken.None).AsTask());
        await OnlyRemainsAsync(One);
    }

    /// <summary>Exactly these things are there, writing still works, and no connection was lost on the way.</summary>
    private async Task OnlyRemainsAsync(params IReadOnlyList<Thing> things)
    {
        Assert.Equal(things.Select(t => t.Id), (await ThingsAsync()).Select(t => t.Id));
        await WriteAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows((1, 1)), 1, "a write works again"));
        Assert.Equal(0, Db.OpenConnections);
    }

    private async Task FailSometimesAsync(int number)
    {
        var insert = Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(number)));
            switch (number % 7 == 0 ? number % 4 : -1)
            {
                case 0:
                    throw new FormatException();
                case 1:
                    tx.Queue(ThingSql.Insert, ThingSql.RowsOf(One));
                    break;
                case 2:
                    await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(One), r => 0);
                    break;
                case 3:
                    tx.Queue(ThingSql.Add, ThingSql.Added(1, Thing.Number(-5)), 1, "it is there");
                    break;
            }

            return 0;
        }).AsTask();
        if (number % 7 == 0)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => insert);
        }
        else
        {
            await insert;
        }
    }

    private static Task<int> InsertAsync(Database db, Thing thing, CancellationToken cancel) => db.WriteAsync(
        tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(thing));
            return ValueTask.FromResult(0);
        },
        cancel).AsTask();

    /// <summary>Occupies so many turns to write until the result is set.</summary>
    private static ManualResetEvent HoldWriters(Database db, int turns)
    {
        var release = new ManualResetEvent(false);
        using var taken = new CountdownEvent(turns);
        for (var i = 0; i < turns; i++)
        {
            _ = Task.Run(() => db.WriteAsync(tx =>
            {
                taken.Signal();
                Assert.True(release.WaitOne(Eventually.Deadline));
                return ValueTask.FromResult(0);
            }).AsTask());
        }

        Assert.True(taken.WaitHandle.WaitOne(Eventually.Deadline));
        return release;
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class Transactions_on_SQLite() : TransactionsContract(null)
{
    // Goal: nobody makes all writers wait for something slow. Method: work that suspends and goes on later.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Work_that_suspends_is_refused_and_can_do_no_more(bool isRead)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var late = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        async ValueTask<int> Suspend(Tx tx)
        {
            await gate.Task;
            late.SetResult(Record.Exception(() => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(1)))));
            return 0;
        }

        await Assert.ThrowsAsync<InvariantViolatedException>(
            () => (isRead ? Db.ReadAsync(Suspend) : Db.WriteAsync(Suspend)).AsTask());
        gate.SetResult();

        Assert.IsType<InvariantViolatedException>(await late.Task);
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(2))));
        Assert.Equal(1, await CountAsync());
    }

    // Goal: a full disk is an outage for all who needed room, told with its setting, and ends when there is room.
    // Method: SQLite's own limit of pages; SQLite may roll back the whole shared transaction by itself.
    [Fact]
    public async Task A_full_disk_is_told_as_an_outage_and_writing_goes_on_when_there_is_room()
    {
        await WriteAsync(tx => tx.Queue(new Statement("pragma max_page_count = 100"), Rows.None));
        var writes = Thing.Numbers(1, 20).Select(thing => Record.ExceptionAsync(() => WriteAsync(
            tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(thing with { Body = new byte[50_000] }))).AsTask()));

        var errors = (await Task.WhenAll(writes.Select(write => write.AsTask()))).OfType<Exception>().ToList();

        Assert.InRange(errors.Count, 1, 20);
        Assert.All(errors, error => Assert.IsType<DatabaseUnavailableException>(error));
        Assert.Contains("Database:Directory", errors[0].Message);
        Assert.Equal(20 - errors.Count, await CountAsync());

        await WriteAsync(tx => tx.Queue(new Statement("pragma max_page_count = 100000"), Rows.None));
        await WriteAsync(tx => tx.Queue(
            ThingSql.Insert, ThingSql.RowsOf(Thing.Number(99) with { Body = new byte[500_000] })));
        Assert.Equal(21 - errors.Count, await CountAsync());
    }
}

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Transactions_on_PostgreSQL(PostgreSqlServer server) : TransactionsContract(server)
{
    // Goal: an error that only the commit can find is an error. Method: a constraint that is checked there.
    [Fact]
    public async Task A_commit_that_is_refused_is_not_answered_as_done()
    {
        var isCommitted = false;
        Migration deferred = new(
            "deferred-001",
            "create table once (id bigint not null, unique (id) deferrable initially deferred)");
        await Db.MigrateAsync([deferred], CancellationToken.None);
        var insert = new Statement("insert into once (id) select rows.id from {rows} returning id", Column.Long("id"));

        await Assert.ThrowsAsync<StatementFailedException>(() => WriteAsync(tx =>
        {
            tx.OnCommitted(() => isCommitted = true);
            tx.Queue(insert, Rows.Over(new long[] { 1, 1 }).Long(n => n));
        }).AsTask());

        Assert.False(isCommitted);
        var count = new Statement("select count(*) from once");
        Assert.Equal([0], await Db.ReadAsync(tx => tx.QueryAsync(count, Rows.None, r => r.Long(0))));
    }
}
