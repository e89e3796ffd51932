using Floodgate.Storage.Database;

namespace Floodgate.Storage.Log;

/// <summary>
/// Keeps the embedded log to one consuming process: two would each hand out the same events. Every effect is guarded,
/// so even then nothing is charged or booked twice, but a key's events could overtake each other. Taken before the
/// first event is read, held until the process ends, and taken again after the database was away; if somebody
/// else has it then, this process stops.
/// </summary>
internal sealed class LogOwner(
    Database.Database database, IHostApplicationLifetime lifetime, LogLog messages, TimeProvider time)
    : BackgroundService
{
    // A predecessor that was just stopped or killed lets go within moments.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(500);

    /// <summary>True when another process took over, and this one therefore stops.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Takes the sole right; false when another process still has it after five seconds.</summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be reached.</exception>
    public async ValueTask<bool> TryTakeAsync(CancellationToken cancel)
    {
        var startedAt = time.GetTimestamp();
        while (!await database.TryOwnLogAsync(cancel))
        {
            if (time.GetElapsedTime(startedAt) > Patience)
            {
                return false;
            }

            await Task.Delay(AskEvery, time, cancel);
        }

        return true;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(AskEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (!await IsKeptAsync(stoppingToken))
                {
                    IsLost = true;
                    messages.TakenOver();
                    lifetime.StopApplication();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    private async ValueTask<bool> IsKeptAsync(CancellationToken stop)
    {
        try
        {
            return await TryTakeAsync(stop);
        }
        catch (DatabaseUnavailableException error)
        {
            messages.DatabaseAway("owner", error.Message);
            return true; // Nobody can take what nobody can reach.
        }
    }
}
