using Npgsql;

namespace Floodgate.Storage.Database;

/// <summary>PostgreSQL through one pool. Statements are prepared by the driver at their second use.</summary>
internal sealed class PostgreSqlDatabase : Database
{
    private const long MigrationLock = 0x466C6F6F64; // Advisory lock numbers: one namespace for each database.
    private const long LogOwnerLock = 0x466C6F6F65;

    private readonly NpgsqlDataSource source;
    private NpgsqlConnection? logOwner;
    private bool ownsLog;
    private int open;

    public PostgreSqlDatabase(DatabaseSettings settings)
    {
        var text = new NpgsqlConnectionStringBuilder(settings.ConnectionString)
        {
            MaxPoolSize = settings.ConnectionsMax,
            MaxAutoPrepare = 200,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
            CommandTimeout = (settings.StatementTimeoutMs / 1000) + 1,
            Timeout = 5,
            ApplicationName = "floodgate",
            Options = $"-c statement_timeout={settings.StatementTimeoutMs}",
        };
        source = NpgsqlDataSource.Create(text.ConnectionString);
        WritersMax = settings.WritersMax;
    }

    public override Dialect Dialect => Dialect.PostgreSql;

    public override int WritersMax { get; }

    public override int OpenConnections => Volatile.Read(ref open);

    public override ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync("begin", work, cancel);

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync(null, work, cancel);

    public override ValueTask<T> ReadSnapshotAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync("begin isolation level repeatable read read only", work, cancel);

    public override async ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel)
    {
        await using var connection = await ConnectAsync(cancel);
        await RunTextAsync(connection, $"select pg_advisory_lock({MigrationLock})", cancel);
        try
        {
            await RunTextAsync(connection, MigrationSql.CreateTable, cancel);
            var applied = 0;
            foreach (var migration in migrations)
            {
                applied += await ApplyAsync(connection, migration, cancel);
            }

            return applied;
        }
        finally
        {
            await RunTextAsync(connection, $"select pg_advisory_unlock({MigrationLock})", CancellationToken.None);
        }
    }

    // The lock lives with its connection: an owner that asks again proves with any query that it still has both.
    public override async ValueTask<bool> TryOwnLogAsync(CancellationToken cancel)
    {
        logOwner ??= await ConnectAsync(cancel);
        try
        {
            await using var command = new NpgsqlCommand(
                ownsLog ? "select true" : $"select pg_try_advisory_lock({LogOwnerLock})", logOwner);
            ownsLog = (bool)(await command.ExecuteScalarAsync(cancel))!;
            return ownsLog;
        }
        catch (Exception error) when (error is NpgsqlException or InvalidOperationException)
        {
            await logOwner.DisposeAsync();
            (logOwner, ownsLog) = (null, false);
            throw Unavailable(error);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (logOwner is not null)
        {
            await UnlockAsync(logOwner);
            await logOwner.DisposeAsync();
        }

        await source.DisposeAsync();
    }

    private async ValueTask<T> RunAsync<T>(string? begin, Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        var connection = await ConnectAsync(cancel);
        Interlocked.Increment(ref open);
        try
        {
            var tx = new PostgreSqlTx(connection, begin);
            T result;
            try
            {
                result = await work(tx);
                await tx.CommitAsync();
            }
            catch
            {
                // Rethrown: an error of any kind must give the connection back without its transaction.
                await tx.RollbackAsync();
                throw;
            }

            tx.RunCommitted();
            return result;
        }
        catch (Exception error) when (IsUnavailable(error))
        {
            throw Unavailable(error);
        }
        finally
        {
            Interlocked.Decrement(ref open);
            await connection.DisposeAsync();
        }
    }

    private async ValueTask<NpgsqlConnection> ConnectAsync(CancellationToken cancel)
    {
        try
        {
            return await source.OpenConnectionAsync(cancel);
        }
        catch (Exception error) when (IsUnavailable(error))
        {
            throw Unavailable(error);
        }
    }

    // 40001 and 40P01 are lost races; 57xxx is a server that is going down or a cancelled statement.
    private static bool IsUnavailable(Exception error) => error switch
    {
        PostgresException e => e.IsTransient || e.SqlState is "57014" or "28P01" or "3D000" or "28000",
        NpgsqlException => true,
        TimeoutException => true,
        _ => false,
    };

    private static DatabaseUnavailableException Unavailable(Exception error) => new(
        $"PostgreSQL is not available ({error.Message.ReplaceLineEndings(" ")}). "
        + "Check Database:ConnectionString and that the server runs.",
        error);

    private static async ValueTask UnlockAsync(NpgsqlConnection connection)
    {
        try
        {
            await RunTextAsync(connection, "select pg_advisory_unlock_all()", CancellationToken.None);
        }
        catch (Exception error) when (IsUnavailable(error))
        {
            // The connection is gone, and its locks with it.
        }
    }

    private static async ValueTask<int> ApplyAsync(
        NpgsqlConnection connection, Migration migration, CancellationToken cancel)
    {
        await using var begun = await connection.BeginTransactionAsync(cancel);
        await using var mark = new NpgsqlCommand(MigrationSql.PostgreSqlMark, connection);
        mark.Parameters.Add(new NpgsqlParameter<string> { TypedValue = migration.Name });
        var isNew = await mark.ExecuteNonQueryAsync(cancel);
        if (isNew == 1)
        {
            await RunTextAsync(connection, Dialect.PostgreSql.Render(migration.Sql, []), cancel);
        }

        await begun.CommitAsync(cancel);
        return isNew;
    }

    private static async ValueTask RunTextAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }
}
