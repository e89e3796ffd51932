using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;

namespace Floodgate.Access.Identity;

/// <summary>Puts the module together.</summary>
public static class IdentityModule
{
    private const int SweepPage = 1_000;

    /// <summary>The tables of users, sessions and the signing key.</summary>
    public static IReadOnlyList<Migration> Migrations => IdentitySql.Migrations;

    /// <summary>Registers <see cref="UserBook"/> and <see cref="SessionBook"/>, and the sweep.</summary>
    public static void Add(IServiceCollection services, IdentitySettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton<Passwords>();
        services.AddSingleton<LoginThrottle>();
        services.AddSingleton<UserBook>();
        services.AddSingleton<SessionBook>();
        services.AddSingleton<IdentityHttp>();
        services.AddSingleton(p => SweepJob(p.GetRequiredService<SessionBook>()));
    }

    /// <summary>
    /// Deletes sessions of users who never came back: a log-in deletes only its own user's. A page is a transaction of
    /// its own, so that others get between.
    /// </summary>
    internal static Job SweepJob(SessionBook sessions) => new(
        "expired-sessions",
        Schedule.Of("17 * * * *"),
        async (turn, cancel) =>
        {
            var pages = 0;
            while (await sessions.SweepAsync(SweepPage, cancel))
            {
                turn.Report($"{++pages} pages of up to {SweepPage} users looked at");
            }

            return $"{pages} pages of up to {SweepPage} users looked at";
        });

    /// <summary>Registers the routes.</summary>
    public static void Map(Routes routes, IServiceProvider services) =>
        services.GetRequiredService<IdentityHttp>().Map(routes);

    /// <summary>Loads the signing key; after the migrations, before the first request.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<SessionBook>().LoadKeyAsync(cancel);
}
