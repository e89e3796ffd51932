using Floodgate.Load.Target;
using SQLitePCL;

namespace Floodgate.Load.Settle;

/// <summary>
/// SQLite: bulk is one transaction of prepared inserts, the place of the run's own a file beside the server's, on the
/// same disk and with the same pragmas.
/// </summary>
internal sealed class SqliteBulk : IBulkDatabase
{
    private const int BusyTimeoutMs = 60_000;
    private readonly string file;
    private readonly string scratchFile;
    private readonly bool isFirst;
    private readonly sqlite3 handle;

    static SqliteBulk() => Batteries_V2.Init();

    private SqliteBulk(string file, string scratchFile, bool isFirst)
    {
        (this.file, this.scratchFile, this.isFirst) = (file, scratchFile, isFirst);
        var code = raw.sqlite3_open_v2(file, out handle, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX, null);
        if (code != raw.SQLITE_OK)
        {
            handle?.Dispose();
            throw new CannotRunException(
                $"--database {file} cannot be opened ({raw.sqlite3_errstr(code).utf8_to_string()}). Name the file "
                    + "floodgate.db in the server's --data folder, or a connection string of PostgreSQL.");
        }

        raw.sqlite3_busy_timeout(handle, BusyTimeoutMs);
        Run($"""
            pragma synchronous = full; pragma cache_size = -65536; pragma temp_store = memory;
            pragma wal_autocheckpoint = 4000; attach '{scratchFile.Replace("'", "''")}' as {Scratch};
            pragma {Scratch}.synchronous = full; pragma {Scratch}.cache_size = -65536
            """);
        if (isFirst)
        {
            Run($"pragma {Scratch}.journal_mode = wal"); // The file keeps it.
        }
    }

    /// <inheritdoc/>
    public string Scratch => "scratch";

    /// <inheritdoc/>
    public string IdType => "blob";

    /// <inheritdoc/>
    public string Clustered => "without rowid";

    /// <inheritdoc/>
    public string Analyze => "";

    /// <summary>Opens the server's file, and makes another beside it.</summary>
    /// <exception cref="CannotRunException">There is no such file.</exception>
    public static SqliteBulk Open(string path, string runId)
    {
        var file = Directory.Exists(path) ? Path.Combine(path, "floodgate.db") : path;
        var scratchFile = $"{file}.load-{runId}";

        // An attached file is only made when the main one was opened for making files, so it is made here.
        if (File.Exists(file))
        {
            File.Create(scratchFile).Dispose();
        }

        return new SqliteBulk(file, scratchFile, isFirst: true);
    }

    /// <inheritdoc/>
    public IBulkDatabase Another() => new SqliteBulk(file, scratchFile, isFirst: false);

    /// <inheritdoc/>
    public string Literal(Guid id) => $"x'{Convert.ToHexString(id.ToByteArray(bigEndian: true))}'";

    /// <inheritdoc/>
    public void Run(string sql) => Check(raw.sqlite3_exec(handle, sql), sql);

    /// <inheritdoc/>
    public List<T> Query<T>(string sql, Func<IBulkRow, T> map)
    {
        using var statement = Prepare(sql);
        var row = new Row(statement);
        var found = new List<T>();
        while (Step(statement, sql))
        {
            found.Add(map(row));
        }

        return found;
    }

    /// <inheritdoc/>
    public void Copy<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write)
    {
        Run("begin immediate");
        try
        {
            InsertEach(table, rows, write);
        }
        catch
        {
            // Rethrown: the connection goes on without what was half written.
            raw.sqlite3_exec(handle, "rollback");
            throw;
        }

        Run("commit");
    }

    /// <inheritdoc/>
    public void InsertEach<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write)
    {
        var marks = string.Join(", ", table.Columns.Split(',').Select((_, i) => $"?{i + 1}"));
        var sql = $"insert into {table.Name} ({table.Columns}) values ({marks})";
        using var statement = Prepare(sql);
        var writer = new Binder(statement);
        foreach (var row in rows)
        {
            writer.Begin();
            write(writer, row);
            Step(statement, sql);
            raw.sqlite3_reset(statement);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        handle.Dispose();
        if (isFirst)
        {
            foreach (var tail in (string[])["", "-wal", "-shm"])
            {
                File.Delete(scratchFile + tail);
            }
        }
    }

    private sqlite3_stmt Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v2(handle, sql, out var statement), sql);
        return statement;
    }

    private bool Step(sqlite3_stmt statement, string sql)
    {
        var code = raw.sqlite3_step(statement);
        if (code != raw.SQLITE_ROW && code != raw.SQLITE_DONE)
        {
            Check(code, sql);
        }

        return code == raw.SQLITE_ROW;
    }

    private void Check(int code, string sql)
    {
        if (code != raw.SQLITE_OK)
        {
            throw new CannotRunException(
                $"--database: {raw.sqlite3_errmsg(handle).utf8_to_string()} (code {code}) in "
                    + sql.ReplaceLineEndings(" "));
        }
    }

    private sealed class Row(sqlite3_stmt statement) : IBulkRow
    {
        public long Long(int column) => raw.sqlite3_column_int64(statement, column);

        public Guid Id(int column) => new(raw.sqlite3_column_blob(statement, column), bigEndian: true);

        public string Text(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string();
    }

    private sealed class Binder(sqlite3_stmt statement) : IBulkWriter
    {
        private int column;

        public void Begin() => column = 0;

        public void Write(long value) => raw.sqlite3_bind_int64(statement, ++column, value);

        public void Write(Guid value)
        {
            Span<byte> bytes = stackalloc byte[16];
            value.TryWriteBytes(bytes, bigEndian: true, out _);
            raw.sqlite3_bind_blob(statement, ++column, bytes);
        }

        public void Write(string? value)
        {
            if (value is null)
            {
                raw.sqlite3_bind_null(statement, ++column);
            }
            else
            {
                raw.sqlite3_bind_text(statement, ++column, value);
            }
        }
    }
}
