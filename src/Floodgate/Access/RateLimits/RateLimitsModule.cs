namespace Floodgate.Access.RateLimits;

/// <summary>Puts the module together. Its only route, a merchant's tier, is beside those of merchants.</summary>
public static class RateLimitsModule
{
    /// <summary>Registers <see cref="RateLimiter"/>, <see cref="TierBook"/> and, where routes are, the loop.</summary>
    public static void Add(IServiceCollection services, RateLimitSettings settings, bool servesRoutes)
    {
        services.AddSingleton(settings);
        services.AddSingleton<TierBook>();
        services.AddSingleton<RateLimiter>();
        services.AddSingleton<RateLimitHttp>();
        if (servesRoutes)
        {
            services.AddHostedService<RateLimitWorker>();
        }
    }

    /// <summary>Reads the tiers; after the migrations, before the first request.</summary>
    public static ValueTask StartAsync(IServiceProvider services, CancellationToken cancel) =>
        services.GetRequiredService<TierBook>().RefreshAsync(cancel);
}
