using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Orders;

/// <summary>
/// Expires orders whose time is over, a page at a time, and frees what they held. One or several may run: each locks
/// the orders that it looks at, and an order expires once.
/// </summary>
internal sealed class ExpiryWorker(Database database, OrderMoves moves, OrdersSettings settings, ExpiryTools tools)
    : BackgroundService
{
    private const int Page = 1_000;

    /// <summary>Why it stopped by itself; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                if (!await SweepAsync(stoppingToken))
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(settings.SweepMs), tools.Time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal end; what is due stands in its table.
        }
        catch (Exception error) // The edge of the loop: readiness tells that it stands still.
        {
            Failure = error;
            tools.Log.SweepStopped(error);
        }
    }

    private async Task<bool> SweepAsync(CancellationToken stop)
    {
        try
        {
            return await database.WriteAsync(tx => moves.ExpireAsync(tx, Page), stop);
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.SweepWaits(error.Message);
            return false;
        }
    }
}

/// <summary>What the sweep needs besides its stores.</summary>
internal sealed record ExpiryTools(TimeProvider Time, OrdersLog Log);
