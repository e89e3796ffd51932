using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log;

/// <summary>Deletes events past their retention, hourly. Harmless on several nodes: what is gone is gone.</summary>
internal sealed class RetentionWorker(
    EmbeddedLog log, IReadOnlyList<Topic> topics, LogLog messages, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

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
            await log.SweepAsync(topics, stop);
        }
        catch (DatabaseUnavailableException error)
        {
            messages.DatabaseAway("retention", error.Message);
        }
    }
}
