using Floodgate.Access;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Payment.Ledger;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>Puts the module together: intake, providers behind their breakers, the worker.</summary>
public static class ChargesModule
{
    /// <summary>The tables of payments.</summary>
    public static IReadOnlyList<Migration> Migrations => ChargesSql.Migrations;

    /// <summary>Registers the services in the order of the flow; the loops only where the role runs them.</summary>
    public static void Add(IServiceCollection services, ChargesSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<ChargesLog>();
        services.AddSingleton<PaymentBook>();
        services.AddSingleton<PaymentsHttp>();
        services.AddSingleton<AliasesHttp>();
        services.AddSingleton<WalletsHttp>();
        services.AddSingleton(MakeGates);
        services.AddSingleton<ProvidersHttp>();
        services.AddSingleton(p => new ProviderStatement(p.GetRequiredService<ProviderGates>()));
        services.AddSingleton(p => new AnswerTools(
            settings, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ChargesLog>()));
        services.AddSingleton<AnswerBook>();
        services.AddSingleton(p => new ChargeWorkerTools(
            p.GetRequiredService<LogSettings>(),
            p.GetRequiredService<ConsumerTools>(),
            p.GetRequiredService<ChargesLog>()));
        services.AddSingleton<ChargeWorker>();
        services.AddSingleton(p => new PaymentChecks(
            p.GetRequiredService<Journal>(),
            p.GetRequiredService<ChargeWorker>(),
            p.GetRequiredService<LogSettings>(),
            p.GetRequiredService<ProviderGates>(),
            new Discards(p.GetRequiredService<IEventLog>(), p.GetRequiredService<TimeProvider>())));
        if (runsWorker)
        {
            services.AddHostedService(p => p.GetRequiredService<ChargeWorker>());
        }
    }

    /// <summary>
    /// Opens the simulated provider's journal, if it keeps one: when no other process works on the same data, and
    /// before the first call.
    /// </summary>
    /// <exception cref="SettingsException">It cannot be opened, or is something else.</exception>
    public static void Start(IServiceProvider services)
    {
        var simulated = services.GetRequiredService<ProviderGates>().Simulated;
        if (simulated is null
            || services.GetRequiredService<ChargesSettings>().Providers.SimulatedJournal is not { } path)
        {
            return;
        }

        try
        {
            simulated.Book.Keep(new ProviderJournal(path));
        }
        catch (Exception reason) when (reason is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new SettingsException(
            [
                $"Providers:Simulated:Journal is {path}, which cannot be used ({reason.Message}). Name another file.",
            ]);
        }
    }

    /// <summary>Registers the routes of merchants.</summary>
    public static void Map(Routes routes, IServiceProvider services)
    {
        services.GetRequiredService<PaymentsHttp>().Map(routes);
        services.GetRequiredService<AliasesHttp>().Map(routes);
        services.GetRequiredService<WalletsHttp>().Map(routes);
    }

    /// <summary>Registers the routes of operators.</summary>
    public static void MapOps(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<ProvidersHttp>().Map(routes);

    private static ProviderGates MakeGates(IServiceProvider services)
    {
        var settings = services.GetRequiredService<ChargesSettings>();
        var providers = settings.Providers;
        var time = services.GetRequiredService<TimeProvider>();
        var random = services.GetRequiredService<Random>();
        IPaymentProvider gateway = providers.Gateway == GatewayKind.Http
            ? new HttpProvider(
                new HttpProviderSettings(new Uri(providers.HttpUrl!))
                {
                    Connections = providers.HttpConnections,
                    CallTimeoutMs = providers.CallTimeoutMs,
                },
                time)
            : new SimulatedProvider(
                new ProviderBook(time),
                new SimulationSettings
                {
                    CallTimeoutMs = providers.CallTimeoutMs,
                    DeclineSeed = (ulong)providers.SimulatedDeclineSeed,
                    Faults = providers.SimulatedFaults,
                },
                time,
                random);
        return new ProviderGates(
            [
                new(gateway, new CircuitBreaker(providers.Breaker, time)),
                new(new WalletProvider(), new CircuitBreaker(providers.Breaker, time)),
            ],
            settings,
            time,
            random.NextDouble);
    }
}
