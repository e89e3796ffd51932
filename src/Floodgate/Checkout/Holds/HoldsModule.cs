using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>Puts the module together.</summary>
public static class HoldsModule
{
    /// <summary>The tables of pools.</summary>
    public static IReadOnlyList<Migration> Migrations => HoldsSql.Migrations;

    /// <summary>Registers the services.</summary>
    public static void Add(IServiceCollection services) => services.AddSingleton<StockBoard>();
}
