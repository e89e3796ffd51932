using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Npgsql;

namespace Floodgate.Load.Hold;

/// <summary>
/// The same crowd decided by the designs that one meets in the field, order by order on PostgreSQL, without HTTP and
/// without idempotency: every figure is better than a server of that design would have. The tables stand in a schema
/// of the run's own, which is dropped afterwards.
/// </summary>
internal sealed class LockYardsticks(NpgsqlDataSource database, string schema, HoldPlan plan)
{
    private const int Workers = 64;
    private const int ProductsMax = 5_000;
    private int next;

    /// <summary>Measures each design for some seconds; empty without a database.</summary>
    public static async Task<IReadOnlyList<DesignYardstick>> MeasureAsync(
        Session session, HoldPlan plan, double serverPerSecond, CancellationToken cancel)
    {
        if (plan.YardstickPostgres is not { } connection)
        {
            return [];
        }

        await using var scratch = await ScratchDatabase.OpenAsync(connection, session.RunId, Workers, cancel);
        var yardsticks = new LockYardsticks(scratch.Source, scratch.Schema, plan);
        await yardsticks.CreateAsync(cancel);
        var all = new List<DesignYardstick>();
        await MeasureAsync("select for update for each order", yardsticks.SelectForUpdateAsync);
        await MeasureAsync("guarded update for each order", yardsticks.GuardedUpdateAsync);
        await MeasureAsync("insert, then check, for each order", yardsticks.InsertThenCheckAsync);
        if (plan.YardstickRedis is { } address)
        {
            await using var locks = await RedisLock.ConnectAsync(address, session.RunId);
            await MeasureAsync("lock in Redis for each order", async (number, stop) =>
            {
                await using var held = await locks.TakeAsync($"{number / plan.Buyers}", session.Time, stop);
                await yardsticks.GuardedUpdateAsync(number, stop);
            });
        }

        return all;

        async Task MeasureAsync(string design, Func<int, CancellationToken, Task> decide)
        {
            session.Tell($"yardstick: {design}, {plan.YardstickSeconds} s");
            await yardsticks.ResetAsync(cancel);
            var perSecond = await WorkerLoop.PerSecondAsync(
                Workers, TimeSpan.FromSeconds(plan.YardstickSeconds), session.Time,
                stop => decide(yardsticks.Take(), stop), cancel);
            all.Add(new DesignYardstick(design, Workers, Math.Round(perSecond, 1), serverPerSecond / perSecond));
        }
    }

    private int Take() => Interlocked.Increment(ref next) - 1;

    // Each product has its own crowd, as in the measured run: most orders come when it is sold out.
    private int ProductOf(int number) => number / plan.Buyers % ProductsMax;

    private async Task CreateAsync(CancellationToken cancel)
    {
        await using var command = database.CreateCommand($"""
            create table {schema}.pool (id int primary key, available bigint not null, version bigint not null);
            create table {schema}.hold (
                id uuid primary key, pool_id int not null, buyer text not null, quantity int not null,
                expires_ms bigint not null);
            create index hold_by_pool on {schema}.hold (pool_id);
            """);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private async Task ResetAsync(CancellationToken cancel)
    {
        next = 0;
        await using var command = database.CreateCommand($"""
            truncate {schema}.pool, {schema}.hold;
            insert into {schema}.pool select n, {plan.Product.Capacity}, 1 from generate_series(0, {ProductsMax - 1}) n;
            """);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private async Task SelectForUpdateAsync(int number, CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var select = Command(
            connection, $"select available from {schema}.pool where id = $1 for update", ProductOf(number));
        if ((long)(await select.ExecuteScalarAsync(cancel))! < plan.PerOrder)
        {
            await transaction.RollbackAsync(cancel);
            return;
        }

        await using var update = Command(
            connection,
            $"update {schema}.pool set available = available - $2, version = version + 1 where id = $1",
            ProductOf(number),
            plan.PerOrder);
        await update.ExecuteNonQueryAsync(cancel);
        await InsertAsync(connection, number, cancel);
        await transaction.CommitAsync(cancel);
    }

    private async Task GuardedUpdateAsync(int number, CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await using var update = Command(
            connection,
            $"update {schema}.pool set available = available - $2, version = version + 1"
                + " where id = $1 and available >= $2",
            ProductOf(number),
            plan.PerOrder);
        if (await update.ExecuteNonQueryAsync(cancel) == 0)
        {
            await transaction.RollbackAsync(cancel);
            return;
        }

        await InsertAsync(connection, number, cancel);
        await transaction.CommitAsync(cancel);
    }

    /// <summary>Oversells under concurrency: it is here for its speed only.</summary>
    private async Task InsertThenCheckAsync(int number, CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        await InsertAsync(connection, number, cancel);
        await using var check = Command(
            connection,
            $"select coalesce(sum(quantity), 0) from {schema}.hold where pool_id = $1",
            ProductOf(number));
        if ((long)(await check.ExecuteScalarAsync(cancel))! > plan.Product.Capacity)
        {
            await transaction.RollbackAsync(cancel);
            return;
        }

        await transaction.CommitAsync(cancel);
    }

    private async Task InsertAsync(NpgsqlConnection connection, int number, CancellationToken cancel)
    {
        await using var insert = connection.CreateCommand();
        insert.CommandText = $"insert into {schema}.hold (id, pool_id, buyer, quantity, expires_ms)"
            + " values (gen_random_uuid(), $1, $2, $3, 0)";
        insert.Parameters.Add(new NpgsqlParameter { Value = ProductOf(number) });
        insert.Parameters.Add(new NpgsqlParameter { Value = $"u-{number}" });
        insert.Parameters.Add(new NpgsqlParameter { Value = plan.PerOrder });
        await insert.ExecuteNonQueryAsync(cancel);
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string text, params int[] values)
    {
        var command = connection.CreateCommand();
        command.CommandText = text;
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }
}
