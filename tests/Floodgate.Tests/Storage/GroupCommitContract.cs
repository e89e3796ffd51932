using System.Threading.Channels;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: a command is decided once, in turn, and told truly. Method: hold and break commits.</summary>
public abstract class GroupCommitContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private const long Poison = -1;

    private readonly List<long[]> batches = [];
    private readonly JumpingTime time = new();

    // Goal: what arrives during a commit is one batch, in the order of arrival. Method: hold the first commit.
    [Theory]
    [InlineData(100, "1|2 3 4 5 6 7 8 9")]
    [InlineData(3, "1|2 3 4|5 6 7|8 9")]
    public async Task What_arrives_while_a_commit_runs_is_decided_together_in_order(int batchMax, string expected)
    {
        var db = new FlakyDatabase(Db);
        var (held, gate) = db.Hold();
        await using var commit = Start(db, batchMax: batchMax);

        var first = commit.TrySubmit(1)!;
        await held.WaitAsync(Eventually.Deadline);
        var others = Enumerable.Range(2, 8).Select(n => commit.TrySubmit(n)!).ToList();
        Assert.Equal(8, commit.Waiting);
        Assert.False(first.IsCompleted);
        gate.SetResult();

        Assert.Equal(10, await first);
        Assert.Equal(Enumerable.Range(2, 8).Select(n => n * 10L), await Task.WhenAll(others));
        Assert.Equal(expected, string.Join('|', batches.Select(batch => string.Join(' ', batch))));
        Assert.Equal(9, await CountAsync());
    }

    // Goal: an outage becomes refusals, not memory. Method: hold the commit, fill the queue, let go.
    [Fact]
    public async Task Takes_nothing_when_the_queue_is_full()
    {
        var db = new FlakyDatabase(Db);
        var (held, gate) = db.Hold();
        await using var commit = Start(db, queueMax: 3);
        var first = commit.TrySubmit(1)!;
        await held.WaitAsync(Eventually.Deadline);
        List<Task<long>> waiting = [.. Enumerable.Range(2, 3).Select(n => commit.TrySubmit(n)!)];

        Assert.Null(commit.TrySubmit(99));
        using var gone = new CancellationTokenSource();
        var cancelled = commit.SubmitAsync(98, gone.Token);
        var patient = commit.SubmitAsync(5, CancellationToken.None);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.False(patient.IsCompleted);
        gate.SetResult();

        Assert.Equal(Enumerable.Range(1, 5).Select(n => n * 10L), await Task.WhenAll([first, .. waiting, patient]));
        Assert.Equal(60, await commit.TrySubmit(6)!);
        Assert.Equal([1, 2, 3, 4, 5, 6], batches.SelectMany(batch => batch));
    }

    // Goal: one bad command costs its neighbours time, not their effect. Method: two poisoned among 64; transactions
    // are counted because trying each alone would let one stranger slow down everybody.
    [Fact]
    public async Task A_poisonous_command_fails_alone()
    {
        var db = new FlakyDatabase(Db);
        var (held, gate) = db.Hold();
        await using var commit = Start(db);
        var first = commit.TrySubmit(1_000)!;
        await held.WaitAsync(Eventually.Deadline);
        var all = Enumerable.Range(0, 64).Select(n => commit.TrySubmit(n is 17 or 50 ? Poison : n)!).ToList();
        gate.SetResult();
        await first;

        foreach (var (n, outcome) in all.Index())
        {
            if (n is 17 or 50)
            {
                await Assert.ThrowsAsync<FormatException>(() => outcome);
            }
            else
            {
                Assert.Equal(n * 10, await outcome);
            }
        }

        Assert.Equal(63, await CountAsync());
        Assert.InRange(batches.Count, 3, 30);
    }

    // Goal: a short outage is not seen by the callers. Method: five failures, then success; the delays double.
    [Fact]
    public async Task An_unavailable_database_is_tried_again_with_growing_delays()
    {
        var db = new FlakyDatabase(Db);
        Fault[] faults = [Fault.Before, Fault.Before, Fault.After, Fault.Before, Fault.After];
        Array.ForEach(faults, db.Faults.Enqueue);
        await using var commit = Start(db);

        Assert.Equal(10, await commit.TrySubmit(1)!);

        Assert.Equal([10, 20, 40, 80, 160], time.DelaysMs);
        Assert.Equal(1, await CountAsync());
    }

    // Goal: a long outage is told to the callers, who learn whether an answer was lost at its beginning; the next
    // command is tried anew. Method: away for longer than the limit of 5 s by the clock that jumps; then back.
    [Theory, InlineData(Fault.Before, 1), InlineData(Fault.After, 2)]
    public async Task Gives_up_after_the_limit_and_goes_on_when_the_database_is_back(Fault first, int stored)
    {
        var db = new FlakyDatabase(Db);
        await using var commit = Start(db);
        foreach (var fault in Enumerable.Repeat(Fault.Before, 11).Prepend(first))
        {
            db.Faults.Enqueue(fault);
        }

        var told = await Assert.ThrowsAsync<DatabaseUnavailableException>(() => commit.TrySubmit(1)!);

        Assert.Equal(first == Fault.After, told.MayHaveHappened);
        Assert.Equal([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000, 1_000], time.DelaysMs);
        Assert.Equal(20, await commit.TrySubmit(2)!);
        Assert.Equal(stored, await CountAsync());
    }

    // Goal: stopping loses nothing that was taken. Method: dispose with a held commit and a full queue behind it.
    [Fact]
    public async Task Closing_decides_what_waits_and_takes_no_more()
    {
        var db = new FlakyDatabase(Db);
        var (held, gate) = db.Hold();
        var commit = Start(db, batchMax: 2);
        var first = commit.TrySubmit(1)!;
        await held.WaitAsync(Eventually.Deadline);
        List<Task<long>> taken = [first, .. Enumerable.Range(2, 6).Select(n => commit.TrySubmit(n)!)];

        var closing = commit.DisposeAsync().AsTask();
        Assert.Null(commit.TrySubmit(99));
        await Assert.ThrowsAsync<ChannelClosedException>(() => commit.SubmitAsync(99, CancellationToken.None));
        Assert.False(closing.IsCompleted);
        gate.SetResult();

        await closing.WaitAsync(Eventually.Deadline);
        Assert.All(taken, outcome => Assert.True(outcome.IsCompletedSuccessfully));
        Assert.Equal(7, await CountAsync());
        await commit.DisposeAsync();
    }

    // Goal: stopping during an outage ends. Method: many batches wait while the database is away; the clock tells that
    // they shared one limit instead of taking it one after the other.
    [Fact]
    public async Task Closing_while_the_database_is_away_takes_one_limit_for_all_batches()
    {
        var db = new FlakyDatabase(Db) { IsAway = true };
        var (held, gate) = db.Hold();
        var commit = Start(db, batchMax: 1);
        var first = commit.TrySubmit(0)!;
        await held.WaitAsync(Eventually.Deadline);
        List<Task<long>> taken = [first, .. Enumerable.Range(1, 20).Select(n => commit.TrySubmit(n)!)];

        var closing = commit.DisposeAsync().AsTask();
        gate.SetResult();
        await closing.WaitAsync(Eventually.Deadline);

        foreach (var outcome in taken)
        {
            await Assert.ThrowsAsync<DatabaseUnavailableException>(() => outcome);
        }

        Assert.InRange(time.DelaysMs.Sum(), 5_000, 12_000);
    }

    // Goal: an outcome is never given to the wrong command, nor an effect kept without an outcome. Method: a decision
    // that forgets one, whose transaction must be rolled back and not be run again as if nothing had happened.
    [Fact]
    public async Task A_decision_that_forgets_a_command_is_a_violation_without_effect()
    {
        await using var commit = new GroupCommit<long, long>(
            Db,
            (tx, numbers) =>
            {
                tx.Queue(ThingSql.Insert, ThingSql.RowsOf([.. numbers.Select(n => Thing.Number(n))]));
                return ValueTask.FromResult<IReadOnlyList<long>>([]);
            },
            Limits(),
            time);

        await Assert.ThrowsAsync<InvariantViolatedException>(() => commit.TrySubmit(1)!);

        Assert.Equal(0, await CountAsync());
    }

    // Goal: exact under load. Method: 100 submitters with 20 commands each, real clock, all writers of the database.
    [Fact]
    public async Task A_hundred_submitters_are_all_answered_and_counted_once()
    {
        await using var commit = Start(Db, writersMax: 8, queueMax: 2_000);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(submitter => Task.Run(async () =>
        {
            var sum = 0L;
            for (var i = 0; i < 20; i++)
            {
                sum += await commit.SubmitAsync((submitter * 20) + i, CancellationToken.None);
            }

            return sum;
        })));

        Assert.Equal(10L * 2_000 * 1_999 / 2, outcomes.Sum());
        Assert.Equal(2_000, await CountAsync());
        Assert.Equal(2_000, batches.Sum(batch => batch.Length));
    }

    private GroupCommit<long, long> Start(
        Database db, int queueMax = 100, int batchMax = 100, int writersMax = 1) =>
        new(db, DecideAsync, Limits() with { QueueMax = queueMax, BatchMax = batchMax, WritersMax = writersMax }, time);

    private static GroupCommitLimits Limits() => new("test", 100, 100, 1, 5_000);

    /// <summary>Keeps each number as a thing, whose id makes it idempotent; the outcome is ten times it.</summary>
    private async ValueTask<IReadOnlyList<long>> DecideAsync(Tx tx, IReadOnlyList<long> numbers)
    {
        lock (batches)
        {
            batches.Add([.. numbers]);
        }

        var things = numbers.Select(n => n == Poison ? throw new FormatException() : Thing.Number(n)).ToList();
        var there = await tx.QueryAsync(ThingSql.SelectById, ThingSql.Ids(things), r => r.Id(0));
        tx.Queue(ThingSql.Insert, ThingSql.RowsOf([.. things.Where(thing => !there.Contains(thing.Id))]));
        return [.. numbers.Select(n => n * 10)];
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class GroupCommit_on_SQLite() : GroupCommitContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class GroupCommit_on_PostgreSQL(PostgreSqlServer server) : GroupCommitContract(server);
