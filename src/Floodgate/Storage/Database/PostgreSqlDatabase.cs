using System.Data;
using Npgsql;

namespace Floodgate.Storage.Database;

/// <summary>PostgreSQL through one pool. Statements are prepared by the driver at their second use.</summary>
internal sealed class PostgreSqlDatabase : Database
{
    private const long MigrationLock = 0x466C6F6F64; // Advisory lock numbers: one namespace for each database.
    private const long LogOwnerLock = 0x466C6F6F65;

    // The server gives back the locks of a machine that has lost its power after 25 s, not after its default of 2 h.
    private const string NoticeLoss =
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

    // One plan for each statement, made for few rows: each row it is given is looked up by an index. Plans made for the
    // rows at hand walk a whole index, or hash a whole table, when a batch is large: the cost grew with the table.
    private const string PlanByIndex = "-c plan_cache_mode=force_generic_plan -c random_page_cost=1.1";

    private readonly NpgsqlDataSource source;

    // Counted by all; one stands for this object until it is disposed.
    private readonly TaskCompletionSource unused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int uses = 1;
    private readonly int ownerSilentMs;
    private int disposals;

    // Under the gate.
    private readonly SemaphoreSlim logGate = new(1);
    private NpgsqlConnection? logOwner;

    public PostgreSqlDatabase(DatabaseSettings settings)
    {
        var text = Parse(settings.ConnectionString);
        text.MaxPoolSize = settings.ConnectionsMax;
        text.MaxAutoPrepare = 200;
        text.AutoPrepareMinUsages = 2;
        text.NoResetOnClose = true;
        text.IncludeFailedBatchedCommand = true;
        text.CommandTimeout = (settings.StatementTimeoutMs / 1000) + 1;
        text.Timeout = 5;
        text.HostRecheckSeconds = 1; // Of several hosts one that was away, or no primary, is asked again so soon.
        text.ApplicationName = "floodgate";
        text.Options =
            $"{text.Options} {NoticeLoss} {PlanByIndex} -c statement_timeout={settings.StatementTimeoutMs} "
                + $"-c lock_timeout={settings.LockTimeoutMs} "
                + $"-c idle_in_transaction_session_timeout={settings.IdleTransactionTimeoutMs}";
        source = NpgsqlDataSource.Create(text.ConnectionString);
        WritersMax = settings.WritersMax;
        ownerSilentMs = 2 * settings.IdleTransactionTimeoutMs; // It asks every second.
    }

    public override Dialect Dialect => Dialect.PostgreSql;

    public override int WritersMax { get; }

    public override int OpenConnections =>
        Math.Max(0, Volatile.Read(ref uses) - (Volatile.Read(ref disposals) == 0 ? 1 : 0));

    public override ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync("begin", isReadOnly: false, work, cancel);

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync(null, isReadOnly: true, work, cancel);

    public override ValueTask<T> ReadSnapshotAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        RunAsync("begin isolation level repeatable read read only", isReadOnly: true, work, cancel);

    public override ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel) =>
        UseAsync(
            async connection =>
            {
                var applied = 0;
                foreach (var migration in migrations)
                {
                    applied += await ApplyAsync(connection, migration, cancel);
                }

                return applied;
            },
            cancel);

    public override async ValueTask<bool> TryOwnLogAsync(CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(disposals > 0, this);
        await logGate.WaitAsync(cancel);
        try
        {
            if (logOwner is { FullState: not ConnectionState.Open })
            {
                await CloseAsync(logOwner);
                logOwner = null;
            }

            if (logOwner is not null)
            {
                return await TryLockLogAsync();
            }

            logOwner = await source.OpenConnectionAsync(cancel);
            if (!await TryLockLogAsync())
            {
                return false;
            }

            // An owner that stands still, or is cut off, must not keep the log from the others.
            await RunTextAsync(logOwner, $"set idle_session_timeout = {ownerSilentMs}", CancellationToken.None);
            return true;
        }
        catch (Exception error) when (PostgreSqlErrors.Translate(error) is { } translated)
        {
            throw translated;
        }
        finally
        {
            logGate.Release();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Increment(ref disposals) == 1)
        {
            Release();
        }

        await unused.Task;
        await logGate.WaitAsync();
        try
        {
            await ReleaseLogAsync();
            await source.DisposeAsync();
        }
        finally
        {
            logGate.Release();
        }
    }

    private static NpgsqlConnectionStringBuilder Parse(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text);
        }
        catch (ArgumentException error)
        {
            // Without the text: it may hold a password.
            throw new DatabaseUnavailableException(
                $"Database:ConnectionString is not one of PostgreSQL: {error.Message} Write for example "
                + "Host=db;Username=floodgate;Password=...;Database=floodgate, or leave it empty for SQLite.",
                error);
        }
    }

    private async ValueTask<T> RunAsync<T>(
        string? begin, bool isReadOnly, Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        PostgreSqlTx? tx = null;
        T result;
        try
        {
            result = await UseTxAsync();
        }
        catch (DatabaseUnavailableException error) when (
            tx is { IsCommitting: true } && PostgreSqlErrors.LeavesOpen(error.InnerException))
        {
            throw new DatabaseUnavailableException(error.Message, error.InnerException) { MayHaveHappened = true };
        }

        tx!.RunCommitted();
        return result;

        ValueTask<T> UseTxAsync() => UseAsync(
            async connection =>
            {
                tx = new PostgreSqlTx(connection, begin, isReadOnly);
                try
                {
                    var value = await work(tx);
                    await tx.CommitAsync();
                    return value;
                }
                catch
                {
                    // Rethrown: an error of any kind must give the connection back without its transaction.
                    await tx.RollbackAsync();
                    throw;
                }
            },
            cancel);
    }

    private async ValueTask<T> UseAsync<T>(Func<NpgsqlConnection, ValueTask<T>> use, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref disposals) > 0, this);
        try
        {
            var connection = await source.OpenConnectionAsync(cancel);
            Interlocked.Increment(ref uses);
            try
            {
                return await use(connection);
            }
            finally
            {
                await CloseAsync(connection);
                Release();
            }
        }
        catch (Exception error) when (PostgreSqlErrors.Translate(error) is { } translated)
        {
            throw translated;
        }
    }

    private static async ValueTask CloseAsync(NpgsqlConnection connection)
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (NpgsqlException)
        {
            // It is broken, and the pool drops it; the result, or the error that led here, is what counts.
        }
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref uses) == 0)
        {
            unused.TrySetResult();
        }
    }

    // Not cancelled: a lock that was taken while the answer was given up would belong to nobody who knows.
    private async ValueTask<bool> TryLockLogAsync()
    {
        var isOwner = false;
        try
        {
            await using var command = new NpgsqlCommand($"select pg_try_advisory_lock({LogOwnerLock})", logOwner);
            isOwner = (bool)(await command.ExecuteScalarAsync())!;
            return isOwner;
        }
        finally
        {
            if (!isOwner)
            {
                await CloseAsync(logOwner!);
                logOwner = null;
            }
        }
    }

    private async ValueTask ReleaseLogAsync()
    {
        if (logOwner is null || logOwner.FullState != ConnectionState.Open)
        {
            return;
        }

        try
        {
            await RunTextAsync(
                logOwner, "select pg_advisory_unlock_all(); set idle_session_timeout = 0", CancellationToken.None);
            await CloseAsync(logOwner);
        }
        catch (NpgsqlException)
        {
            // The session is gone, and the lock with it.
        }
    }

    // The lock ends with the transaction: nothing to give back, whatever happens to the connection.
    private static async ValueTask<int> ApplyAsync(
        NpgsqlConnection connection, Migration migration, CancellationToken cancel)
    {
        await using var begun = await connection.BeginTransactionAsync(cancel);
        await RunTextAsync(connection, "set local statement_timeout = 0; set local lock_timeout = 0", cancel);
        await RunTextAsync(connection, $"select pg_advisory_xact_lock({MigrationLock})", cancel);
        await RunTextAsync(connection, MigrationSql.CreateTable, cancel);
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

    // A migration may take as long as it takes: the server's limit is lifted for it, so the driver's is too.
    private static async ValueTask RunTextAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancel);
    }
}
