using Floodgate.Access;
using Floodgate.Checkout.Catalog.Imports;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Catalog;

/// <summary>Puts the module together.</summary>
public static class CatalogModule
{
    /// <summary>The tables of sales and products.</summary>
    public static IReadOnlyList<Migration> Migrations => CatalogSql.Migrations;

    /// <summary>Registers <see cref="CatalogBook"/> and what serves it.</summary>
    public static void Add(IServiceCollection services, CatalogSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton<CatalogBook>();
        services.AddSingleton<AnswerCache>();
        services.AddSingleton<CatalogHttp>();
        services.AddSingleton<ImportBook>();
        services.AddSingleton<ImportsHttp>();
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services)
    {
        services.GetRequiredService<CatalogHttp>().Map(routes);
        services.GetRequiredService<ImportsHttp>().Map(routes);
    }
}
