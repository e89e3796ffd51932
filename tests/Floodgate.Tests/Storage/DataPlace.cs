using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;

namespace Floodgate.Tests.Storage;

/// <summary>Where the data of one test is: a folder for SQLite or an empty database of a real PostgreSQL.</summary>
public sealed class DataPlace(PostgreSqlServer? server) : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("floodgate-storage-").FullName;
    private readonly List<Database> opened = [];
    private string connectionString = "";

    /// <summary>True when the test runs on PostgreSQL.</summary>
    public bool IsPostgreSql => server is not null;

    /// <summary>What opens it.</summary>
    public DatabaseSettings Settings => new(connectionString, folder);

    /// <summary>Makes the place empty and ready.</summary>
    public async Task CreateAsync() => connectionString = server is null ? "" : await server.CreateDatabaseAsync();

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

    /// <summary>Closes whatever was opened and removes the data of SQLite.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var database in opened)
        {
            await database.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }
}
