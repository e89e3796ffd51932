using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>
/// What every suite of the contract starts from: an empty place, opened, with the tables of <see cref="ThingSql"/>.
/// Each suite is written once and run by two sealed classes, on SQLite and on a real PostgreSQL.
/// </summary>
public abstract class DatabaseContract : IAsyncLifetime
{
    private protected DatabaseContract(PostgreSqlServer? server) => Place = new DataPlace(server);

    private protected DataPlace Place { get; }

    private protected Database Db { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Place.CreateAsync();
        Db = Place.Open();
        await Db.MigrateAsync(ThingSql.Migrations, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await Place.DisposeAsync();
        Assert.Equal(0, Db.OpenConnections);
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes with statements that are only queued.</summary>
    private protected ValueTask<int> WriteAsync(Action<Tx> work) => Db.WriteAsync(tx =>
    {
        work(tx);
        return ValueTask.FromResult(0);
    });

    private protected ValueTask<long> CountAsync() => Db.ReadAsync(ThingSql.CountAsync);

    private protected async Task<IReadOnlyList<Thing>> ThingsAsync() => await Db.ReadAsync(ThingSql.AllAsync);
}
