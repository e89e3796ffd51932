using Floodgate.Storage.Database;

namespace Floodgate.Access.Identity;

/// <summary>Puts the module together.</summary>
public static class IdentityModule
{
    /// <summary>The tables of users, sessions and the signing key.</summary>
    public static IReadOnlyList<Migration> Migrations => IdentitySql.Migrations;

    /// <summary>Registers <see cref="UserBook"/> and <see cref="SessionBook"/>; the sweep with the worker.</summary>
    public static void Add(IServiceCollection services, IdentitySettings settings, bool runsWorker)
    {
        services.AddSingleton(settings);
        services.AddSingleton<Passwords>();
        services.AddSingleton<LoginThrottle>();
        services.AddSingleton<UserBook>();
        services.AddSingleton<SessionBook>();
        services.AddSingleton<IdentityHttp>();
        if (runsWorker)
        {
            services.AddHostedService<SessionWorker>();
        }
    }

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<IdentityHttp>().Map(routes);

    /// <summary>Loads the signing key; after the migrations, before the first request.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<SessionBook>().LoadKeyAsync(cancel);
}
