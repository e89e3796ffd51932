namespace Floodgate.Storage.Database;

/// <summary>The table of applied migrations.</summary>
internal static class MigrationSql
{
    public const string CreateTable = "create table if not exists schema_migration (name text primary key)";

    public const string PostgreSqlMark =
        "insert into schema_migration (name) values ($1) on conflict (name) do nothing";

    public static readonly Statement Mark = new(
        "insert into schema_migration (name) select rows.name from {rows} where true "
        + "on conflict (name) do nothing returning 1",
        Column.Text("name"));
}
