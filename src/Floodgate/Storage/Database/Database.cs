namespace Floodgate.Storage.Database;

/// <summary>The database cannot be reached, or gave up on a transaction that may succeed when tried again.</summary>
public sealed class DatabaseUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The door to SQLite or PostgreSQL. Safe for any number of callers.</summary>
public abstract class Database : IAsyncDisposable
{
    /// <summary>What is different about this database.</summary>
    public abstract Dialect Dialect { get; }

    /// <summary>How many group-commit loops gain from writing at the same time: 1 on SQLite.</summary>
    public abstract int WritersMax { get; }

    /// <summary>Opens the database that the settings name; the first use connects.</summary>
    public static Database Open(DatabaseSettings settings) => settings.IsPostgreSql
        ? new PostgreSqlDatabase(settings)
        : new SqliteDatabase(settings);

    /// <summary>
    /// Runs the work in one transaction and returns its result after the commit is durable. Any exception
    /// rolls back and is rethrown. The work must wait for nothing but this transaction: on SQLite, where one
    /// writer serves all, work that suspends is refused.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">Unreachable, deadlock or lost connection. The commit
    /// may still have happened, so work that is tried again must be idempotent.</exception>
    public abstract ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default);

    /// <summary>Reads committed rows; each statement sees its own moment. Writes are refused or not kept.</summary>
    public abstract ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default);

    /// <summary>Reads with all statements seeing the same moment: for checks that compare tables.</summary>
    public abstract ValueTask<T> ReadSnapshotAsync<T>(
        Func<Tx, ValueTask<T>> work, CancellationToken cancel = default);

    /// <summary>
    /// Applies the migrations that were not applied yet, in their order, each with its mark in one
    /// transaction. Several nodes may start at once: they take turns.
    /// </summary>
    /// <returns>How many were applied now.</returns>
    public abstract ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel);

    /// <summary>
    /// Takes the sole right to consume the embedded log of this database until the process ends or
    /// <see cref="DisposeAsync"/>; false when another process holds it.
    /// </summary>
    public abstract ValueTask<bool> TryOwnLogAsync(CancellationToken cancel);

    /// <summary>Connections open now, for the metrics.</summary>
    public abstract int OpenConnections { get; }

    /// <summary>Finishes what was given and closes all connections.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>One step of the schema. Applied once, never edited after it was released.</summary>
/// <param name="Name">Unique, ordered by module: <c>ledger-001</c>.</param>
/// <param name="Sql">Statements separated by semicolons, with the dialect's tokens.</param>
public sealed record Migration(string Name, string Sql);
