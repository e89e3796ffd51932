using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>
/// A transaction, or a savepoint of the writer's transaction. Every statement runs at once: there is no
/// network to spare, so everything completes synchronously.
/// </summary>
internal sealed class SqliteTx(SqliteConnection connection, bool isReadOnly) : Tx(isReadOnly)
{
    /// <summary>Runs the work, which must complete at once: whoever writes next would wait with it.</summary>
    public T Complete<T>(Func<Tx, ValueTask<T>> work)
    {
        try
        {
            var running = work(this);
            Invariant.Check(running.IsCompleted, "work in a transaction waits for nothing but the transaction");
            return running.GetAwaiter().GetResult(); // tidy: blocking: it has completed.
        }
        catch
        {
            // Rethrown: work that was refused may still run, and must not touch the connection any more.
            End();
            throw;
        }
    }

    private protected override void Add(Statement statement, Rows rows, Expectation? expectation)
    {
        var changed = connection.Run(statement, rows);
        expectation?.Check(changed);
    }

    private protected override ValueTask<List<T>> RunAsync<T>(Statement statement, Rows rows, Func<Row, T> map) =>
        ValueTask.FromResult(connection.Query(statement, rows, map));

    private protected override ValueTask InsertAsync(string table, Column[] columns, Rows rows)
    {
        connection.Insert(table, columns, rows);
        return ValueTask.CompletedTask;
    }
}
