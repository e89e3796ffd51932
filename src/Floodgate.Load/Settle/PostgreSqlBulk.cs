using Floodgate.Load.Target;
using Npgsql;
using NpgsqlTypes;

namespace Floodgate.Load.Settle;

/// <summary>PostgreSQL: bulk is a binary COPY, the place of the run's own a schema.</summary>
internal sealed class PostgreSqlBulk : IBulkDatabase
{
    private readonly NpgsqlDataSource source;
    private readonly NpgsqlConnection connection;
    private readonly bool isFirst;

    private PostgreSqlBulk(NpgsqlDataSource source, string schema, bool isFirst)
    {
        (this.source, Scratch, this.isFirst) = (source, schema, isFirst);
        connection = source.OpenConnection();
    }

    /// <inheritdoc/>
    public string Scratch { get; }

    /// <inheritdoc/>
    public string IdType => "uuid";

    /// <inheritdoc/>
    public string Clustered => "";

    /// <inheritdoc/>
    public string Analyze => "analyze";

    /// <summary>Connects, and makes the schema.</summary>
    /// <exception cref="CannotRunException">The database does not answer.</exception>
    public static PostgreSqlBulk Open(string connectionString, string runId)
    {
        try
        {
            var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
            {
                CommandTimeout = 0, // The yardstick of ten million lines takes minutes.
                MaxAutoPrepare = 20,
                AutoPrepareMinUsages = 2,
            });
            var bulk = new PostgreSqlBulk(source, $"floodgate_load_{runId}", isFirst: true);
            bulk.Run($"create schema {bulk.Scratch}");
            return bulk;
        }
        catch (Exception broken) when (broken is NpgsqlException or ArgumentException)
        {
            throw new CannotRunException($"--database: {broken.Message}");
        }
    }

    /// <inheritdoc/>
    public IBulkDatabase Another() => new PostgreSqlBulk(source, Scratch, isFirst: false);

    /// <inheritdoc/>
    public string Literal(Guid id) => $"'{id}'::uuid";

    /// <inheritdoc/>
    public void Run(string sql)
    {
        using var command = new NpgsqlCommand(sql, connection);
        command.ExecuteNonQuery();
    }

    /// <inheritdoc/>
    public List<T> Query<T>(string sql, Func<IBulkRow, T> map)
    {
        using var command = new NpgsqlCommand(sql, connection);
        using var reader = command.ExecuteReader();
        var row = new Row(reader);
        var found = new List<T>();
        while (reader.Read())
        {
            found.Add(map(row));
        }

        return found;
    }

    /// <inheritdoc/>
    public void Copy<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write)
    {
        using var importer = connection.BeginBinaryImport(
            $"copy {table.Name} ({table.Columns}) from stdin (format binary)");
        var writer = new CopyWriter(importer);
        foreach (var row in rows)
        {
            importer.StartRow();
            write(writer, row);
        }

        importer.Complete();
    }

    /// <inheritdoc/>
    public void InsertEach<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write)
    {
        var marks = string.Join(", ", table.Columns.Split(',').Select((_, i) => $"${i + 1}"));
        using var command = new NpgsqlCommand(
            $"insert into {table.Name} ({table.Columns}) values ({marks})", connection);
        var writer = new ParameterWriter(command.Parameters);
        foreach (var row in rows)
        {
            command.Parameters.Clear();
            write(writer, row);
            command.ExecuteNonQuery();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (isFirst)
        {
            Run($"drop schema {Scratch} cascade");
        }

        connection.Dispose();
        if (isFirst)
        {
            source.Dispose();
        }
    }

    private sealed class Row(NpgsqlDataReader reader) : IBulkRow
    {
        public long Long(int column) => reader.GetInt64(column);

        public Guid Id(int column) => reader.GetGuid(column);

        public string Text(int column) => reader.GetString(column);
    }

    private sealed class CopyWriter(NpgsqlBinaryImporter importer) : IBulkWriter
    {
        public void Write(long value) => importer.Write(value, NpgsqlDbType.Bigint);

        public void Write(Guid value) => importer.Write(value, NpgsqlDbType.Uuid);

        public void Write(string? value)
        {
            if (value is null)
            {
                importer.WriteNull();
            }
            else
            {
                importer.Write(value, NpgsqlDbType.Text);
            }
        }
    }

    private sealed class ParameterWriter(NpgsqlParameterCollection parameters) : IBulkWriter
    {
        public void Write(long value) => parameters.Add(new NpgsqlParameter<long> { TypedValue = value });

        public void Write(Guid value) => parameters.Add(new NpgsqlParameter<Guid> { TypedValue = value });

        public void Write(string? value) => parameters.Add(new NpgsqlParameter
        {
            Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text,
        });
    }
}
