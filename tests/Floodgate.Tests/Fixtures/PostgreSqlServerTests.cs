using Npgsql;
using Xunit;

namespace Floodgate.Tests.Fixtures;

/// <summary>Goal: what the database tests stand on is real. Method: ask the server itself.</summary>
public sealed class PostgreSqlServerTests(PostgreSqlServer server)
{
    // Goal: tests cannot see each other's rows. Method: two databases, a table in one.
    [Fact]
    public async Task Gives_each_caller_an_empty_durable_database_of_its_own()
    {
        var databases = await Task.WhenAll(server.CreateDatabaseAsync(), server.CreateDatabaseAsync());

        await ScalarAsync(databases[0], "create table seen (id bigint)");

        Assert.Equal(1L, await ScalarAsync(databases[0], "select count(*) from pg_tables where tablename = 'seen'"));
        Assert.Equal(0L, await ScalarAsync(databases[1], "select count(*) from pg_tables where tablename = 'seen'"));
        Assert.Equal("on", await ScalarAsync(databases[0], "show fsync"));
        Assert.Equal("on", await ScalarAsync(databases[0], "show synchronous_commit"));
    }

    // Goal: a test can have a server with other settings. Method: start one beside the shared one, then stop it.
    [Fact]
    public async Task Starts_another_cluster_with_other_settings_and_stops_it()
    {
        string database;
        await using (var other = PostgreSqlServer.WithSettings("synchronous_commit=off", "fsync=off"))
        {
            database = await other.CreateDatabaseAsync();
            Assert.Equal("off", await ScalarAsync(database, "show fsync"));
        }

        NpgsqlConnection.ClearPool(new NpgsqlConnection(database));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ScalarAsync(database, "select 1"));
    }

    private static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
