using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>
/// Goal: whatever arrives together and whatever breaks, each command has its effect once and is told it. Method: random
/// commands on one counter that must not fall below zero, in random batches, with random faults, against a model.
/// </summary>
public abstract class GroupCommitProperty(PostgreSqlServer? server) : DatabaseContract(server)
{
    private const int Cases = 40;
    private int cases;

    /// <summary>What is submitted: changes of the counter, 0 being a poisonous command; and what fails.</summary>
    public sealed record Scenario(IReadOnlyList<int> Changes, IReadOnlyList<Fault> Faults, int BatchMax)
    {
        public override string ToString() =>
            $"changes [{string.Join(' ', Changes)}] faults [{string.Join(' ', Faults)}] batches of {BatchMax}";
    }

    // Goal and method: see the class. A failing case is printed with its seed.
    [Fact]
    public void Each_command_has_its_effect_once_whatever_fails()
    {
        var scenarios =
            from changes in Gen.Choose(-9, 12).ListOf()
            from faults in Gen.Elements(Fault.None, Fault.Before, Fault.After).ListOf()
            from batchMax in Gen.Choose(1, 20)
            select new Scenario([.. changes], [.. faults], batchMax);

        Prop.ForAll(scenarios.ToArbitrary(), RunAsync)
            .Check(Config.QuickThrowOnFailure.WithMaxTest(Cases).WithEndSize(60));

        Assert.Equal(Cases, cases);
    }

    private async Task RunAsync(Scenario scenario)
    {
        var counter = (long)Interlocked.Increment(ref cases);
        await WriteAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows((counter, 20))));
        var db = new FlakyDatabase(Db);
        scenario.Faults.ToList().ForEach(db.Faults.Enqueue);
        List<Command> commands =
            [.. scenario.Changes.Select((change, i) => new Command(counter, (counter * 1_000) + i, change))];

        List<Task<bool>> outcomes;
        await using (var commit = new GroupCommit<Command, bool>(
            db, DecideAsync, new("property", 100, scenario.BatchMax, 8, 600_000), new JumpingTime()))
        {
            outcomes = commands.ConvertAll(command => commit.TrySubmit(command)!);
        }

        await CheckAsync(commands, outcomes);
    }

    private async Task CheckAsync(List<Command> commands, List<Task<bool>> outcomes)
    {
        var kept = (await ThingsAsync()).ToDictionary(thing => thing.Id, thing => thing.Amount == 1);
        var expected = 20L;
        foreach (var (command, outcome) in commands.Zip(outcomes))
        {
            if (command.Change == 0)
            {
                await Assert.ThrowsAsync<FormatException>(() => outcome);
                Assert.DoesNotContain(command.Key.Id, kept);
                continue;
            }

            Assert.Equal(kept[command.Key.Id], await outcome);
            expected += await outcome ? command.Change : 0;
        }

        var counters = await Db.ReadAsync(ThingSql.CountersAsync);
        Assert.Equal(expected, counters[^1]);
        Assert.True(expected >= 0);
    }

    /// <summary>Decides in order of arrival; the thing with the command's key keeps the outcome.</summary>
    private static async ValueTask<IReadOnlyList<bool>> DecideAsync(Tx tx, IReadOnlyList<Command> commands)
    {
        if (commands.Any(command => command.Change == 0))
        {
            throw new FormatException();
        }

        var counter = commands[0].Counter;
        var value = (await tx.QueryAsync(ThingSql.LockCounters, ThingSql.CounterIds((int)counter), r => r.Long(1)))[0];
        var known = (await tx.QueryAsync(
            ThingSql.SelectById, ThingSql.Ids([.. commands.Select(c => c.Key)]), r => (Id: r.Id(0), Amount: r.Long(1))))
            .ToDictionary(thing => thing.Id, thing => thing.Amount == 1);
        var added = 0L;
        var fresh = new List<Thing>();
        var outcomes = new List<bool>();
        foreach (var command in commands)
        {
            if (!known.TryGetValue(command.Key.Id, out var isDone))
            {
                isDone = value + added + command.Change >= 0;
                added += isDone ? command.Change : 0;
                fresh.Add(command.Key with { Amount = isDone ? 1 : 0 });
            }

            outcomes.Add(isDone);
        }

        tx.Queue(ThingSql.Insert, ThingSql.RowsOf(fresh), fresh.Count, "each outcome is kept once");
        tx.Queue(ThingSql.AddToCounter, ThingSql.CounterRows((counter, added)), 1, "the counter is there");
        return outcomes;
    }

    private sealed record Command(long Counter, long Number, int Change)
    {
        public Thing Key { get; } = Thing.Number(Number);
    }
}

/// <summary>The property on SQLite.</summary>
public sealed class GroupCommitProperty_on_SQLite() : GroupCommitProperty(null);

/// <summary>The property on PostgreSQL.</summary>
public sealed class GroupCommitProperty_on_PostgreSQL(PostgreSqlServer server) : GroupCommitProperty(server);
