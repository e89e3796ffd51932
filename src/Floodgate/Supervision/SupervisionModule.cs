using Floodgate.Access;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Results;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Coordination;
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
        services.AddSingleton<DeskHttp>();
        services.AddSingleton<JobsHttp>();
        services.AddSingleton<StoryBook>();
        services.AddSingleton<AuditHttp>();
        services.AddHostedService<ProgressWorker>();
        services.AddSingleton(provider => DatabaseCheck(provider.GetRequiredService<Database>()));
        services.AddSingleton(provider => ProcessingCheck("processing", () =>
            provider.GetRequiredService<PaymentChecks>().Failure));
        services.AddSingleton(provider => ProcessingCheck("results", () =>
            provider.GetRequiredService<ResultChecks>().Failure));
        services.AddSingleton(provider => ProcessingCheck("expiry", () =>
            provider.GetRequiredService<OrderChecks>().Failure));
        services.AddSingleton(provider => ProcessingCheck("jobs", () => CoordinationModule.FailureOf(provider)));
        services.AddSingleton(provider => ProcessingCheck("settlement", () =>
            provider.GetRequiredService<SettlementChecks>().Failure));
    }

    /// <summary>Registers the routes, and starts to collect metrics.</summary>
    public static void Map(Routes routes, IServiceProvider services)
    {
        services.GetRequiredService<Health>().Map(routes);
        services.GetRequiredService<Metrics>().Map(routes);
        services.GetRequiredService<DeskHttp>().Map(routes);
        services.GetRequiredService<JobsHttp>().Map(routes);
        services.GetRequiredService<AuditHttp>().Map(routes);
    }

    private static ReadyCheck ProcessingCheck(string name, Func<Exception?> failure) => new(
        name,
        _ => ValueTask.FromResult(
            failure() is null ? null : "stands still after a violated invariant; see the log, then restart."));

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
