using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Checkout.Admission;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Ledger;
using Floodgate.Payment.Results;
using Floodgate.Payment.Results.Webhooks;
using Floodgate.Settlement.Batches;
using Floodgate.Settlement.Reconciliation;
using Floodgate.Signals;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
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
        .. CoordinationModule.Migrations,
        .. LogModule.Migrations,
        .. AccessModule.Migrations,
        .. IdentityModule.Migrations,
        .. CatalogModule.Migrations,
        .. HoldsModule.Migrations,
        .. AdmissionModule.Migrations,
        .. OrdersModule.Migrations,
        .. LedgerModule.Migrations,
        .. ChargesModule.Migrations,
        .. WebhooksModule.Migrations,
        .. BatchesModule.Migrations,
        .. ReconciliationModule.Migrations,
        .. SignalsModule.Migrations,
    ];

    /// <summary>The topics of all modules.</summary>
    public static IReadOnlyList<Topic> Topics { get; } =
    [
        .. OrderEvents.Topics, .. PaymentEvents.Topics,
        .. BatchesEvents.Topics, ReconciliationEvents.Completed,
    ];

    /// <summary>The services of every module; loops only in the roles that run them.</summary>
    public static void Add(IServiceCollection services, Settings settings, TimeProvider time)
    {
        services.AddSingleton(time);
        services.AddSingleton(Random.Shared); // tidy: chance: this is where it is injected from.
        services.AddSingleton<Ids>();
        services.AddSingleton(_ => OpenDatabase(settings.Database));
        CoordinationModule.AddShared(
            services,
            settings.Coordination,
            settings.Server.Role,
            settings.Log.Kafka is null ? "table" : "kafka",
            settings.Database.IsPostgreSql);
        var runsWorker = settings.Server.Role != "api";
        CoordinationModule.Add(services, settings.Jobs, runsWorker);
        LogModule.Add(services, settings.Log, Topics, runsWorker, isShared: settings.Database.IsPostgreSql);
        if (settings.Log.Kafka is not null)
        {
            services.AddSingleton(p => BrokerCheck(p, settings.Server.Role));
        }

        AccessModule.Add(services, settings.Access);
        IdentityModule.Add(services, settings.Identity);
        RateLimitsModule.Add(services, settings.RateLimits, servesRoutes: settings.Server.Role != "worker");
        CatalogModule.Add(services, settings.Catalog);
        HoldsModule.Add(services);
        AdmissionModule.Add(
            services, settings.Admission, settings.Server.Role, settings.Coordination.IsShared);
        services.AddSingleton(PaymentHealthOf);
        OrdersModule.Add(services, settings.Orders, runsWorker);
        LedgerModule.Add(services);
        ChargesModule.Add(services, settings.Charges, runsWorker);
        ResultsModule.Add(services, runsWorker);
        WebhooksModule.Add(services, settings.Webhooks, runsWorker, hasOthers: settings.Log.Kafka is not null);
        BatchesModule.Add(services, settings.Settlement, runsWorker);
        ReconciliationModule.Add(services, settings.Reconciliation);
        SignalsModule.Add(services, settings.Ranking, runsWorker);
        SupervisionModule.Add(services, settings.Supervision);
        services.AddSingleton(WaitingRoomsCheck);
        if (settings.Database.IsPostgreSql)
        {
            services.AddSingleton(p => NodeCheck(p, "clock", isFatal: true, nodes => nodes.ClockFault));
        }

        if (settings.Coordination.IsShared)
        {
            services.AddSingleton(p => NodeCheck(p, "redis", isFatal: false, nodes => nodes.RedisFault));
        }
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
        SignalsModule.MapOps(routes, services);
        if (role != "worker")
        {
            AccessModule.Map(routes, services);
            IdentityModule.Map(routes, services);
            CatalogModule.Map(routes, services);
            HoldsModule.Map(routes, services);
            AdmissionModule.Map(routes, services);
            OrdersModule.Map(routes, services);
            LedgerModule.Map(routes, services);
            ChargesModule.Map(routes, services);
            WebhooksModule.Map(routes, services);
            BatchesModule.Map(routes, services);
            ReconciliationModule.Map(routes, services);
            SignalsModule.Map(routes, services);
        }
    }

    // Admission stands before payments and must know how they are.
    private static PaymentHealthSource PaymentHealthOf(IServiceProvider services)
    {
        var database = services.GetRequiredService<Database>();
        var payments = services.GetRequiredService<PaymentChecks>();
        return new(async cancel =>
        {
            var now = await database.ReadAsync(payments.ProgressAsync, cancel);
            return new(
                now.Lag,
                now.InFlight,
                now.InFlightMax,
                now.Due,
                payments.Breakers.Any(breaker => breaker.State == PaymentChecks.BreakerOpen));
        });
    }

    private static ReadyCheck BrokerCheck(IServiceProvider services, string role) => new(
        "broker", _ => ValueTask.FromResult(LogModule.BrokerFaultOf(services, takesPayments: role != "worker")));

    private static ReadyCheck NodeCheck(
        IServiceProvider services, string name, bool isFatal, Func<NodeBook, string?> fault)
    {
        var nodes = services.GetRequiredService<NodeBook>();
        return new(name, _ => ValueTask.FromResult(fault(nodes)), isFatal);
    }

    private static ReadyCheck WaitingRoomsCheck(IServiceProvider services) => new(
        "waiting-rooms",
        _ => ValueTask.FromResult(AdmissionModule.FailureOf(services) is null
            ? null
            : "stand still after a violated invariant; see the log, then restart."));
}
