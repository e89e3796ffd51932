namespace Floodgate.Storage.Database;

/// <summary>Where the data is and how hard it may be used.</summary>
/// <param name="ConnectionString">Empty: SQLite in <paramref name="Directory"/>. Otherwise PostgreSQL's.</param>
/// <param name="Directory">The folder of the SQLite file.</param>
/// <param name="ConnectionsMax">Connections to PostgreSQL, all uses together (2 to 200, default 30).</param>
/// <param name="WritersMax">Group-commit loops that write to PostgreSQL at once (1 to 8, default 2).</param>
/// <param name="ReadersMax">Connections that read SQLite at once (1 to 64, default 8).</param>
/// <param name="StatementTimeoutMs">A statement that runs longer is cancelled (100 to 600,000; default 30,000).</param>
/// <param name="LockTimeoutMs">
/// A statement that waits longer for another's lock gives up, on PostgreSQL (100 to 600,000; default 10,000).
/// </param>
/// <param name="IdleTransactionTimeoutMs">
/// PostgreSQL ends a transaction that says nothing for longer: its process stands still or is cut off, and what it has
/// locked is waited for by all (500 to 600,000; default 5,000). So does the owner of the log after twice as long.
/// </param>
public sealed record DatabaseSettings(
    string ConnectionString,
    string Directory,
    int ConnectionsMax = 30,
    int WritersMax = 2,
    int ReadersMax = 8,
    int StatementTimeoutMs = 30_000,
    int LockTimeoutMs = 10_000,
    int IdleTransactionTimeoutMs = 5_000)
{
    /// <summary>True when a connection string is given.</summary>
    public bool IsPostgreSql => ConnectionString.Length > 0;
}
