namespace Floodgate.Storage.Database;

/// <summary>
/// An open transaction, the first parameter of everything that reads or writes. Statements run in the order
/// in which they were given; queued ones travel together with the next query or with the commit, so a batch
/// of commands costs PostgreSQL two round trips. A <see cref="Tx"/> is used by one caller at a time.
/// </summary>
public abstract class Tx
{
    private List<Action>? committed;

    /// <summary>
    /// Gives a statement whose result is not needed. It runs before the next query or at the commit; an error
    /// surfaces there and rolls everything back. Nothing happens for zero rows.
    /// </summary>
    public abstract void Queue(Statement statement, Rows rows);

    /// <summary>
    /// Like <see cref="Queue(Statement, Rows)"/>, and exactly <paramref name="expectedRows"/> rows must change:
    /// otherwise the transaction fails with <see cref="Vocabulary.InvariantViolatedException"/> naming the rule.
    /// </summary>
    public abstract void Queue(Statement statement, Rows rows, int expectedRows, string rule);

    /// <summary>Runs what was queued, then the statement; its result rows, mapped, in the statement's order.</summary>
    public abstract ValueTask<List<T>> QueryAsync<T>(Statement statement, Rows rows, Func<Row, T> map);

    /// <summary>
    /// Inserts many rows by the fastest way there is: binary COPY, or a prepared insert. No conflict is
    /// tolerated: a duplicate key fails the transaction.
    /// </summary>
    /// <param name="table">The table, a constant of the caller's <c>*Sql.cs</c>.</param>
    /// <param name="columns">Its columns, in the order of the rows.</param>
    /// <param name="rows">The rows.</param>
    public abstract ValueTask CopyAsync(string table, Column[] columns, Rows rows);

    /// <summary>Runs the action after the commit is durable, before the caller is answered. It must not throw.</summary>
    public void OnCommitted(Action action) => (committed ??= []).Add(action);

    internal void RunCommitted() => committed?.ForEach(action => action());
}
