using System.Collections.Concurrent;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Storage.Coordination;

/// <summary>
/// Goal: what is due is done once, by one node at a time, whatever dies. Method: nodes on doors of their own to one
/// database and one clock, with a job that the test holds in its hand.
/// </summary>
public abstract class JobContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly JobSettings Settings = new(LeaseSeconds: 60, PollMs: 1_000);
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    private readonly FakeClock clock = new(); // Midnight.
    private readonly ConcurrentQueue<(string Node, JobTurn Turn)> turns = [];
    private string timetable = "0 * * * *";
    private int nodesStarted;

    [Fact]
    public async Task Of_two_nodes_one_runs_what_is_due_and_it_is_recorded()
    {
        await using var nodes = await StartAsync(2, Ended);
        clock.Advance(TimeSpan.FromMinutes(59));
        await RunsAsync(nodes, 0);
        clock.Advance(TimeSpan.FromMinutes(1));
        var run = Assert.Single(await RunsAsync(nodes, 1));

        Assert.Equal((JobRunState.Done, "well", 1, false), (run.State, run.Detail, run.Attempts, run.IsManual));
        Assert.Equal(clock.GetUtcNow().Date.AddHours(1), At(run.DueMs));
        Assert.Equal(Assert.Single(turns).Node, run.Node);
        Assert.True(run.Token > 0 && run.EndedMs >= run.StartedMs && run.StartedMs >= run.DueMs);
    }

    // Goal: a day without any node is made up for by one run, for the last moment that was missed.
    [Fact]
    public async Task What_was_missed_is_made_up_for_once()
    {
        await (await StartAsync(1, Ended)).DisposeAsync();
        clock.Jump(TimeSpan.FromHours(24.5));
        await using var nodes = await StartAsync(2, Ended);
        var run = Assert.Single(await RunsAsync(nodes, 1));
        Assert.Equal(clock.GetUtcNow().AddMinutes(-30), At(run.DueMs), Step * 10);

        Assert.Single(turns);
    }

    [Fact]
    public async Task A_run_that_takes_long_keeps_its_lease_and_holds_up_the_next()
    {
        var end = new TaskCompletionSource<string>();
        timetable = "* * * * *";
        await using var nodes = await StartAsync(2, (turn, cancel) =>
        {
            turn.Report("halfway");
            return new ValueTask<string>(end.Task.WaitAsync(cancel));
        });
        await nodes.Board.StartAsync("hourly", CancellationToken.None);
        await UntilAsync(() => turns.Count == 1);
        await UntilAsync(() => clock.Elapsed > TimeSpan.FromSeconds(130), Step / 10);
        Assert.Single(turns);
        Assert.Equal("halfway", (await HistoryAsync(nodes))[^1].Detail);

        end.SetResult("well");
        var runs = await RunsAsync(nodes, 2); // Two full minutes have passed: the last one counts.
        Assert.Equal(2, At(runs[0].DueMs).Minute);
        Assert.Equal([1, 1], runs.Select(run => run.Attempts));
        Assert.True(turns.Last().Turn.Token > turns.First().Turn.Token);
    }

    // Goal: a dead node's run is taken over when its lease is over; the dead one, if it only slept, changes nothing.
    [Fact]
    public async Task A_run_whose_node_died_is_begun_again_by_another()
    {
        var sleeper = new TaskCompletionSource<string>();
        var deadDatabase = new FlakyDatabase(Place.Open());
        await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);
        var dead = new Nodes(this, [deadDatabase], (_, _) => new ValueTask<string>(sleeper.Task));
        await dead.Board.StartAsync("hourly", CancellationToken.None);
        await UntilAsync(() => turns.Count == 1);
        deadDatabase.IsAway = true;

        await using var nodes = await StartAsync(1, Ended);
        await UntilAsync(() => turns.Count == 2);
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(60), "not before the end of the lease");
        var run = Assert.Single(await RunsAsync(nodes, 1, of: 1));
        Assert.Equal((JobRunState.Done, 2), (run.State, run.Attempts));
        Assert.True(turns.Last().Turn.Token > turns.First().Turn.Token);

        deadDatabase.IsAway = false;
        await Assert.ThrowsAsync<LeaseLostException>(async () => await Db.WriteAsync(async tx =>
        {
            await turns.First().Turn.KeepAsync(tx);
            return 0;
        }));
        sleeper.SetResult("too late");
        await dead.DisposeAsync();
        Assert.Equal("well", Assert.Single(await HistoryAsync(nodes)).Detail);
    }

    [Fact]
    public async Task A_run_that_is_stopped_is_put_back_and_counts_no_try()
    {
        var never = new TaskCompletionSource<string>();
        var stopped = await StartAsync(1, (_, cancel) => new ValueTask<string>(never.Task.WaitAsync(cancel)));
        await stopped.Board.StartAsync("hourly", CancellationToken.None);
        await UntilAsync(() => turns.Count == 1);
        await stopped.DisposeAsync();

        await using var nodes = await StartAsync(1, Ended);
        var run = Assert.Single(await RunsAsync(nodes, 1));
        Assert.Equal((JobRunState.Done, 1), (run.State, run.Attempts));
    }

    [Fact]
    public async Task A_run_that_fails_says_why_and_the_next_one_is_due()
    {
        var number = 0;
        await using var nodes = await StartAsync(1, (_, _) => ++number == 1
            ? throw new InvalidOperationException("wrong\0in a way")
            : new ValueTask<string>("well"));
        clock.Advance(TimeSpan.FromHours(1));
        var failed = Assert.Single(await RunsAsync(nodes, 1));
        Assert.Equal((JobRunState.Failed, "wrong in a way", 1), (failed.State, failed.Detail, failed.Attempts));
        clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(JobRunState.Done, (await RunsAsync(nodes, 2))[0].State);
    }

    [Fact]
    public async Task A_run_that_finds_no_database_is_tried_again_until_its_tries_are_used_up()
    {
        await using var nodes = await StartAsync(1, (_, _) => throw new DatabaseUnavailableException("away"));
        await nodes.Board.StartAsync("hourly", CancellationToken.None);
        var run = Assert.Single(await RunsAsync(nodes, 1));
        Assert.Equal(Settings.AttemptsMax, turns.Count);
        Assert.Equal((JobRunState.Failed, "given up after 5 tries; the last: away"), (run.State, run.Detail));
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(Settings.RetryDelaySeconds) * 4);
    }

    [Fact]
    public async Task A_start_by_hand_that_waits_is_the_same_for_all_who_ask()
    {
        await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);
        var board = new JobBoard(Db, [JobOf("x", Ended)], new(clock), clock);
        var asked = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            async () => await board.StartAsync("hourly", CancellationToken.None))));
        Assert.Single(asked.Select(run => run!.Id).Distinct());
        Assert.Null(await board.StartAsync("unknown", CancellationToken.None));
        Assert.True(Assert.Single(await board.ListAsync(CancellationToken.None)).LastRun!.IsManual);
    }

    private static ValueTask<string> Ended(JobTurn turn, CancellationToken cancel) => new("well");

    private Job JobOf(string node, Func<JobTurn, CancellationToken, ValueTask<string>> work) => new(
        "hourly",
        Schedule.Of(timetable),
        (turn, cancel) =>
        {
            turns.Enqueue((node, turn));
            return work(turn, cancel);
        });

    private async Task<Nodes> StartAsync(int count, Func<JobTurn, CancellationToken, ValueTask<string>> work)
    {
        await Db.MigrateAsync(CoordinationModule.Migrations, CancellationToken.None);
        var nodes = new Nodes(this, [.. Enumerable.Range(0, count).Select(_ => Place.Open())], work);

        // The first look makes the job known: from then on it is due.
        await Eventually.HoldsAsync(
            async () => (await Db.ReadAsync(CoordinationSql.SelectServedAsync)).Count == 1,
            () => "the job is known");
        return nodes;
    }

    private Task UntilAsync(Func<bool> holds, TimeSpan? step = null) => clock.RunUntilAsync(
        Eventually.HoldsAsync(() => Task.FromResult(holds()), () => "the test goes on"),
        step ?? Step);

    /// <summary>Waits until so many runs have ended, and nothing is open; newest first.</summary>
    private async Task<List<JobRun>> RunsAsync(Nodes nodes, int count, int? of = null)
    {
        List<JobRun> runs = [];
        var ended = Eventually.HoldsAsync(
            async () =>
            {
                runs = await HistoryAsync(nodes);
                return runs.Count(run => run.EndedMs > 0) == count && runs.Count == (of ?? count);
            },
            () => $"{count} runs have ended: {string.Join("; ", runs)}");
        await clock.RunUntilAsync(ended, Step / 10);
        return runs;
    }

    private async Task<List<JobRun>> HistoryAsync(Nodes nodes) => await nodes.Board.RunsAsync(
        "hourly", new Guid("ffffffff-ffff-ffff-ffff-ffffffffffff"), 100, CancellationToken.None);

    private static DateTimeOffset At(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    /// <summary>Some processes: each its own door, board, leases and loop.</summary>
    private sealed class Nodes : IAsyncDisposable
    {
        private readonly List<JobWorker> workers = [];

        public Nodes(
            JobContract test, Database[] doors, Func<JobTurn, CancellationToken, ValueTask<string>> work)
        {
            foreach (var door in doors)
            {
                var node = $"node-{Interlocked.Increment(ref test.nodesStarted)}";
                var board = new JobBoard(door, [test.JobOf(node, work)], new(test.clock), test.clock);
                Board ??= board;
                var tools = new JobTools(
                    Settings, test.clock, new(NullLogger<CoordinationLog>.Instance), node);
                var worker = new JobWorker(
                    board, new(door, new(test.clock), test.clock, News.Alone()), door, tools);
                workers.Add(worker);
                _ = worker.StartAsync(CancellationToken.None);
            }
        }

        public JobBoard Board { get; } = null!;

        public async ValueTask DisposeAsync()
        {
            foreach (var worker in workers)
            {
                await worker.StopAsync(CancellationToken.None);
                Assert.Null(worker.Failure);
                worker.Dispose();
            }
        }
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class Jobs_on_SQLite() : JobContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Jobs_on_PostgreSQL(PostgreSqlServer server) : JobContract(server);
