using Floodgate.Access;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>Puts webhooks together: what merchants ask for, and the worker that makes and sends them.</summary>
public static class WebhooksModule
{
    /// <summary>The tables of endpoints and deliveries.</summary>
    public static IReadOnlyList<Migration> Migrations => WebhooksSql.Migrations;

    /// <summary>Registers the services; the loops only where the role runs workers.</summary>
    /// <param name="services">Where.</param>
    /// <param name="settings">What may be sent where.</param>
    /// <param name="runsWorker">Whether this process makes and sends deliveries.</param>
    /// <param name="hasOthers">Whether other processes may do so beside it.</param>
    public static void Add(
        IServiceCollection services, WebhooksSettings settings, bool runsWorker, bool hasOthers)
    {
        services.AddSingleton(settings);
        services.AddSingleton<EndpointCache>();
        services.AddSingleton<WebhookBook>();
        services.AddSingleton<WebhooksHttp>();
        if (runsWorker)
        {
            services.AddSingleton<WebhooksLog>();
            services.AddSingleton<DeliveryBook>();
            services.AddSingleton(p => new WebhookClient(settings, p.GetRequiredService<TimeProvider>()));
            services.AddSingleton(p => new WebhookWorkerTools(
                p.GetRequiredService<LogSettings>(), p.GetRequiredService<ConsumerTools>()));
            services.AddSingleton(p => new WebhookSenderTools(
                p.GetRequiredService<TimeProvider>(),
                p.GetRequiredService<Random>().NextDouble,
                p.GetRequiredService<WebhooksLog>())
            {
                Right = hasOthers ? RightOf(p) : null,
            });
            services.AddHostedService<WebhookWorker>();
            services.AddHostedService<WebhookSender>();
        }
    }

    private static KeptLease RightOf(IServiceProvider services) => new(
        services.GetRequiredService<LeaseBook>(),
        "webhooks",
        services.GetRequiredService<NodeBook>().Name,
        TimeSpan.FromSeconds(10),
        services.GetRequiredService<TimeProvider>());

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<WebhooksHttp>().Map(routes);
}
