using Floodgate.Storage.Database;

namespace Floodgate.Access;

/// <summary>Puts the module together.</summary>
public static class AccessModule
{
    /// <summary>The tables of merchants and keys.</summary>
    public static IReadOnlyList<Migration> Migrations => AccessSql.Migrations;

    /// <summary>Registers <see cref="ApiKeys"/>.</summary>
    public static void Add(IServiceCollection services, AccessSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton<ApiKeys>();
        services.AddSingleton<ClientAddress>();
        services.AddSingleton<ChangeWatch>();
        services.AddSingleton<MerchantsHttp>();
    }

    /// <summary>Creates the merchant of demo mode, after the migrations; nothing in any other.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<ApiKeys>().CreateDemoMerchantAsync(cancel);

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<MerchantsHttp>().Map(routes);
}
