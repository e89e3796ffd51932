using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Ledger;
using Floodgate.Payment.Results;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Supervision;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>The table of contents: every module, in the order in which a purchase moves, and who runs it.</summary>
internal static class Roles
{
    /// <summary>The schema of all modules, in the order in which tables refer to each other.</summary>
    public static IReadOnlyList<Migration> Migrations { get; } =
    [
        .. LogModule.Migrations,
        .. AccessModule.Migrations,
        .. IdentityModule.Migrations,
        .. CatalogModule.Migrations,
        .. HoldsModule.Migrations,
        .. OrdersModule.Migrations,
        .. LedgerModule.Migrations,
        .. ChargesModule.Migrations,
    ];

    /// <summary>The services of every module; loops only in the roles that run them.</summary>
    public static void Add(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(Random.Shared); // tidy: chance: this is where it is injected from.
        services.AddSingleton<Ids>();
        services.AddSingleton(_ => OpenDatabase(settings.Database));
        var runsWorker = settings.Server.Role != "api";
        LogModule.Add(services, settings.Log, [.. OrderEvents.Topics, .. PaymentEvents.Topics], runsWorker);
        AccessModule.Add(services, settings.Access);
        IdentityModule.Add(services, settings.Identity);
        RateLimitsModule.Add(services, settings.RateLimits, servesRoutes: settings.Server.Role != "worker");
        CatalogModule.Add(services, settings.Catalog);
        HoldsModule.Add(services);
        OrdersModule.Add(services, settings.Orders, runsWorker);
        LedgerModule.Add(services);
        ChargesModule.Add(services, settings.Charges, runsWorker);
        ResultsModule.Add(services, runsWorker);
        SupervisionModule.Add(services, settings.Supervision);
    }

    /// <summary>Opens the database that the settings name.</summary>
    /// <exception cref="SettingsException">Its folder or connection string cannot be used.</exception>
    public static Database OpenDatabase(DatabaseSettings settings)
    {
        try
        {
            return Database.Open(settings);
        }
        catch (DatabaseUnavailableException e)
        {
            // Nothing was reached yet: what cannot be opened here is what a setting names.
            throw new SettingsException([e.Message]);
        }
    }

    /// <summary>The routes of every module; business routes only in the roles <c>api</c> and <c>all</c>.</summary>
    public static void Map(Routes routes, IServiceProvider services, string role)
    {
        SupervisionModule.Map(routes, services);
        ChargesModule.MapOps(routes, services);
        if (role != "worker")
        {
            AccessModule.Map(routes, services);
            IdentityModule.Map(routes, services);
            CatalogModule.Map(routes, services);
            HoldsModule.Map(routes, services);
            OrdersModule.Map(routes, services);
            LedgerModule.Map(routes, services);
            ChargesModule.Map(routes, services);
        }
    }
}
