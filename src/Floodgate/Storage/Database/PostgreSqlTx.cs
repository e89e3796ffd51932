using System.Data;
using Floodgate.Vocabulary;
using Npgsql;

namespace Floodgate.Storage.Database;

/// <summary>
/// Collects statements in one <see cref="NpgsqlBatch"/>, which goes out with the next query or the commit.
/// BEGIN and COMMIT are commands of the batch, so they cost no round trip of their own.
/// </summary>
internal sealed class PostgreSqlTx : Tx
{
    private readonly NpgsqlConnection connection;
    private readonly bool isTransaction;
    private readonly List<(int Command, Expectation Expectation)> expected = [];
    private Task inFlight = Task.CompletedTask;
    private NpgsqlBatch? batch;
    private int queuedResults;
    private bool hasBegun;

    /// <param name="connection">An open connection, for this transaction alone.</param>
    /// <param name="begin">The text that begins it; null: each statement is a transaction of its own.</param>
    /// <param name="isReadOnly">True when nothing may be written.</param>
    public PostgreSqlTx(NpgsqlConnection connection, string? begin, bool isReadOnly)
        : base(isReadOnly)
    {
        this.connection = connection;
        isTransaction = begin is not null;
        if (begin is not null)
        {
            Add(begin);
        }
    }

    /// <summary>True once the commit is on its way.</summary>
    internal bool IsCommitting { get; private set; }

    internal async ValueTask CommitAsync()
    {
        EndBeforeCommit();
        if (!isTransaction || (!hasBegun && batch!.BatchCommands.Count == 1))
        {
            return; // Nothing was asked of it: not even BEGIN was sent.
        }

        // Checked before COMMIT goes out: a broken expectation must still be able to roll back.
        if (expected.Count > 0)
        {
            await SendAsync<int>(null);
        }

        Add("commit");
        IsCommitting = true;
        await SendAsync<int>(null);
        hasBegun = false;
    }

    internal async ValueTask RollbackAsync()
    {
        End();

        // Work that ends while its statement still runs: the connection cannot be given back before that is over.
        await inFlight.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        batch?.Dispose();
        batch = null;
        queuedResults = 0;
        expected.Clear();
        if (!hasBegun || connection.FullState != ConnectionState.Open)
        {
            return;
        }

        try
        {
            Add("rollback");
            await SendAsync<int>(null);
        }
        catch (NpgsqlException)
        {
            // The connection is broken: the server rolls back by itself, the pool drops the connection, and
            // the error that led here tells more than this one.
        }
    }

    private protected override void Add(Statement statement, Rows rows, Expectation? expectation)
    {
        AddCommand(statement, rows);
        if (expectation is not null)
        {
            expected.Add((batch!.BatchCommands.Count - 1, expectation));
        }
    }

    private protected override ValueTask<List<T>> RunAsync<T>(Statement statement, Rows rows, Func<Row, T> map)
    {
        AddCommand(statement, rows);
        var sending = SendAsync(map);
        inFlight = sending;
        return new(sending);
    }

    private protected override ValueTask InsertAsync(string table, Column[] columns, Rows rows)
    {
        inFlight = CopyInAsync(table, columns, rows);
        return new(inFlight);
    }

    private async Task CopyInAsync(string table, Column[] columns, Rows rows)
    {
        if (batch is not null)
        {
            await SendAsync<int>(null);
        }

        var names = string.Join(", ", columns.Select(c => c.Name));
        await using var copy = await connection.BeginBinaryImportAsync(
            $"copy {table} ({names}) from stdin (format binary)");
        for (var row = 0; row < rows.Count; row++)
        {
            copy.StartRow();
            foreach (var column in rows.Columns)
            {
                column.Write(copy, row);
            }
        }

        await copy.CompleteAsync();
    }

    private void Add(string sql)
    {
        batch ??= new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(sql));
    }

    private void AddCommand(Statement statement, Rows rows)
    {
        batch ??= new NpgsqlBatch(connection);
        var command = new NpgsqlBatchCommand(statement.PostgreSql);
        foreach (var column in rows.Columns)
        {
            command.Parameters.Add(column.ToParameter());
        }

        batch.BatchCommands.Add(command);
        queuedResults += statement.ReturnsRows ? 1 : 0;
    }

    /// <summary>Sends the batch, maps the last result if a map is given, and checks what was expected.</summary>
    private async Task<List<T>> SendAsync<T>(Func<Row, T>? map)
    {
        using var sent = batch!;
        var skip = map is null ? 0 : queuedResults - 1;
        (int Command, Expectation Expectation)[] checks = [.. expected];
        batch = null;
        queuedResults = 0;
        expected.Clear();
        hasBegun |= isTransaction;
        var results = new List<T>();
        await using (var reader = await sent.ExecuteReaderAsync())
        {
            for (; skip > 0; skip--)
            {
                Invariant.Check(await reader.NextResultAsync(), "each queued select has one result");
            }

            Invariant.Check(map is null || reader.FieldCount > 0, "a query has a result");
            while (map is not null && await reader.ReadAsync())
            {
                results.Add(map(new Row(reader)));
            }

            // Read to the end here, not by disposing: an error of a later statement or of the commit is an answer.
            while (await reader.NextResultAsync())
            {
                Invariant.Check(map is null, "the result that is mapped is the last one of its batch");
            }
        }

        foreach (var (command, expectation) in checks)
        {
            expectation.Check(sent.BatchCommands[command].RecordsAffected);
        }

        return results;
    }
}
