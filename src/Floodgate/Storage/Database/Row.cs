using Npgsql;
using SQLitePCL;

namespace Floodgate.Storage.Database;

/// <summary>One row of a result, read by position. Valid only inside the mapping function it is given to.</summary>
public readonly struct Row
{
    private readonly NpgsqlDataReader? postgreSql;
    private readonly sqlite3_stmt? sqlite;

    internal Row(NpgsqlDataReader reader) => postgreSql = reader;

    internal Row(sqlite3_stmt statement) => sqlite = statement;

    /// <summary>A UUID.</summary>
    public Guid Id(int column) => postgreSql is not null
        ? postgreSql.GetGuid(column)
        : new Guid(raw.sqlite3_column_blob(Of(column, raw.SQLITE_BLOB), column), bigEndian: true);

    /// <summary>Text that is never null.</summary>
    public string Text(int column) => postgreSql is not null
        ? postgreSql.GetString(column)
        : raw.sqlite3_column_text(Of(column, raw.SQLITE_TEXT), column).utf8_to_string();

    /// <summary>Text, or null where the column is null.</summary>
    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>An integer.</summary>
    public long Long(int column) => postgreSql is not null
        ? postgreSql.GetInt64(column)
        : raw.sqlite3_column_int64(Of(column, raw.SQLITE_INTEGER), column);

    /// <summary>An integer, or null where the column is null (an aggregate over nothing).</summary>
    public long? LongOrNull(int column) => IsNull(column) ? null : Long(column);

    /// <summary>A 0/1 flag; a comparison is no flag on PostgreSQL: <c>case when a = b then 1 else 0 end</c>.</summary>
    public bool Flag(int column) => Long(column) != 0;

    /// <summary>Raw bytes.</summary>
    public byte[] Bytes(int column) => postgreSql is not null
        ? postgreSql.GetFieldValue<byte[]>(column)
        : raw.sqlite3_column_blob(Of(column, raw.SQLITE_BLOB), column).ToArray();

    // SQLite would turn null into 0 and text into a number; PostgreSQL refuses, so both do.
    private sqlite3_stmt Of(int column, int type)
    {
        var actual = raw.sqlite3_column_type(sqlite, column);
        return actual == type
            ? sqlite!
            : throw new InvalidCastException($"Column {column} has SQLite's type {actual}, not {type} (5 is null).");
    }

    private bool IsNull(int column) => postgreSql is not null
        ? postgreSql.IsDBNull(column)
        : raw.sqlite3_column_type(sqlite, column) == raw.SQLITE_NULL;
}
