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
    private readonly List<(Statement Statement, int Command, int Rows, string Rule)> expected = [];
    private NpgsqlBatch? batch;
    private int queuedResults;
    private bool hasBegun;

    public PostgreSqlTx(NpgsqlConnection connection, string? begin)
    {
        this.connection = connection;
        isTransaction = begin is not null;
        if (begin is not null)
        {
            Add(begin);
        }
    }

    public override void Queue(Statement statement, Rows rows)
    {
        if (rows.Count > 0)
        {
            Add(statement, rows);
        }
    }

    public override void Queue(Statement statement, Rows rows, int expectedRows, string rule)
    {
        Invariant.Check(rows.Count > 0 || expectedRows == 0, rule);
        if (rows.Count > 0)
        {
            Add(statement, rows);
            expected.Add((statement, batch!.BatchCommands.Count - 1, expectedRows, rule));
        }
    }

    public override async ValueTask<List<T>> QueryAsync<T>(Statement statement, Rows rows, Func<Row, T> map)
    {
        if (rows.Count == 0)
        {
            return [];
        }

        var skip = queuedResults;
        Add(statement, rows);
        return await ExecuteAsync(map, skip);
    }

    public override async ValueTask CopyAsync(string table, Column[] columns, Rows rows)
    {
        if (batch is not null)
        {
            await ExecuteAsync<int>(null, 0);
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

    internal async ValueTask CommitAsync()
    {
        if (!isTransaction)
        {
            Invariant.Check(batch is null, "a read queues no statements");
            return;
        }

        if (!hasBegun && batch!.BatchCommands.Count == 1)
        {
            return; // Nothing was asked of it: not even BEGIN was sent.
        }

        // Checked before COMMIT goes out: a broken expectation must still be able to roll back.
        if (expected.Count > 0)
        {
            await ExecuteAsync<int>(null, 0);
        }

        Add("commit");
        await ExecuteAsync<int>(null, 0);
        hasBegun = false;
    }

    internal async ValueTask RollbackAsync()
    {
        batch?.Dispose();
        batch = null;
        if (!hasBegun || connection.FullState != System.Data.ConnectionState.Open)
        {
            return;
        }

        try
        {
            Add("rollback");
            await ExecuteAsync<int>(null, 0);
        }
        catch (NpgsqlException)
        {
            // The connection is broken: the server rolls back by itself, the pool drops the connection, and
            // the error that led here tells more than this one.
        }
    }

    private void Add(string sql)
    {
        batch ??= new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(sql));
    }

    private void Add(Statement statement, Rows rows)
    {
        Invariant.Check(
            ReferenceEquals(rows, Rows.None) || rows.Columns.Count == statement.Columns.Count,
            "rows have the columns of their statement");
        batch ??= new NpgsqlBatch(connection);
        var command = new NpgsqlBatchCommand(statement.PostgreSql);
        foreach (var column in rows.Columns)
        {
            command.Parameters.Add(column.ToParameter());
        }

        batch.BatchCommands.Add(command);
        queuedResults += statement.ReturnsRows ? 1 : 0;
    }

    /// <summary>Sends the batch; maps the result that comes after <paramref name="skip"/> others.</summary>
    private async ValueTask<List<T>> ExecuteAsync<T>(Func<Row, T>? map, int skip)
    {
        using var sent = batch!;
        batch = null;
        queuedResults = 0;
        hasBegun |= isTransaction;
        var results = new List<T>();
        await using (var reader = await sent.ExecuteReaderAsync())
        {
            for (; skip > 0; skip--)
            {
                await reader.NextResultAsync();
            }

            while (map is not null && await reader.ReadAsync())
            {
                results.Add(map(new Row(reader)));
            }
        }

        foreach (var (_, command, rows, rule) in expected)
        {
            Invariant.Check(
                sent.BatchCommands[command].RecordsAffected == rows,
                $"{rule}; expected {rows} rows, changed {sent.BatchCommands[command].RecordsAffected}");
        }

        expected.Clear();
        return results;
    }
}
