using System.Diagnostics;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Npgsql;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: an outage is told as one, loses no connection, and ends without a restart of the program.</summary>
public sealed class OutageTests(PostgreSqlServer server) : IAsyncLifetime
{
    private readonly DataPlace place = new(server);
    private CutWire wire = null!;
    private Database db = null!;

    public async ValueTask InitializeAsync()
    {
        await place.CreateAsync();
        var text = new NpgsqlConnectionStringBuilder(place.Settings.ConnectionString);
        wire = new CutWire(text.Port);
        text.Port = wire.Port;
        db = place.Open(place.Settings with { ConnectionString = text.ConnectionString, ConnectionsMax = 8 });
        await db.MigrateAsync(ThingSql.Migrations, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await wire.DisposeAsync();
        await place.DisposeAsync();
        Assert.Equal(0, db.OpenConnections);
    }

    // Goal: the operator reads which setting to look at. Method: places where no database is, of each kind.
    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=floodgate;Database=floodgate")]
    [InlineData("Host=no-such-host.invalid;Username=floodgate;Database=floodgate")]
    [InlineData("Host=127.0.0.1;Port={port};Username=postgres;Database=no_such_database")]
    [InlineData("Host=127.0.0.1;Port={port};Username=no_such_user;Database=postgres")]
    [InlineData("Hst=127.0.0.1")]
    [InlineData("no connection string")]
    public async Task An_unreachable_PostgreSQL_is_told_with_the_setting_to_check(string connectionString)
    {
        var text = connectionString.Replace("{port}", $"{wire.Port}");
        async Task<long> Use()
        {
            await using var nowhere = Database.Open(place.Settings with { ConnectionString = text });
            return await nowhere.ReadAsync(ThingSql.CountAsync);
        }

        var error = await Assert.ThrowsAsync<DatabaseUnavailableException>(Use);

        Assert.Contains("Database:ConnectionString", error.Message);
    }

    // Goal: the same for a folder. Method: one below a file.
    [Fact]
    public void An_unusable_folder_is_told_with_the_setting_to_check()
    {
        var file = Path.Combine(place.Settings.Directory, "file");
        File.WriteAllText(file, "");

        var error = Assert.Throws<DatabaseUnavailableException>(
            () => Database.Open(new DatabaseSettings("", Path.Combine(file, "data"))));

        Assert.Contains("Database:Directory", error.Message);
    }

    // Goal: what breaks in the middle rolls back and the next use succeeds. Method: cut while eight transactions have
    // inserted and not committed, use it while cut, mend it.
    [Fact]
    public async Task A_line_cut_in_the_middle_rolls_back_and_is_taken_up_again()
    {
        using var inserted = new CountdownEvent(8);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var writes = Thing.Numbers(1, 8).ConvertAll(thing => db.WriteAsync(async tx =>
        {
            await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(thing), _ => 0);
            inserted.Signal();
            await go.Task;
            tx.Queue(ThingSql.Add, ThingSql.Added(1, thing), 1, "it is there");
            return 0;
        }).AsTask());
        Assert.True(inserted.WaitHandle.WaitOne(Eventually.Deadline));
        Assert.Equal(8, db.OpenConnections);

        wire.Cut();
        go.SetResult();
        foreach (var write in writes)
        {
            await Assert.ThrowsAsync<DatabaseUnavailableException>(() => write);
        }

        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => db.ReadAsync(ThingSql.CountAsync).AsTask());
        Assert.Equal(0, db.OpenConnections);
        wire.Mend();

        Assert.Equal(0, await db.ReadAsync(ThingSql.CountAsync));
        await Task.WhenAll(Thing.Numbers(1, 30).Select(thing => InsertAsync(thing)));
        Assert.Equal(30, await db.ReadAsync(ThingSql.CountAsync));
    }

    // Goal: a commit whose answer is lost may have happened: it is told as unavailable, and the second try of an
    // idempotent command has one effect. Method: cut the line after the server's answer to the commit.
    [Fact]
    public async Task A_commit_whose_answer_is_lost_has_one_effect_after_the_second_try()
    {
        wire.CutAnswerTo("commit");
        await Assert.ThrowsAsync<DatabaseUnavailableException>(() => InsertAsync(Thing.Number(1)));
        Assert.Equal(1, await db.ReadAsync(ThingSql.CountAsync));

        wire.CutAnswerTo("commit");
        var decisions = 0;
        await using var commit = new GroupCommit<Thing, bool>(
            db,
            async (tx, things) =>
            {
                decisions++;
                var there = await tx.QueryAsync(ThingSql.SelectById, ThingSql.Ids(things), r => r.Id(0));
                tx.Queue(ThingSql.Insert, ThingSql.RowsOf([.. things.Where(t => !there.Contains(t.Id))]));
                return [.. things.Select(t => !there.Contains(t.Id))];
            },
            new GroupCommitLimits("cut", 10, 10, 1, 20_000),
            TimeProvider.System);

        var isNew = await commit.TrySubmit(Thing.Number(2))!;

        Assert.Equal((false, 2), (isNew, decisions));
        Assert.Equal(2, await db.ReadAsync(ThingSql.CountAsync));
    }

    // Goal: a server that crashes and comes back is used again, and what it acknowledged is there. Method: kill one of
    // its processes, at which a real PostgreSQL stops at once and recovers, under a stream of group commits.
    [Fact]
    public async Task A_crash_of_the_server_under_load_loses_no_answered_command()
    {
        await using var crashing = PostgreSqlServer.WithSettings();
        await using var other = new DataPlace(crashing);
        await other.CreateAsync();
        var there = other.Open();
        await there.MigrateAsync(ThingSql.Migrations, CancellationToken.None);
        Assert.True(await there.TryOwnLogAsync(CancellationToken.None));
        await using var commit = new GroupCommit<Thing, Guid>(
            there,
            async (tx, things) => (await tx.QueryAsync(
                ThingSql.Upsert, ThingSql.RowsOf([.. things.Select(t => t with { Amount = 0 })]), _ => 0))
                .Zip(things, (_, thing) => thing.Id).ToList(),
            new GroupCommitLimits("crash", 1_000, 50, 2, 30_000),
            TimeProvider.System);

        var submitters = Enumerable.Range(0, 10).Select(n => Task.Run(async () =>
        {
            foreach (var thing in Thing.Numbers(n * 1_000, 100))
            {
                Assert.Equal(thing.Id, await commit.SubmitAsync(thing, CancellationToken.None));
                if (thing.Amount == 3_050)
                {
                    await KillOneAsync(there);
                }
            }
        }));
        await Task.WhenAll(submitters).WaitAsync(Eventually.Deadline * 2);

        Assert.Equal(1_000, await there.ReadAsync(ThingSql.CountAsync));
        Assert.Equal(0, there.OpenConnections);
        await Assert.ThrowsAsync<DatabaseUnavailableException>(
            () => there.TryOwnLogAsync(CancellationToken.None).AsTask()); // Its session died: there was a crash.
        Assert.True(await there.TryOwnLogAsync(CancellationToken.None));
    }

    // Goal: use in a wrong order is a bug, not an outage that is tried again. Method: two statements at once.
    [Fact]
    public async Task Two_statements_at_once_are_a_violation()
    {
        var sleep = new Statement("select pg_sleep(0.3)::text");
        await Assert.ThrowsAsync<InvariantViolatedException>(() => db.WriteAsync(async tx =>
        {
            _ = tx.QueryAsync(sleep, Rows.None, _ => 0).AsTask();
            return await ThingSql.CountAsync(tx);
        }).AsTask());

        Assert.Equal(0, await db.ReadAsync(ThingSql.CountAsync));
        Assert.Equal(0, db.OpenConnections);
    }

    private static async Task KillOneAsync(Database database)
    {
        var own = new Statement("select pg_backend_pid()");
        var pid = (await database.ReadAsync(tx => tx.QueryAsync(own, Rows.None, r => r.Long(0))))[0];
        using var backend = Process.GetProcessById((int)pid);
        backend.Kill();
        await backend.WaitForExitAsync();
    }

    private Task<int> InsertAsync(Thing thing) => db.WriteAsync(tx =>
    {
        tx.Queue(ThingSql.Insert, ThingSql.RowsOf(thing));
        return ValueTask.FromResult(0);
    }).AsTask();
}
