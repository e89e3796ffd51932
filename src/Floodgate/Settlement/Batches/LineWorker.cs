using System.Text.Json;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Settlement.Batches;

/// <summary>
/// Brings what was captured and given back to the <see cref="LineBook"/>. Nothing waits for it but settlements, which
/// refuse a day of which it has events to handle. Idempotent by payment and event.
/// </summary>
internal sealed class LineWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "settlement";

    private readonly LineBook book;

    public LineWorker(Database database, IEventLog log, LineBook book, (LogSettings Log, ConsumerTools Tools) consumer)
    {
        this.book = book;
        Consumer = new(
            database,
            log,
            new ConsumerPlan<Moved>(
                Group,
                [PaymentEvents.Captured, PaymentEvents.Refunded],
                (events, _) => ValueTask.FromResult<IReadOnlyList<Prepared<Moved>>>([.. events.Select(Prepare)]),
                (delivery, cancel) => book.WriteAsync(delivery, cancel)) { IsOrdered = false },
            consumer.Log,
            consumer.Tools);
    }

    /// <summary>The consumer, for supervision.</summary>
    public Consumer<Moved> Consumer { get; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Consumer.Started += offsets => book.Offsets = offsets;
        await Consumer.RunAsync(stoppingToken);
    }

    private static Prepared<Moved> Prepare(LoggedEvent e)
    {
        if (e.Type != $"{e.Topic.Name}/1")
        {
            return new(null, $"type {e.Type} is not known here; a newer version wrote it: replay it after the upgrade");
        }

        try
        {
            var fact = PaymentEvents.ReadFact(e.Payload);
            // A wallet that was filled is no merchant's revenue.
            return fact.Purpose == PaymentPurpose.Sale
                ? new(new(fact, e.Topic == PaymentEvents.Refunded), null)
                : default;
        }
        catch (JsonException error)
        {
            return new(null, $"the payload is not the JSON of {e.Type}: {error.Message}");
        }
    }
}
