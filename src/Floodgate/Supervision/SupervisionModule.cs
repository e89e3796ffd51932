using Floodgate.Access;
using Floodgate.Storage.Database;

namespace Floodgate.Supervision;

/// <summary>Puts the module together.</summary>
public static class SupervisionModule
{
    /// <summary>Registers health, with the database as its first readiness check, and metrics.</summary>
    public static void Add(IServiceCollection services, SupervisionSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton<Health>();
        services.AddSingleton<Metrics>();
        services.AddSingleton(provider => DatabaseCheck(provider.GetRequiredService<Database>()));
    }

    /// <summary>Registers the routes, and starts to collect metrics.</summary>
    public static void Map(Routes routes, IServiceProvider services)
    {
        services.GetRequiredService<Health>().Map(routes);
        services.GetRequiredService<Metrics>().Map(routes);
    }

    private static ReadyCheck DatabaseCheck(Database database) => new("database", async cancel =>
    {
        try
        {
            await database.ReadAsync(tx => tx.QueryAsync(SupervisionSql.Ping, Rows.None, row => row.Long(0)), cancel);
            return null;
        }
        catch (DatabaseUnavailableException)
        {
            return "cannot be reached; check that its server runs.";
        }
    });
}

/// <summary>Every statement of this module.</summary>
internal static class SupervisionSql
{
    public static readonly Statement Ping = new("select cast(1 as bigint)");
}
