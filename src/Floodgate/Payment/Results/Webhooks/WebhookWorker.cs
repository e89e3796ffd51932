using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// Turns results of payments and facts of orders into deliveries of those who listen. An event that concerns nobody who
/// listens costs a look into the <see cref="EndpointCache"/>. Idempotent by the ids of deliveries. No order is promised
/// to those who listen, because a delivery that is tried again comes late, so none is kept here either. Nothing waits
/// for it: when it stands still, webhooks are late and payments go on.
/// </summary>
internal sealed class WebhookWorker : BackgroundService
{
    /// <summary>The consumer group.</summary>
    public const string Group = "webhooks";

    // What happened before an endpoint was made is not sent to it. Clocks of two nodes may differ by so much.
    private const long ClocksApartMsMax = 60_000;

    private readonly EndpointCache cache;
    private readonly DeliveryBook book;
    private readonly Consumer<IReadOnlyList<WebhookDelivery>> consumer;

    public WebhookWorker(
        Database database, IEventLog log, EndpointCache cache, DeliveryBook book, WebhookWorkerTools tools)
    {
        this.cache = cache;
        this.book = book;
        consumer = new(
            database,
            log,
            new(Group, [PaymentEvents.Results, OrderEvents.DataPlatform], PrepareAsync, book.AddAsync)
            {
                IsOrdered = false,
            },
            tools.LogSettings,
            tools.Consumer);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        consumer.Started += offsets => book.Offsets = offsets;
        return consumer.RunAsync(stoppingToken);
    }

    private async ValueTask<IReadOnlyList<Prepared<IReadOnlyList<WebhookDelivery>>>> PrepareAsync(
        IReadOnlyList<LoggedEvent> events, CancellationToken cancel)
    {
        var read = events.Select(WebhookMessages.Read).ToList();
        var endpoints = await cache.OfAsync(read.SelectMany(r => r.Happening?.Merchants ?? []), cancel);
        return [.. read.Select(r => Prepare(r.Happening, r.Error, endpoints))];
    }

    private static Prepared<IReadOnlyList<WebhookDelivery>> Prepare(
        Happening? happening, string? error, Dictionary<string, IReadOnlyList<WebhookEndpoint>> endpoints)
    {
        if (happening is null)
        {
            return new(null, error);
        }

        List<WebhookDelivery>? deliveries = null;
        foreach (var merchant in happening.Merchants)
        {
            string? payload = null;
            foreach (var endpoint in endpoints[merchant].Where(endpoint => IsFor(endpoint, happening)))
            {
                payload ??= WebhookMessages.PayloadOf(happening, merchant);
                deliveries ??= [];
                deliveries.Add(WebhookMessages.DeliveryOf(happening, merchant, endpoint.Id, payload));
            }
        }

        return new(deliveries, null);
    }

    private static bool IsFor(WebhookEndpoint endpoint, Happening happening) =>
        endpoint.Wants(happening.Type) && happening.At.Ms >= endpoint.CreatedMs - ClocksApartMsMax;
}

/// <summary>What the worker needs besides its stores.</summary>
internal sealed record WebhookWorkerTools(LogSettings LogSettings, ConsumerTools Consumer);
