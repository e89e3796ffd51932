using Floodgate.Access;
using Floodgate.Storage.Database;

namespace Floodgate.Payment.Ledger;

/// <summary>Puts the module together.</summary>
public static class LedgerModule
{
    /// <summary>The tables of accounts and entries.</summary>
    public static IReadOnlyList<Migration> Migrations => LedgerSql.Migrations;

    /// <summary>Registers the journal.</summary>
    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<Journal>();
        services.AddSingleton<LedgerHttp>();
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<LedgerHttp>().Map(routes);
}
