using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Npgsql;

namespace Floodgate.Load.Order;

/// <summary>
/// The same order done row by row in SQL: hold, order, line and event; then wallet, payment and ledger; then
/// confirmation. Each step is a transaction, as a plain service would have it, without HTTP and without idempotency.
/// </summary>
internal sealed class OrderYardstick(ScratchDatabase scratch, OrderPlan plan)
{
    private const int Workers = 64;
    private const long WalletAmple = 1_000_000_000_000;
    private readonly string schema = scratch.Schema;
    private int next;

    /// <summary>Measures it for some seconds; empty without a database.</summary>
    public static async Task<IReadOnlyList<DesignYardstick>> MeasureAsync(
        Session session, OrderPlan plan, double serverPerSecond, CancellationToken cancel)
    {
        if (plan.YardstickPostgres is not { } connection)
        {
            return [];
        }

        session.Tell($"yardstick: orders row by row, {plan.YardstickSeconds} s");
        await using var scratch = await ScratchDatabase.OpenAsync(connection, session.RunId, Workers, cancel);
        var yardstick = new OrderYardstick(scratch, plan);
        await yardstick.CreateAsync(cancel);
        var perSecond = await WorkerLoop.PerSecondAsync(
            Workers, TimeSpan.FromSeconds(plan.YardstickSeconds), session.Time, yardstick.OrderAsync, cancel);
        var ratio = serverPerSecond / perSecond;
        return [new DesignYardstick("row by row in SQL, three transactions", Workers, Math.Round(perSecond, 1), ratio)];
    }

    private async Task CreateAsync(CancellationToken cancel)
    {
        await using var command = scratch.Source.CreateCommand($"""
            create table {schema}.pool (id int primary key, held bigint not null, sold bigint not null);
            create table {schema}.orders (
                id uuid primary key, buyer int not null, status text not null, amount bigint not null,
                expires_ms bigint not null);
            create index orders_by_buyer on {schema}.orders (buyer);
            create table {schema}.order_line (
                order_id uuid not null, pool_id int not null, quantity int not null, amount bigint not null,
                primary key (order_id, pool_id));
            create table {schema}.event (id bigserial primary key, topic text not null, payload text not null);
            create table {schema}.wallet (id int primary key, balance bigint not null check (balance >= 0));
            create table {schema}.payment (
                id uuid primary key, order_id uuid not null unique, status text not null, amount bigint not null);
            create table {schema}.entry (
                id bigserial primary key, payment_id uuid not null, account text not null, amount bigint not null);
            create index entry_by_payment on {schema}.entry (payment_id);
            insert into {schema}.pool select n, 0, 0 from generate_series(0, {plan.Products - 1}) n;
            insert into {schema}.wallet select n, {WalletAmple} from generate_series(0, {plan.Wallets - 1}) n;
            """);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private async Task OrderAsync(CancellationToken cancel)
    {
        var number = Interlocked.Increment(ref next) - 1;
        var (pool, buyer, price) = (number % plan.Products, number % plan.Wallets, ProductSpec.PriceMinor);
        await using var connection = await scratch.Source.OpenConnectionAsync(cancel);
        Guid order;
        await using (var placed = await connection.BeginTransactionAsync(cancel))
        {
            await RunAsync(connection, $"update {schema}.pool set held = held + 1 where id = $1", cancel, pool);
            order = (Guid)(await RunAsync(
                connection,
                $"insert into {schema}.orders values (gen_random_uuid(), $1, 'PAYMENT_PENDING', $2, 0) returning id",
                cancel, buyer, price))!;
            await RunAsync(
                connection, $"insert into {schema}.order_line values ($1, $2, 1, $3)", cancel, order, pool, price);
            await RunAsync(
                connection, $"insert into {schema}.event (topic, payload) values ('payment-requests', $1)", cancel,
                order.ToString());
            await placed.CommitAsync(cancel);
        }

        await using (var paid = await connection.BeginTransactionAsync(cancel))
        {
            await RunAsync(
                connection,
                $"update {schema}.wallet set balance = balance - $2 where id = $1 and balance >= $2",
                cancel, buyer, price);
            var payment = (Guid)(await RunAsync(
                connection,
                $"insert into {schema}.payment values (gen_random_uuid(), $1, 'CAPTURED', $2) returning id",
                cancel, order, price))!;
            foreach (var (account, amount) in ((string, long)[])[($"wallet {buyer}", -price), ("merchant", price)])
            {
                await RunAsync(
                    connection,
                    $"insert into {schema}.entry (payment_id, account, amount) values ($1, $2, $3)",
                    cancel, payment, account, amount);
            }

            await paid.CommitAsync(cancel);
        }

        await using var confirmed = await connection.BeginTransactionAsync(cancel);
        await RunAsync(
            connection,
            $"update {schema}.orders set status = 'CONFIRMED' where id = $1 and status = 'PAYMENT_PENDING'",
            cancel, order);
        await RunAsync(
            connection, $"update {schema}.pool set held = held - 1, sold = sold + 1 where id = $1", cancel, pool);
        await RunAsync(
            connection, $"insert into {schema}.event (topic, payload) values ('data-platform-events', $1)", cancel,
            order.ToString());
        await confirmed.CommitAsync(cancel);
    }

    private static async Task<object?> RunAsync(
        NpgsqlConnection connection, string text, CancellationToken cancel, params object[] values)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = text;
        foreach (var value in values)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return await command.ExecuteScalarAsync(cancel);
    }
}
