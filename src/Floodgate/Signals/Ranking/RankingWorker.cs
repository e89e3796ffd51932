using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>
/// Brings orders that were confirmed or cancelled to the <see cref="SoldBook"/>, and sweeps it hourly. Nothing waits
/// for it: when it stands still, the rankings grow old and the sale goes on. Idempotent by the event's content.
/// </summary>
internal sealed partial class RankingWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "ranking";

    private static readonly TimeSpan SweepEvery = TimeSpan.FromHours(1);

    private readonly SoldBook book;
    private readonly TimeProvider time;
    private readonly ILogger<RankingWorker> log;
    private readonly Consumer<Sold> consumer;

    public RankingWorker(
        Database database,
        IEventLog eventLog,
        SoldBook book,
        (LogSettings Settings, ConsumerTools Consumer) tools,
        ILogger<RankingWorker> log)
    {
        this.book = book;
        this.log = log;
        time = tools.Consumer.Time;
        consumer = new Consumer<Sold>(
            database,
            eventLog,
            new ConsumerPlan<Sold>(
                Group,
                [OrderEvents.DataPlatform],
                (events, _) => ValueTask.FromResult<IReadOnlyList<Prepared<Sold>>>([.. events.Select(Prepare)]),
                (delivery, cancel) => book.CountAsync(delivery, cancel)) { IsOrdered = false },
            tools.Settings,
            tools.Consumer);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        consumer.Started += offsets => book.Offsets = offsets;
        return Task.WhenAll(consumer.RunAsync(stoppingToken), SweepAsync(stoppingToken));
    }

    private Prepared<Sold> Prepare(LoggedEvent e)
    {
        // Facts of other kinds, that a later version writes, are not about what was sold.
        var sign = e.Type switch { OrderEvents.Confirmed => 1, OrderEvents.Cancelled => -1, _ => 0 };
        if (sign == 0)
        {
            return IsOtherVersion(e.Type)
                ? new(null, $"type {e.Type} is not known here; a newer version wrote it: replay it after the upgrade")
                : default;
        }

        try
        {
            if (OrderEvents.ReadFact(e.Payload) is not { Lines: not null } fact)
            {
                return new(null, "the payload names no lines");
            }

            var sold = new Sold(
                Ids.Of(new UtcInstant(fact.AtMs), e.Type, e.Payload),
                fact.AtMs,
                [.. fact.Lines.Select(line => new SoldLine(line.ProductId, sign * (long)line.Quantity))]);
            return book.IsStale(sold) ? default : new(sold, null);
        }
        catch (JsonException error)
        {
            return new(null, $"the payload is not the JSON of {e.Type}: {error.Message}");
        }
    }

    private static bool IsOtherVersion(string type) =>
        type.StartsWith("order.confirmed/", StringComparison.Ordinal)
        || type.StartsWith("order.cancelled/", StringComparison.Ordinal);

    private async Task SweepAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(SweepEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                try
                {
                    await book.SweepAsync(stop);
                }
                catch (DatabaseUnavailableException error)
                {
                    SweepPutOff(log, error.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    [LoggerMessage(700, LogLevel.Warning, "The sweep of the rankings is put off by an hour: {Reason}")]
    private static partial void SweepPutOff(ILogger logger, string reason);
}
