using Floodgate.Storage.Database;
using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>
/// Carries on the runs of closed days: those that were asked for over HTTP here or on another node, and those that an
/// earlier process left in the middle.
/// </summary>
internal sealed class SettlementWorker(SettlementBook book, BatchesLog log, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly Signal woken = new();
    private Exception? failure;

    /// <summary>Why it stands still; null while all is well.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>Tells that a day was closed.</summary>
    public void Wake() => woken.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await ContinueAsync(stoppingToken);
                await woken.WaitAsync(LookEvery, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal end.
        }
        catch (Exception error) // The edge of the loop: sums that do not add up, or a bug, stop it.
        {
            Volatile.Write(ref failure, error);
            log.Stopped(error);
        }
    }

    private async Task ContinueAsync(CancellationToken cancel)
    {
        try
        {
            if (await book.ContinueAsync(DateOnly.MaxValue, null, cancel) is var days and > 0)
            {
                log.DaysSettled(days);
            }
        }
        catch (DatabaseUnavailableException error)
        {
            log.PutOff(error.Message);
        }
    }
}
