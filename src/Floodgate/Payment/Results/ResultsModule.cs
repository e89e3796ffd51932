using Floodgate.Checkout.Orders;
using Floodgate.Storage.Log;

namespace Floodgate.Payment.Results;

/// <summary>Puts the module together.</summary>
public static class ResultsModule
{
    /// <summary>Registers the services; the loop only where the role runs it.</summary>
    public static void Add(IServiceCollection services, bool runsWorker)
    {
        services.AddSingleton(p => new ResultTools(
            p.GetRequiredService<OrdersSettings>(),
            p.GetRequiredService<LogSettings>(),
            p.GetRequiredService<ConsumerTools>()));
        services.AddSingleton<ResultWorker>();
        services.AddSingleton(p => new ResultChecks(p.GetRequiredService<ResultWorker>()));
        if (runsWorker)
        {
            services.AddHostedService(p => p.GetRequiredService<ResultWorker>());
        }
    }
}
