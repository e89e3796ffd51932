using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>
/// An open transaction, the first parameter of everything that reads or writes. Statements run in the order
/// in which they were given; queued ones travel together with the next query or with the commit, so a batch
/// of commands costs PostgreSQL two round trips. A <see cref="Tx"/> is used by one caller at a time, and only
/// until the work it was given to returns.
/// </summary>
/// <remarks>
/// A statement that fails ends the transaction, also when the work catches the error: PostgreSQL would answer
/// the commit of such a transaction with a silent rollback.
/// </remarks>
public abstract class Tx
{
    private readonly bool isReadOnly;
    private List<Action>? committed;

    // Written by the caller that uses the transaction and by the end of its work, which may be another thread
    // when the work broke its promise and still runs.
    private volatile bool isBusyOrBroken;
    private volatile bool isOver;

    private protected Tx(bool isReadOnly) => this.isReadOnly = isReadOnly;

    /// <summary>
    /// Gives a statement whose result is not needed. It runs before the next query or at the commit; an error
    /// surfaces there and rolls everything back. Nothing happens for zero rows.
    /// </summary>
    public void Queue(Statement statement, Rows rows) => Queue(statement, rows, null);

    /// <summary>
    /// Like <see cref="Queue(Statement, Rows)"/>, and exactly <paramref name="expectedRows"/> rows must change:
    /// otherwise the transaction fails with <see cref="InvariantViolatedException"/> naming the rule. It costs
    /// PostgreSQL one more round trip when nothing else makes the statement run before the commit.
    /// </summary>
    public void Queue(Statement statement, Rows rows, int expectedRows, string rule) =>
        Queue(statement, rows, new Expectation(expectedRows, rule));

    /// <summary>Runs what was queued, then the statement; its result rows, mapped, in the statement's order.</summary>
    public async ValueTask<List<T>> QueryAsync<T>(Statement statement, Rows rows, Func<Row, T> map)
    {
        Begin(rows, statement.Columns, statement.Writes);
        Invariant.Check(statement.ReturnsRows, "a query is a select or has a returning clause");
        var results = rows.Count == 0 ? [] : await RunAsync(statement, rows, map);
        isBusyOrBroken = false;
        return results;
    }

    /// <summary>
    /// Inserts many rows by the fastest way there is: binary COPY, or a prepared insert. No conflict is
    /// tolerated: a duplicate key fails the transaction.
    /// </summary>
    /// <param name="table">The table, a constant of the caller's <c>*Sql.cs</c>.</param>
    /// <param name="columns">Its columns, in the order of the rows.</param>
    /// <param name="rows">The rows.</param>
    public async ValueTask CopyAsync(string table, Column[] columns, Rows rows)
    {
        Begin(rows, columns, isWrite: true);
        if (rows.Count > 0)
        {
            await InsertAsync(table, columns, rows);
        }

        isBusyOrBroken = false;
    }

    /// <summary>Runs it after the commit is durable, before the caller is answered; it may not throw.</summary>
    public void OnCommitted(Action action) => (committed ??= []).Add(action);

    internal void RunCommitted() => committed?.ForEach(action => action());

    /// <summary>The work has returned: nothing more is taken.</summary>
    internal void End() => isOver = true;

    /// <summary>The work has returned well; throws when it may not be committed nevertheless.</summary>
    internal void EndBeforeCommit()
    {
        isOver = true;
        Invariant.Check(!isBusyOrBroken, "work whose statement failed, or still runs, is not committed");
    }

    private protected abstract void Add(Statement statement, Rows rows, Expectation? expectation);

    private protected abstract ValueTask<List<T>> RunAsync<T>(Statement statement, Rows rows, Func<Row, T> map);

    private protected abstract ValueTask InsertAsync(string table, Column[] columns, Rows rows);

    private void Queue(Statement statement, Rows rows, Expectation? expectation)
    {
        Begin(rows, statement.Columns, isWrite: true);
        if (rows.Count > 0)
        {
            Add(statement, rows, expectation);
        }
        else
        {
            expectation?.Check(0);
        }

        isBusyOrBroken = false;
    }

    // Cleared at the end of each operation, so one that throws leaves the transaction broken.
    private void Begin(Rows rows, IReadOnlyList<Column> columns, bool isWrite)
    {
        Invariant.Check(!isOver, "a transaction is used only by the work it was given to");
        Invariant.Check(!isBusyOrBroken, "a transaction runs one statement at a time, and none after an error");
        isBusyOrBroken = true;
        Invariant.Check(!isWrite || !isReadOnly, "a read writes nothing");
        rows.CheckFit(columns);
    }

    /// <summary>How many rows a statement must change.</summary>
    private protected sealed record Expectation(int Rows, string Rule)
    {
        public void Check(long changed) =>
            Invariant.Check(changed == Rows, $"{Rule}; expected {Rows} rows, changed {changed}");
    }
}
