using Npgsql;

namespace Floodgate.Storage.Database;

/// <summary>Turns the driver's errors into the two that callers know: try again later, or never.</summary>
internal static class PostgreSqlErrors
{
    /// <summary>The error to throw instead; null for one that did not come from the database.</summary>
    public static Exception? Translate(Exception error) => error switch
    {
        PostgresException { SqlState: "40001" or "40P01" } e => new DatabaseUnavailableException(
            $"PostgreSQL gave up on a transaction that met others ({Text(e)}). Trying it again may succeed.", e),
        PostgresException { SqlState: "55P03" } e => new DatabaseUnavailableException(
            $"PostgreSQL waited for another's lock for Database:LockTimeoutMs ({Text(e)}). {Statement(e)}", e),
        PostgresException { SqlState: "25P03" } e => new DatabaseUnavailableException(
            $"PostgreSQL ended a transaction that said nothing for Database:IdleTransactionTimeoutMs ({Text(e)}).", e),
        PostgresException { SqlState: "57014" } e => new DatabaseUnavailableException(
            $"PostgreSQL cancelled a statement ({Text(e)}): Database:StatementTimeoutMs has passed, or an operator "
            + $"cancelled it. {Statement(e)}",
            e),
        PostgresException e when IsAboutTheServer(e) => Unavailable(e),
        PostgresException e => new StatementFailedException(
            $"PostgreSQL refused a statement ({Text(e)}). {Statement(e)}", e),
        NpgsqlOperationInProgressException => null, // Two uses of one transaction at once: a bug.
        NpgsqlException or TimeoutException => Unavailable(error),
        _ => null,
    };

    /// <summary>
    /// True when this end of a commit leaves open whether it happened: no answer, or only that the server goes down.
    /// </summary>
    public static bool LeavesOpen(Exception? error) => error is not PostgresException e
        || e.SqlState.StartsWith("57P", StringComparison.Ordinal);

    // By class: 08 connection, 53 resources, 57P going down or starting, 58 its system, 28 and 3D wrong user,
    // password or database; 25006: a standby, as after a failover.
    private static bool IsAboutTheServer(PostgresException e) =>
        e.IsTransient
        || e.SqlState is "25006"
        || e.SqlState.StartsWith("57P", StringComparison.Ordinal)
        || e.SqlState[..2] is "08" or "28" or "3D" or "53" or "58";

    private static DatabaseUnavailableException Unavailable(Exception error) => new(
        $"PostgreSQL is not available ({error.Message.ReplaceLineEndings(" ")}). "
        + "Check Database:ConnectionString and that the server runs.",
        error);

    // Not the detail: it may hold the values of a row.
    private static string Text(PostgresException e) => $"{e.SqlState}: {e.MessageText.ReplaceLineEndings(" ")}";

    private static string Statement(PostgresException e) =>
        e.BatchCommand is { } command ? $"The statement: {command.CommandText}" : "";
}
