using Floodgate.Access;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>Puts the module together.</summary>
public static class HoldsModule
{
    /// <summary>The tables of pools.</summary>
    public static IReadOnlyList<Migration> Migrations => HoldsSql.Migrations;

    /// <summary>Registers <see cref="HoldBook"/> and what shows it.</summary>
    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<OfferBoard>();
        services.AddSingleton<SoldOutBoard>();
        services.AddSingleton<HoldBook>();
        services.AddSingleton<StockBoard>();
        services.AddSingleton<HoldsHttp>();
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<HoldsHttp>().Map(routes);
}
