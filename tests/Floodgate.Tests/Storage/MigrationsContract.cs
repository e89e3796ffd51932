using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: every node finds the whole schema, made once. Method: start in every awkward way.</summary>
public abstract class MigrationsContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly Statement Steps = new("select step from history order by place");

    // Each needs the one before it; the history would tell of any that ran twice.
    private static readonly Migration[] Chain =
    [
        new("chain-001", $"""
            create table history (place bigint primary key, step text not null unique);
            insert into history (place, step) values (1, 'step 1')
            """),
        .. Enumerable.Range(2, 11).Select(n => new Migration($"chain-{n:000}", $"""
            create table chain_{n} (id bigint primary key);
            insert into history (place, step) select max(place) + 1, 'step {n}' from history
            """)),
    ];

    private static readonly string[] WholeHistory = [.. Enumerable.Range(1, 12).Select(n => $"step {n}")];

    // Goal: a second start changes nothing, a new version applies what is new. Method: half, all, all again.
    [Fact]
    public async Task Each_migration_is_applied_once_and_in_order()
    {
        Assert.Equal(6, await Db.MigrateAsync(Chain[..6], CancellationToken.None));
        Assert.Equal(6, await Db.MigrateAsync(Chain, CancellationToken.None));
        Assert.Equal(0, await Db.MigrateAsync(Chain, CancellationToken.None));

        Assert.Equal(WholeHistory, await HistoryAsync());
    }

    // Goal: nodes that start together take turns. Method: six of them, each opening the place by itself.
    [Fact]
    public async Task Nodes_that_start_together_apply_each_migration_once()
    {
        var applied = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(
            () => Place.Open().MigrateAsync(Chain, CancellationToken.None).AsTask())));

        Assert.Equal(Chain.Length, applied.Sum());
        Assert.Equal(WholeHistory, await HistoryAsync());
    }

    // Goal: a migration that fails can be mended and run again. Method: its second statement fails.
    [Fact]
    public async Task A_migration_that_fails_leaves_nothing_of_itself()
    {
        Migration broken = new("chain-002", "create table chain_2 (id bigint); insert into history (place) values (1)");

        await Assert.ThrowsAsync<StatementFailedException>(
            () => Db.MigrateAsync([Chain[0], broken, Chain[2]], CancellationToken.None).AsTask());
        Assert.Equal(["step 1"], await HistoryAsync());

        Assert.Equal(11, await Db.MigrateAsync(Chain, CancellationToken.None));
        Assert.Equal(WholeHistory, await HistoryAsync());
    }

    // Goal: only one process consumes the log. Method: two on the same data, asking again and again.
    [Fact]
    public async Task The_log_has_one_owner_until_it_is_closed()
    {
        var (first, second) = (Place.Open(), Place.Open());
        var both = await Task.WhenAll(OwnsAsync(first), OwnsAsync(first));
        Assert.Equal([true, true], both);
        Assert.False(await OwnsAsync(second));
        Assert.True(await OwnsAsync(first));
        Assert.False(await OwnsAsync(second));

        await first.DisposeAsync();

        Assert.True(await OwnsAsync(second));
        Assert.False(await OwnsAsync(Db));
    }

    private protected static Task<bool> OwnsAsync(Database db) => db.TryOwnLogAsync(CancellationToken.None).AsTask();

    private async Task<IReadOnlyList<string>> HistoryAsync() =>
        await Db.ReadAsync(tx => tx.QueryAsync(Steps, Rows.None, r => r.Text(0)));
}

/// <summary>The contract on SQLite.</summary>
public sealed class Migrations_on_SQLite() : MigrationsContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Migrations_on_PostgreSQL(PostgreSqlServer server) : MigrationsContract(server)
{
    // Goal: a migration may take longer than a statement of the product. Method: a limit it exceeds.
    [Fact]
    public async Task A_migration_is_not_bound_by_the_statement_timeout()
    {
        var db = Place.Open(Place.Settings with { StatementTimeoutMs = 100 });
        Migration slow = new("slow-001", "create table slow as select pg_sleep(0.4)::text as slept");

        Assert.Equal(1, await db.MigrateAsync([slow], CancellationToken.None));

        var sleep = new Statement("select pg_sleep(5)");
        var cancelled = await Assert.ThrowsAsync<DatabaseUnavailableException>(
            () => db.ReadAsync(tx => tx.QueryAsync(sleep, Rows.None, _ => 0)).AsTask());
        Assert.Contains("Database:StatementTimeoutMs", cancelled.Message);
    }

    // Goal: nodes that start at once wait for the one that migrates; other statements do not wait for ever. Method: a
    // migration that holds a table for longer than the limit, another runner of it, and a writer.
    [Fact]
    public async Task A_migration_waits_for_another_and_a_statement_only_so_long()
    {
        var db = Place.Open(Place.Settings with { LockTimeoutMs = 100 });
        Migration first = new("held-001", "create table held (id bigint); insert into held (id) values (1)");
        Migration slow = new("held-002", "lock table held; create table slept as select pg_sleep(0.8)::text as slept");
        Assert.Equal(1, await db.MigrateAsync([first], CancellationToken.None));

        var other = Place.Open(Place.Settings with { LockTimeoutMs = 100 });
        var both = Task.WhenAll(
            other.MigrateAsync([slow], CancellationToken.None).AsTask(),
            db.MigrateAsync([slow], CancellationToken.None).AsTask());
        var update = new Statement("update held set id = id + 1");
        DatabaseUnavailableException? refused = null;
        while (refused is null && !both.IsCompleted)
        {
            refused = await Record.ExceptionAsync(async () => await db.WriteAsync(tx =>
            {
                tx.Queue(update, Rows.None);
                return ValueTask.FromResult(0);
            })) as DatabaseUnavailableException;
        }

        Assert.Equal([0, 1], (await both).Order());
        Assert.Contains("Database:LockTimeoutMs", refused?.Message);
    }

    // Goal: a process that stands still in the middle of a transaction holds up nobody for long. Method: a transaction
    // that locks a row and waits for another that wants the row.
    [Fact]
    public async Task A_transaction_that_says_nothing_is_ended_for_those_who_wait_for_its_locks()
    {
        await Db.MigrateAsync([new("still-001", "create table still (id bigint)")], CancellationToken.None);
        var insert = new Statement("insert into still (id) values (1)");
        var update = new Statement("update still set id = id + 1 returning id");
        await Db.WriteAsync(tx =>
        {
            tx.Queue(insert, Rows.None);
            return ValueTask.FromResult(0);
        });

        var frozen = Place.Open(Place.Settings with { IdleTransactionTimeoutMs = 500 });
        var error = await Assert.ThrowsAsync<DatabaseUnavailableException>(() => frozen.WriteAsync(async tx =>
        {
            await tx.QueryAsync(update, Rows.None, r => r.Long(0));
            Assert.Equal([2], await Db.WriteAsync(other => other.QueryAsync(update, Rows.None, r => r.Long(0))));
            return await tx.QueryAsync(update, Rows.None, r => r.Long(0));
        }).AsTask());
        Assert.Contains("Database:IdleTransactionTimeoutMs", error.Message);
    }

    // Goal: who is told that the database is away knows whether to ask what became of it. Method: a session that the
    // server ends at the moment of the commit, and before.
    [Fact]
    public async Task A_commit_whose_answer_is_lost_may_have_happened()
    {
        await Db.MigrateAsync(
            [
                new("lost-001", """
                    create table lost (id bigint);
                    create function lose() returns trigger language plpgsql as
                        'begin perform pg_terminate_backend(pg_backend_pid()); return null; end';
                    create constraint trigger lose after insert on lost deferrable initially deferred
                        for each row execute function lose()
                    """),
            ],
            CancellationToken.None);
        var insert = new Statement("insert into lost (id) values (1)");
        var end = new Statement("select case when pg_terminate_backend(pg_backend_pid()) then 1 else 0 end");

        var late = await Assert.ThrowsAsync<DatabaseUnavailableException>(() => Db.WriteAsync(tx =>
        {
            tx.Queue(insert, Rows.None);
            return ValueTask.FromResult(0);
        }).AsTask());
        var early = await Assert.ThrowsAsync<DatabaseUnavailableException>(
            () => Db.WriteAsync(tx => tx.QueryAsync(end, Rows.None, r => r.Long(0))).AsTask());
        Assert.True(late.MayHaveHappened);
        Assert.False(early.MayHaveHappened);
    }

    // Goal: an owner that stands still is not one for ever. Method: it says nothing while another asks.
    [Fact]
    public async Task An_owner_that_says_nothing_gives_way()
    {
        var silent = Place.Open(Place.Settings with { IdleTransactionTimeoutMs = 500 });
        Assert.True(await OwnsAsync(silent));
        var other = Place.Open();
        await Eventually.HoldsAsync(
            () => OwnsAsync(other), () => "the silent owner lost the log");
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => OwnsAsync(silent));
        Assert.False(await OwnsAsync(silent));
    }

    // Goal: an owner that lost its session notices, and does not consume beside the new owner. Method: end the session
    // on the server, before and after another has taken the log.
    [Fact]
    public async Task An_owner_whose_session_ended_must_ask_again()
    {
        var (first, second) = (Place.Open(), Place.Open());
        Assert.True(await OwnsAsync(first));
        await EndOwnersAsync();
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => OwnsAsync(first));
        Assert.True(await OwnsAsync(first));

        await EndOwnersAsync();
        Assert.True(await OwnsAsync(second));
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => OwnsAsync(first));
        Assert.False(await OwnsAsync(first));
    }

    private async Task EndOwnersAsync()
    {
        var end = new Statement("""
            select case when pg_terminate_backend(pid, 10000) then 1 else 0 end from pg_locks
            where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
            """);
        Assert.Equal([1], await Db.ReadAsync(tx => tx.QueryAsync(end, Rows.None, r => r.Long(0))));
    }
}
