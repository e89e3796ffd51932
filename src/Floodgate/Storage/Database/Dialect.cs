using System.Text;
using System.Text.RegularExpressions;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>The few real differences between the two databases, each with a name.</summary>
public sealed partial class Dialect
{
    private readonly (string Token, string Text)[] tokens;
    private readonly bool isSqlite;

    private Dialect(bool isSqlite, params (string Token, string Text)[] tokens)
    {
        this.isSqlite = isSqlite;
        this.tokens = tokens;
    }

    /// <summary>PostgreSQL 15 and later.</summary>
    public static Dialect PostgreSql { get; } = new(
        isSqlite: false,
        ("{id}", "uuid"),
        ("{bytes}", "bytea"),
        ("{for update}", "for update"),
        ("{auto id}", "bigint generated always as identity primary key"),
        ("{random id}", "gen_random_uuid()"),
        ("{clustered}", ""),
        ("{now ms}", "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)"),
        ("{room for updates}", "with (fillfactor = 45)"),
        ("{collate bytes}", "collate \"C\""));

    /// <summary>SQLite 3.35 and later: <c>upsert</c>, <c>returning</c> and <c>update from</c>.</summary>
    public static Dialect Sqlite { get; } = new(
        isSqlite: true,
        ("{id}", "blob"),
        ("{bytes}", "blob"),
        ("{for update}", ""),
        ("{auto id}", "integer primary key"),
        ("{random id}", "randomblob(16)"),
        ("{clustered}", "without rowid"),
        ("{now ms}", "cast((julianday('now') - 2440587.5) * 86400000 as integer)"),
        ("{room for updates}", ""),
        ("{collate bytes}", ""));

    /// <summary>The text with its tokens and <c>{rows}</c> replaced.</summary>
    internal string Render(string sql, IReadOnlyList<Column> columns)
    {
        var text = new StringBuilder(sql);
        foreach (var (token, replacement) in tokens)
        {
            text.Replace(token, replacement);
        }

        return isSqlite
            ? ForOneRow(text.ToString(), columns)
            : text.Replace("{rows}", AllRows(columns)).ToString();
    }

    /// <summary>
    /// A statement that runs once for each row. Inserts and updates become the plain ones of a single row, with
    /// the row's values in their place: for an insert from a select and an update from a table SQLite would copy
    /// every page it touches into a statement journal, for each row, in case the next one fails.
    /// </summary>
    private static string ForOneRow(string sql, IReadOnlyList<Column> columns)
    {
        var plain = sql.StartsWith("insert", StringComparison.Ordinal) ? InsertFromRows().Replace(sql, "$1 values ($2)")
            : sql.StartsWith("update", StringComparison.Ordinal) ? UpdateFromRows().Replace(sql, " where")
            : sql;
        return plain == sql || plain.Contains("{rows}", StringComparison.Ordinal)
            ? plain.Replace("{rows}", OneRow(columns), StringComparison.Ordinal)
            : ValueOfRow().Replace(plain, m => $"?{IndexOf(m.Groups[1].Value, columns) + 1}");
    }

    private static int IndexOf(string name, IReadOnlyList<Column> columns)
    {
        var index = columns.Select(c => c.Name).ToList().IndexOf(name);
        Invariant.Check(index >= 0, $"rows.{name} is a column of the statement's rows");
        return index;
    }

    // Only a plain list of values: an insert from a join stays what it is.
    [GeneratedRegex(
        @"^(insert\s+into\s+\w+\s*\([^)]*\))\s*select\s+((?:(?!\bselect\b).)*?)\s+from\s+\{rows\}(?:\s+where\s+true)?"
            + @"(?=\s*$|\s+on\s+conflict|\s+returning)",
        RegexOptions.Singleline)]
    private static partial Regex InsertFromRows();

    [GeneratedRegex(@"\s+from\s+\{rows\}\s+where\b")]
    private static partial Regex UpdateFromRows();

    [GeneratedRegex(@"\brows\.(\w+)")]
    private static partial Regex ValueOfRow();

    private static string OneRow(IReadOnlyList<Column> columns) =>
        $"(select {string.Join(", ", columns.Select((c, i) => $"?{i + 1} as {c.Name}"))}) as rows";

    private static string AllRows(IReadOnlyList<Column> columns)
    {
        var arrays = columns.Select((c, i) => $"${i + 1}::{ArrayType(c.Kind)}");
        var names = columns.Select(c => c.Name);
        return $"unnest({string.Join(", ", arrays)}) as rows({string.Join(", ", names)})";
    }

    private static string ArrayType(ColumnKind kind) => kind switch
    {
        ColumnKind.Id => "uuid[]",
        ColumnKind.Text => "text[]",
        ColumnKind.Long => "bigint[]",
        _ => "bytea[]",
    };
}
