using Floodgate.Checkout.Orders;
using Floodgate.Payment.Results.Webhooks;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Storage;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

/// <summary>
/// The real worker and sender of webhooks on a real database and log, with a clock that the test moves and no jitter.
/// </summary>
internal sealed class WebhookStage : IAsyncDisposable
{
    public const string Merchant = "acme";

    private readonly DataPlace place;
    private readonly Database database;
    private readonly EmbeddedLog log;
    private readonly DeliveryBook deliveries;
    private readonly WebhookClient client;
    private readonly WebhookWorker worker;
    private readonly WebhookSender sender;
    private readonly WebhookSender? second;
    private readonly WebhooksLog messages = new(NullLogger<WebhooksLog>.Instance);

    private WebhookStage(DataPlace place, WebhooksSettings settings, bool hasTwoSenders)
    {
        this.place = place;
        database = place.Open();
        var logSettings = new LogSettings(FetchLingerMs: 0);
        log = new EmbeddedLog(database, logSettings, Clock);
        var ids = new Ids(Clock);
        var cache = new EndpointCache(database, settings, Clock);
        Book = new(database, ids, cache, settings, Clock);
        deliveries = new(database, cache, settings, Clock);
        client = new(settings, Clock);
        var leases = new LeaseBook(database, new NodeClock(Clock), Clock, News.Alone());
        worker = new(database, log, cache, deliveries, new(
            logSettings, new(Clock, ids, () => 0, new LogLog(NullLogger<LogLog>.Instance))));
        WebhookSender Sender(string? owner) => new(deliveries, Book, client, settings, new(Clock, () => 0, messages)
        {
            Right = owner is null ? null : new(leases, "webhooks", owner, TimeSpan.FromSeconds(10), Clock),
        });
        sender = Sender(hasTwoSenders ? "first" : null);
        second = hasTwoSenders ? Sender("second") : null;
    }

    public FakeClock Clock { get; } = new();

    public WebhookBook Book { get; }

    public static async Task<WebhookStage> StartAsync(
        Stored stored, PostgreSqlServer postgreSql, WebhooksSettings? settings = null, bool hasTwoSenders = false)
    {
        var place = new DataPlace(stored == Stored.InPostgreSql ? postgreSql : null);
        await place.CreateAsync();
        var stage = new WebhookStage(
            place, settings ?? new(AllowPrivateAddresses: true, Ports: null), hasTwoSenders);
        await stage.database.MigrateAsync(Roles.Migrations, default);
        await stage.log.CreateTopicsAsync(
            [.. OrderEvents.Topics, .. Floodgate.Payment.Charges.PaymentEvents.Topics], default);
        await stage.worker.StartAsync(default);
        await stage.sender.StartAsync(default);
        return stage;
    }

    /// <summary>An endpoint of the merchant.</summary>
    public async Task<WebhookEndpoint> AddAsync(string url, params string[] events) => (await Book.CreateAsync(
        Merchant, new(url, events), new(new Ids(Clock).Next().ToString(), "h"), default)).Endpoint!;

    /// <summary>A confirmed order of the merchant, told to the log.</summary>
    public async Task TellAsync(int quantity = 1)
    {
        var ids = new Ids(Clock);
        var line = new OrderFactLine(ids.Next(), Merchant, quantity, quantity * 100);
        var fact = new OrderFact(
            ids.Next(), ids.Next(), Merchant, "u-1", "KRW", [line], UtcInstant.Now(Clock).Ms);
        await database.WriteAsync(async tx =>
        {
            await log.AppendAsync(tx, [OrderEvents.Of(OrderEvents.Confirmed, fact)]);
            return 0;
        });
    }

    /// <summary>The deliveries of an endpoint in a state.</summary>
    public async Task<List<WebhookDelivery>> InAsync(WebhookEndpoint endpoint, DeliveryState state) =>
        await Book.DeliveriesAsync(endpoint.Id, state, Guid.Empty, 1_000, default);

    /// <summary>Waits until so many deliveries of the endpoint are in the state, each as it should be.</summary>
    public async Task<List<WebhookDelivery>> UntilAsync(
        WebhookEndpoint endpoint, DeliveryState state, int count, Predicate<WebhookDelivery>? holds = null)
    {
        var found = new List<WebhookDelivery>();
        await Eventually.HoldsAsync(
            async () =>
            {
                found = await InAsync(endpoint, state);
                return found.Count == count && found.TrueForAll(holds ?? (_ => true));
            },
            () => $"{count} are {state}: {string.Join("; ", found)}");
        return found;
    }

    /// <summary>What the sender would take up at this moment, were nothing on its way.</summary>
    public async Task<IReadOnlyList<WebhookCall>> DueAsync() => await deliveries.DueAsync(new(), 1_000, default);

    /// <summary>
    /// Lets the time run to the next try, in small steps, and stops it as soon as the try has come.
    /// </summary>
    public Task RunUntilTakenAsync(Receiver receiver, int count) =>
        Clock.RunUntilAsync(receiver.TakenAsync(count), TimeSpan.FromMilliseconds(20));

    /// <summary>Starts the sender of another worker.</summary>
    public Task StartSecondAsync() => second!.StartAsync(default);

    /// <summary>Stops the sender that started first.</summary>
    public Task StopFirstAsync() => sender.StopAsync(default);

    public async Task SweepAsync() => await deliveries.SweepAsync(default);

    public async ValueTask DisposeAsync()
    {
        await sender.StopAsync(default);
        await (second?.StopAsync(default) ?? Task.CompletedTask);
        // What the consumer waits for at its end is the clock's.
        await Clock.RunUntilAsync(worker.StopAsync(default), TimeSpan.FromMilliseconds(100));
        sender.Dispose();
        second?.Dispose();
        worker.Dispose();
        await deliveries.DisposeAsync();
        client.Dispose();
        messages.Dispose();
        await place.DisposeAsync();
    }
}
