using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Supervision;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>The table of contents: every module, in the order in which a purchase moves, and who runs it.</summary>
internal static class Roles
{
    /// <summary>The schema of all modules, in the order in which tables refer to each other.</summary>
    public static IReadOnlyList<Migration> Migrations { get; } =
    [
        .. AccessModule.Migrations,
    ];

    /// <summary>The services of every module; loops only in the roles that run them.</summary>
    public static void Add(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<Ids>();
        services.AddSingleton(_ => Database.Open(settings.Database));
        AccessModule.Add(services, settings.Access);
        SupervisionModule.Add(services, settings.Supervision);
    }

    /// <summary>The routes of every module; business routes only in the roles <c>api</c> and <c>all</c>.</summary>
    public static void Map(Routes routes, IServiceProvider services, string role)
    {
        SupervisionModule.Map(routes, services);
        if (role != "worker")
        {
            AccessModule.Map(routes, services);
        }
    }
}
