using System.Text.RegularExpressions;

namespace Floodgate.Storage.Database;

/// <summary>The type of one column of the rows that a statement is given.</summary>
public enum ColumnKind
{
    /// <summary>A UUID: <c>uuid</c> or a 16-byte blob, in the same order on both.</summary>
    Id,

    /// <summary>Text, possibly null.</summary>
    Text,

    /// <summary>A 64-bit integer; also instants (<c>_ms</c>) and 0/1 flags.</summary>
    Long,

    /// <summary>Raw bytes.</summary>
    Bytes,
}

/// <summary>A named, typed column of <c>{rows}</c>.</summary>
public readonly record struct Column(string Name, ColumnKind Kind)
{
    /// <summary>A UUID column.</summary>
    public static Column Id(string name) => new(name, ColumnKind.Id);

    /// <summary>A text column; values may be null.</summary>
    public static Column Text(string name) => new(name, ColumnKind.Text);

    /// <summary>An integer column.</summary>
    public static Column Long(string name) => new(name, ColumnKind.Long);

    /// <summary>A column of raw bytes.</summary>
    public static Column Bytes(string name) => new(name, ColumnKind.Bytes);
}

/// <summary>
/// One SQL text for both databases, fed by a set of rows. <c>{rows}</c> in it is a table source with the
/// given columns: on PostgreSQL all rows at once through <c>unnest</c>; on SQLite the prepared statement
/// runs once for each row, which costs there about what one large statement would. Write every statement
/// so that both mean the same: no aggregate over <c>{rows}</c>, <c>where true</c> before
/// <c>on conflict</c>, no order of the whole result (rows that belong together carry a key), and no two rows
/// that change the same one. <c>{for update}</c> locks rows on PostgreSQL and is empty on SQLite, which has
/// one writer.
/// </summary>
public sealed partial class Statement
{
    private readonly Column[] columns;

    /// <summary>Declares the statement; done once, in a static field of a <c>*Sql.cs</c> file.</summary>
    /// <param name="sql">The text, the same for both databases.</param>
    /// <param name="columns">The columns of <c>{rows}</c>, in the order in which <see cref="Rows"/> are built.</param>
    public Statement(string sql, params Column[] columns)
        : this(sql, sql, columns)
    {
    }

    /// <summary>Declares a statement whose text differs between the two; say there why it must.</summary>
    public Statement(string postgreSql, string sqlite, Column[] columns)
    {
        this.columns = columns;
        PostgreSql = Dialect.PostgreSql.Render(postgreSql, columns);
        Sqlite = Dialect.Sqlite.Render(sqlite, columns);
        Writes = !ReadStart().IsMatch(PostgreSql) || WriteInside().IsMatch(PostgreSql);
        ReturnsRows = !Writes || PostgreSql.Contains("returning", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The columns of <c>{rows}</c>.</summary>
    public IReadOnlyList<Column> Columns => columns;

    internal string PostgreSql { get; }

    internal string Sqlite { get; }

    internal bool ReturnsRows { get; }

    internal bool Writes { get; }

    [GeneratedRegex(@"^\s*(select|with|explain)\b", RegexOptions.IgnoreCase)]
    private static partial Regex ReadStart();

    // PostgreSQL lets a select write through its "with" clauses.
    [GeneratedRegex(@"\b(insert\s+into|delete\s+from|(?<!for\s+)update\s+\w+\s+set)\b", RegexOptions.IgnoreCase)]
    private static partial Regex WriteInside();
}
