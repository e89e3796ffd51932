using Floodgate.Storage.Database;

namespace Floodgate.Access.RateLimits;

/// <summary>Reads tiers that were set elsewhere, and lets go of buckets that are full again.</summary>
internal sealed class RateLimitWorker(
    RateLimiter limiter, TierBook tiers, RateLimitSettings settings, TimeProvider time) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await tiers.Told.WaitAsync(settings.TierRefresh, time, stoppingToken);
                limiter.Buckets.Sweep();
                await RefreshAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async Task RefreshAsync(CancellationToken stop)
    {
        try
        {
            await tiers.RefreshAsync(stop);
        }
        catch (DatabaseUnavailableException)
        {
            // Readiness tells of it; until then the tiers that are known hold.
        }
    }
}
