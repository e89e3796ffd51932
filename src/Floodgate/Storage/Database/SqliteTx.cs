using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>
/// A transaction, or a savepoint of the writer's transaction. Every statement runs at once: there is no
/// network to spare, so everything completes synchronously.
/// </summary>
internal sealed class SqliteTx(SqliteConnection connection) : Tx
{
    public override void Queue(Statement statement, Rows rows) => connection.Run(statement, rows);

    public override void Queue(Statement statement, Rows rows, int expectedRows, string rule)
    {
        var changed = connection.Run(statement, rows);
        Invariant.Check(changed == expectedRows, $"{rule}; expected {expectedRows} rows, changed {changed}");
    }

    public override ValueTask<List<T>> QueryAsync<T>(Statement statement, Rows rows, Func<Row, T> map) =>
        ValueTask.FromResult(connection.Query(statement, rows, map));

    public override ValueTask CopyAsync(string table, Column[] columns, Rows rows)
    {
        connection.Insert(table, columns, rows);
        return ValueTask.CompletedTask;
    }
}
