using Floodgate.Access;
using Floodgate.Signals.DataFeed;
using Floodgate.Signals.Ranking;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Signals;

/// <summary>Puts the module together: rankings for buyers, the feed of facts for data platforms.</summary>
public static class SignalsModule
{
    /// <summary>The tables of the rankings.</summary>
    public static IReadOnlyList<Migration> Migrations => RankingSql.Migrations;

    /// <summary>Registers the services; the counting only where the role runs workers.</summary>
    public static void Add(IServiceCollection services, RankingSettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<RankingBoard>();
        services.AddSingleton<RankingHttp>();
        services.AddSingleton<FeedHttp>();
        if (runsWorker)
        {
            services.AddSingleton<SoldBook>();
            services.AddHostedService(p => new RankingWorker(
                p.GetRequiredService<Database>(),
                p.GetRequiredService<IEventLog>(),
                p.GetRequiredService<SoldBook>(),
                (p.GetRequiredService<LogSettings>(), p.GetRequiredService<ConsumerTools>()),
                p.GetRequiredService<ILogger<RankingWorker>>()));
        }
    }

    /// <summary>Registers the routes of buyers.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<RankingHttp>().Map(routes);

    /// <summary>Registers the routes of operators.</summary>
    public static void MapOps(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<FeedHttp>().Map(routes);
}
