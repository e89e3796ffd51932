using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: no update is lost and nothing locks up. Method: many writers on the same few rows.</summary>
public abstract class ConcurrencyContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private const int Counters = 5;

    // Goal: every increment counts. Method: 32 writers with 200 each, all on the same five rows.
    [Fact]
    public async Task Counters_are_exact_under_32_writers()
    {
        await WriteAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows([.. Zeros(Counters)])));

        await Task.WhenAll(Enumerable.Range(0, 32).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 200; i++)
            {
                var row = (writer + i) % Counters;
                await WriteAsync(tx => tx.Queue(ThingSql.AddToCounter, ThingSql.CounterRows((row, 1))));
            }
        })));

        var counted = await Db.ReadAsync(ThingSql.CountersAsync);
        Assert.Equal([1280, 1280, 1280, 1280, 1280], counted);
    }

    // Goal: transactions that lock in one order never meet in a deadlock, and decide on what is locked. Method:
    // transfers between random pairs, given in random order and locked in the order of their ids, never below zero.
    [Fact]
    public async Task Rows_locked_in_one_order_never_deadlock_and_are_decided_on_rightly()
    {
        var funds = Enumerable.Range(0, Counters).Select(id => ((long)id, 20L));
        await WriteAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows([.. funds])));

        var moved = await Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            var moves = 0;
            for (var i = 0; i < 40; i++)
            {
                var from = random.Next(Counters);
                var to = (from + random.Next(1, Counters)) % Counters;
                moves += await TransferAsync(from, to, random.Next(1, 15)) ? 1 : 0;
            }

            return moves;
        })));

        var left = await Db.ReadAsync(ThingSql.CountersAsync);
        Assert.Equal(20 * Counters, left.Sum());
        Assert.All(left, value => Assert.True(value >= 0));
        Assert.InRange(moved.Sum(), 1, (16 * 40) - 1); // Some were refused, or the locks were never needed.
    }

    private ValueTask<bool> TransferAsync(int from, int to, long amount) => Db.WriteAsync(async tx =>
    {
        var pair = ThingSql.CounterIds(from, to);
        var locked = await tx.QueryAsync(ThingSql.LockCounters, pair, r => (Id: r.Long(0), Value: r.Long(1)));
        if (locked.Single(c => c.Id == from).Value < amount)
        {
            return false;
        }

        tx.Queue(ThingSql.AddToCounter, ThingSql.CounterRows((from, -amount), (to, amount)), 2, "both are there");
        return true;
    });

    private static IEnumerable<(long, long)> Zeros(int count) =>
        Enumerable.Range(0, count).Select(id => ((long)id, 0L));
}

/// <summary>The contract on SQLite.</summary>
public sealed class Concurrency_on_SQLite() : ConcurrencyContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Concurrency_on_PostgreSQL(PostgreSqlServer server) : ConcurrencyContract(server)
{
    // Goal: a deadlock is told as something to try again, and one of the two succeeds. Method: lock in opposite orders,
    // each waiting for the other's first lock.
    [Fact]
    public async Task A_deadlock_fails_one_transaction_as_worth_trying_again()
    {
        await WriteAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows((0, 0), (1, 0))));
        var bothHoldOne = new[] { NewGate(), NewGate() };

        var attempts = Enumerable.Range(0, 2).Select(i => Record.ExceptionAsync(
            () => Db.WriteAsync(async tx =>
            {
                await tx.QueryAsync(ThingSql.LockCounters, ThingSql.CounterIds(i), _ => 0);
                bothHoldOne[i].TrySetResult();
                await Task.WhenAll(bothHoldOne.Select(gate => gate.Task));
                tx.Queue(ThingSql.AddToCounter, ThingSql.CounterRows((1 - i, 1)), 1, "it is there");
                return 0;
            }).AsTask()).AsTask());
        var errors = (await Task.WhenAll(attempts)).OfType<Exception>().ToList();

        var error = Assert.IsType<DatabaseUnavailableException>(Assert.Single(errors));
        Assert.Contains("40P01", error.Message);
        Assert.DoesNotContain("ConnectionString", error.Message);
        Assert.Equal(1, (await Db.ReadAsync(ThingSql.CountersAsync)).Sum());
    }

    private static TaskCompletionSource NewGate() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
