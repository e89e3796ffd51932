using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Payment.Results;

/// <summary>
/// Carries the outcomes of payments back to the orders that asked for them: confirms what was paid, releases what was
/// not, and ends refunds. Whatever waits is one transaction, with the group's offsets. Idempotent by the state of the
/// order and of the refund.
/// </summary>
internal sealed class ResultWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "results";

    private readonly GroupCommit<Delivery<PaymentOutcome>, bool> settling;
    private readonly OrderMoves moves;
    private volatile Offsets? offsets;

    public ResultWorker(Database database, IEventLog log, OrderMoves moves, ResultTools tools)
    {
        this.moves = moves;
        settling = new(
            database,
            SettleAsync,
            new(Group, tools.Orders.QueueMax, tools.Orders.BatchMax * 2, database.WritersMax, long.MaxValue),
            tools.Consumer.Time);
        Consumer = new Consumer<PaymentOutcome>(
            database,
            log,
            new ConsumerPlan<PaymentOutcome>(
                Group,
                [PaymentEvents.Results],
                (events, _) => new(events.Select(PreparedOf).ToList()),
                async (delivery, cancel) => await settling.SubmitAsync(delivery, cancel)),
            tools.Log,
            tools.Consumer);
    }

    /// <summary>The consumer, for the desk: lag, failure.</summary>
    public Consumer<PaymentOutcome> Consumer { get; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Consumer.Started += started => offsets = started;
        await Consumer.RunAsync(stoppingToken);
        await settling.DisposeAsync();
    }

    /// <summary>
    /// What an event tells of an order. Orders have ids of ours; what merchants call an order elsewhere is passed over.
    /// </summary>
    private static Prepared<PaymentOutcome> PreparedOf(LoggedEvent e)
    {
        if (e.Type != PaymentEvents.ResultType)
        {
            return new(null, $"type {e.Type} is not known here; a newer version wrote it: replay it after the upgrade");
        }

        try
        {
            return new(OutcomeOf(PaymentEvents.ReadResult(e.Payload)), null);
        }
        catch (JsonException error)
        {
            return new(null, $"the payload is not the JSON of {e.Type}: {error.Message}");
        }
    }

    private static PaymentOutcome? OutcomeOf(PaymentResult result)
    {
        if (!Guid.TryParseExact(result.OrderId, "D", out var orderId))
        {
            return null;
        }

        // Of operations only refunds are asked for by orders.
        var isDone = result.OperationId is null
            ? result.Status == PaymentState.Captured
            : result.OperationStatus == OperationState.Succeeded;
        return new PaymentOutcome(orderId, result.PaymentId, result.OperationId, isDone, result.FailReason);
    }

    private async ValueTask<IReadOnlyList<bool>> SettleAsync(Tx tx, IReadOnlyList<Delivery<PaymentOutcome>> batch)
    {
        await moves.SettleAsync(tx, [.. batch.Select(d => d.Message)]);
        offsets!.CommitWith(tx, batch.Select(d => d.Event));
        return new bool[batch.Count];
    }
}

/// <summary>What the worker needs besides its stores.</summary>
internal sealed record ResultTools(OrdersSettings Orders, LogSettings Log, ConsumerTools Consumer);
