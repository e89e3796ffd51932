using System.Text;

namespace Floodgate.Storage.Database;

/// <summary>The few real differences between the two databases, each with a name.</summary>
public sealed class Dialect
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
        ("{clustered}", ""),
        ("{room for updates}", "with (fillfactor = 70)"),
        ("{collate bytes}", "collate \"C\""));

    /// <summary>SQLite 3.35 and later: <c>upsert</c>, <c>returning</c> and <c>update from</c>.</summary>
    public static Dialect Sqlite { get; } = new(
        isSqlite: true,
        ("{id}", "blob"),
        ("{bytes}", "blob"),
        ("{for update}", ""),
        ("{auto id}", "integer primary key"),
        ("{clustered}", "without rowid"),
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

        return text.Replace("{rows}", isSqlite ? OneRow(columns) : AllRows(columns)).ToString();
    }

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
