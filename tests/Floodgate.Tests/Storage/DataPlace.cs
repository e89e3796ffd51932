using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Npgsql;

namespace Floodgate.Tests.Storage;

/// <summary>Where the data of one test is: a folder for SQLite or an empty database of a real PostgreSQL.</summary>
public sealed class DataPlace(PostgreSqlServer? server) : IAsyncDisposable
{
    // Emptied databases of each server: emptying one is cheaper than copying the server's template again.
    private static readonly ConditionalWeakTable<PostgreSqlServer, ConcurrentBag<string>> Emptied = [];

    private readonly string folder = Directory.CreateTempSubdirectory("floodgate-storage-").FullName;
    private readonly List<Database> opened = [];
    private string connectionString = "";

    /// <summary>True when the test runs on PostgreSQL.</summary>
    public bool IsPostgreSql => server is not null;

    /// <summary>What opens it.</summary>
    public DatabaseSettings Settings => new(connectionString, folder);

    /// <summary>Makes the place empty and ready.</summary>
    public async Task CreateAsync()
    {
        if (server is not null && !Emptied.GetOrCreateValue(server).TryTake(out connectionString!))
        {
            connectionString = await server.CreateDatabaseAsync();
        }
    }

    /// <summary>Opens it, once more each time; closed at the end.</summary>
    public Database Open() => Open(Settings);

    /// <summary>Opens it with other limits.</summary>
    public Database Open(DatabaseSettings settings)
    {
        var database = Database.Open(settings);
        lock (opened)
        {
            opened.Add(database);
        }

        return database;
    }

    /// <summary>Closes whatever was opened and removes the data.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var database in opened)
        {
            await database.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
        if (connectionString.Length > 0)
        {
            await EmptyAsync();
            Emptied.GetOrCreateValue(server!).Add(connectionString);
        }
    }

    private async Task EmptyAsync()
    {
        var text = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        await using var connection = new NpgsqlConnection(text.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("drop schema public cascade; create schema public", connection);
        await command.ExecuteNonQueryAsync();
    }
}
