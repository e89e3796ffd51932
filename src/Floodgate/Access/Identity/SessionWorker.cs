using Floodgate.Storage.Database;

namespace Floodgate.Access.Identity;

/// <summary>
/// Deletes sessions of users who never came back, hourly and a page at a time: a log-in deletes only its own user's.
/// Harmless on several nodes: what is gone is gone.
/// </summary>
internal sealed class SessionWorker(SessionBook sessions, ILogger<SessionWorker> logger, TimeProvider time)
    : BackgroundService
{
    /// <summary>Time between sweeps.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    private const int Page = 1_000;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await SweepAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async Task SweepAsync(CancellationToken stop)
    {
        try
        {
            while (await sessions.SweepAsync(Page, stop))
            {
                // The next page, in a transaction of its own, so that others get between.
            }
        }
        catch (DatabaseUnavailableException error)
        {
            IdentityLog.SweepWaits(logger, error.Message);
        }
    }
}
