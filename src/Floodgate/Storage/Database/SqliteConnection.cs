using SQLitePCL;

namespace Floodgate.Storage.Database;

/// <summary>
/// One connection with its prepared statements, straight on SQLite's own interface: a statement costs
/// its work and no object, which a driver made for tables of objects cannot offer. Used by one thread at a time.
/// </summary>
internal sealed class SqliteConnection : IDisposable
{
    private const int BusyTimeoutMs = 5_000;

    private readonly sqlite3 handle;
    private readonly Dictionary<Statement, sqlite3_stmt> prepared = [];

    static SqliteConnection()
    {
        Batteries_V2.Init();

        // Statistics that nobody reads cost a global lock at every allocation.
        raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
    }

    public SqliteConnection(string file, bool readOnly)
    {
        var flags = readOnly
            ? raw.SQLITE_OPEN_READONLY
            : raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE;
        var code = raw.sqlite3_open_v2(file, out handle, flags | raw.SQLITE_OPEN_NOMUTEX, null);
        if (code != raw.SQLITE_OK)
        {
            handle?.Dispose();
            throw new DatabaseUnavailableException(
                $"SQLite cannot open {file} ({raw.sqlite3_errstr(code).utf8_to_string()}). Check Database:Directory.");
        }

        raw.sqlite3_busy_timeout(handle, BusyTimeoutMs);
    }

    /// <summary>True between begin and the end of the transaction; some errors end it without being told.</summary>
    public bool IsInTransaction => raw.sqlite3_get_autocommit(handle) == 0;

    /// <summary>Runs one or more statements without parameters or results.</summary>
    public void Run(string sql) => Check(raw.sqlite3_exec(handle, sql), sql);

    /// <summary>Runs the statement for each row; returns how many rows it changed in all.</summary>
    public int Run(Statement statement, Rows rows)
    {
        var before = raw.sqlite3_total_changes(handle);
        ForEachRow<int>(statement, rows, null, null);
        return raw.sqlite3_total_changes(handle) - before;
    }

    /// <summary>Runs the statement for each row; the result rows of all, mapped.</summary>
    public List<T> Query<T>(Statement statement, Rows rows, Func<Row, T> map)
    {
        var results = new List<T>();
        ForEachRow(statement, rows, map, results);
        return results;
    }

    /// <summary>Inserts the rows with a statement made for the table.</summary>
    public void Insert(string table, Column[] columns, Rows rows)
    {
        var names = string.Join(", ", columns.Select(c => c.Name));
        var marks = string.Join(", ", columns.Select((_, i) => $"?{i + 1}"));
        var sql = $"insert into {table} ({names}) values ({marks})";
        using var statement = Prepare(sql);
        for (var row = 0; row < rows.Count; row++)
        {
            Step<int>((statement, sql), rows, row, null, null);
        }
    }

    public void Dispose()
    {
        foreach (var statement in prepared.Values)
        {
            statement.Dispose();
        }

        handle.Dispose();
    }

    private void ForEachRow<T>(Statement statement, Rows rows, Func<Row, T>? map, List<T>? results)
    {
        if (!prepared.TryGetValue(statement, out var handleOfStatement))
        {
            prepared.Add(statement, handleOfStatement = Prepare(statement.Sqlite));
        }

        for (var row = 0; row < rows.Count; row++)
        {
            Step((handleOfStatement, statement.Sqlite), rows, row, map, results);
        }
    }

    private void Step<T>(
        (sqlite3_stmt Handle, string Sql) statement, Rows rows, int row, Func<Row, T>? map, List<T>? results)
    {
        var columns = rows.Columns;
        for (var i = 0; i < columns.Count; i++)
        {
            Check(columns[i].Bind(statement.Handle, i + 1, row), statement.Sql);
        }

        try
        {
            int code;
            while ((code = raw.sqlite3_step(statement.Handle)) == raw.SQLITE_ROW)
            {
                if (map is not null)
                {
                    results!.Add(map(new Row(statement.Handle)));
                }
            }

            Check(code == raw.SQLITE_DONE ? raw.SQLITE_OK : code, statement.Sql);
        }
        finally
        {
            // Also when the mapping throws: a statement left in its middle would go on there at its next use.
            raw.sqlite3_reset(statement.Handle);
        }
    }

    private sqlite3_stmt Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v2(handle, sql, out var statement), sql);
        return statement;
    }

    private void Check(int code, string sql)
    {
        if (code == raw.SQLITE_OK)
        {
            return;
        }

        var message = $"SQLite: {raw.sqlite3_errmsg(handle).utf8_to_string()} (code {code}).";
        throw (code & 0xFF) switch
        {
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new DatabaseUnavailableException(
                message + " Another process writes to this file: stop it, or choose another Database:Directory."),
            raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN =>
                new DatabaseUnavailableException(message + " Check the disk of Database:Directory."),
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => new DatabaseUnavailableException(
                message + " The file in Database:Directory is damaged: restore a copy of it."),
            _ => new StatementFailedException($"{message} The statement: {sql}"),
        };
    }
}
