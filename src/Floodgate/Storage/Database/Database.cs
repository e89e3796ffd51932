namespace Floodgate.Storage.Database;

/// <summary>The database cannot be reached, or gave up on a transaction that may succeed when tried again.</summary>
public sealed class DatabaseUnavailableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>True when the answer to a commit was lost: it may have happened. False: it did not.</summary>
    public bool MayHaveHappened { get; init; }
}

/// <summary>
/// The database refused a statement: a constraint, a wrong type, an error in the text. Trying it again fails again.
/// The message names the statement, never its values.
/// </summary>
public sealed class StatementFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The door to SQLite or PostgreSQL. Safe for any number of callers.</summary>
public abstract class Database : IAsyncDisposable
{
    /// <summary>What is different about this database.</summary>
    public abstract Dialect Dialect { get; }

    /// <summary>How many group-commit loops gain from writing at the same time: 1 on SQLite.</summary>
    public abstract int WritersMax { get; }

    /// <summary>Opens what the settings name: SQLite's file at once, PostgreSQL at the first use.</summary>
    /// <exception cref="DatabaseUnavailableException">The connection string or the folder cannot be used.</exception>
    public static Database Open(DatabaseSettings settings) => settings.IsPostgreSql
        ? new PostgreSqlDatabase(settings)
        : new SqliteDatabase(settings);

    /// <summary>
    /// Runs the work in one transaction and returns its result after the commit is durable. Any exception
    /// rolls back and is rethrown. The work must wait for nothing but this transaction: on SQLite, where one
    /// writer serves all, work that suspends is refused. PostgreSQL isolates by read committed only: lock
    /// (<c>{for update}</c>) the rows that a decision rests on. Cancelling ends the wait for a turn; work that has
    /// begun goes on.
    /// </summary>
    /// <exception cref="StatementFailedException">The database refused a statement.</exception>
    /// <exception cref="DatabaseUnavailableException">Unreachable, deadlock or lost connection. The commit
    /// may still have happened, so work that is tried again must be idempotent.</exception>
    public abstract ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default);

    /// <summary>Reads committed rows; each statement sees its own moment. A write is refused.</summary>
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
    /// <see cref="DisposeAsync"/>; false when another process holds it. On PostgreSQL the right also ends with the
    /// session that took it: ask again now and then; the owner's question costs one round trip, and takes the
    /// right back when it was lost to nobody.
    /// </summary>
    public abstract ValueTask<bool> TryOwnLogAsync(CancellationToken cancel);

    /// <summary>Connections at work now, for the metrics: 0 when nothing reads or writes.</summary>
    public abstract int OpenConnections { get; }

    /// <summary>
    /// Finishes what was given and closes all connections; later uses fail with
    /// <see cref="ObjectDisposedException"/>. Twice is harmless.
    /// </summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>One step of the schema. Applied once, never edited after it was released.</summary>
/// <param name="Name">Unique, ordered by module: <c>ledger-001</c>.</param>
/// <param name="Sql">Statements separated by semicolons, with the dialect's tokens.</param>
public sealed record Migration(string Name, string Sql);
