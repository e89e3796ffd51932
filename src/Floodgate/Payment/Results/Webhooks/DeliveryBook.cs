using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// Deliveries as the worker writes them: made with the group's offsets, a batch in one transaction, and moved on by
/// what their calls bring. Idempotent: a delivery's id is made of its event and endpoint, and a call moves only the
/// delivery that it was made for.
/// </summary>
internal sealed class DeliveryBook : IAsyncDisposable
{
    private const int QueueMax = 10_000;
    private const int BatchMax = 500;

    private readonly Database database;
    private readonly EndpointCache cache;
    private readonly WebhooksSettings settings;
    private readonly TimeProvider time;
    private readonly GroupCommit<Delivery<IReadOnlyList<WebhookDelivery>>, bool> adding;
    private readonly GroupCommit<Tried, bool> recording;

    public DeliveryBook(Database database, EndpointCache cache, WebhooksSettings settings, TimeProvider time)
    {
        this.database = database;
        this.cache = cache;
        this.settings = settings;
        this.time = time;
        adding = new(database, AddAsync, new("webhooks", QueueMax, BatchMax, 1, long.MaxValue), time);
        recording = new(database, RecordAsync, new("webhook-calls", QueueMax, BatchMax, 1, long.MaxValue), time);
    }

    /// <summary>The group's progress, given by the worker when it runs.</summary>
    public Offsets? Offsets { get; set; }

    /// <summary>Raised after the commit of new deliveries.</summary>
    public event Action? Added;

    /// <summary>Stores the deliveries of an event with its offset; completes when they are durable.</summary>
    public Task AddAsync(Delivery<IReadOnlyList<WebhookDelivery>> delivery, CancellationToken cancel) =>
        adding.SubmitAsync(delivery, cancel);

    /// <summary>Stores what a call brought; completes when it is durable, however long the database takes.</summary>
    public Task RecordAsync(Tried tried) => recording.SubmitAsync(tried, CancellationToken.None);

    /// <summary>What is due, endpoint by endpoint in turn, the longest due first; nothing is marked.</summary>
    /// <param name="inFlight">Deliveries on their way, and how many of each endpoint.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async ValueTask<IReadOnlyList<WebhookCall>> DueAsync(InFlight inFlight, int max, CancellationToken cancel)
    {
        var nowMs = UtcInstant.Now(time).Ms;
        var perEndpoint = settings.InFlightPerEndpointMax;
        return await database.ReadAsync(
            async tx =>
            {
                var endpoints = (await WebhooksSql.SelectEnabledIdsAsync(tx)).FindAll(
                    endpoint => inFlight.Of(endpoint) < perEndpoint);
                // Those on their way are due too, and among the first of their endpoint.
                var due = (await WebhooksSql.SelectDueAsync(tx, endpoints, nowMs, perEndpoint))
                    .FindAll(d => !inFlight.Has(d.Id));
                var taken = due.GroupBy(d => d.EndpointId)
                    .SelectMany(group => group.Take(perEndpoint - inFlight.Of(group.Key)).Index())
                    .OrderBy(d => d.Index).Take(max).Select(d => d.Item.Id).ToList();
                return await WebhooksSql.SelectCallsAsync(tx, taken);
            },
            cancel);
    }

    /// <summary>Gives up what waits for endpoints that are not sent to any more; how many.</summary>
    public async ValueTask<int> CloseWaitingAsync(CancellationToken cancel)
    {
        var closed = 0;
        for (var now = WebhooksSql.SweepMax; now == WebhooksSql.SweepMax; closed += now)
        {
            now = await database.WriteAsync(WebhooksSql.CloseWaitingAsync, cancel);
        }

        return closed;
    }

    /// <summary>How many wait to be sent, at once or again.</summary>
    public ValueTask<long> CountPendingAsync(CancellationToken cancel) =>
        database.ReadAsync(WebhooksSql.CountPendingAsync, cancel);

    /// <summary>Deletes finished deliveries, and removed endpoints, that are past what is kept.</summary>
    public async ValueTask SweepAsync(CancellationToken cancel)
    {
        var before = UtcInstant.Now(time).Plus(-TimeSpan.FromDays(settings.DaysKept));
        var firstId = Ids.FirstOf(before);
        while (await database.WriteAsync(tx => WebhooksSql.DeleteOldAsync(tx, firstId), cancel) == WebhooksSql.SweepMax)
        {
            cancel.ThrowIfCancellationRequested();
        }

        await database.WriteAsync(
            tx =>
            {
                WebhooksSql.DeleteRemovedOf(tx, before.Ms);
                return ValueTask.FromResult(0);
            },
            cancel);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await adding.DisposeAsync();
        await recording.DisposeAsync();
    }

    private async ValueTask<IReadOnlyList<bool>> AddAsync(
        Tx tx, IReadOnlyList<Delivery<IReadOnlyList<WebhookDelivery>>> batch)
    {
        // The same event may stand twice in the log, and so twice in a batch.
        var deliveries = batch.SelectMany(b => b.Message).DistinctBy(d => d.Id).OrderBy(d => d.Id).ToList();
        var added = await WebhooksSql.InsertAsync(tx, deliveries, UtcInstant.Now(time).Ms);
        Offsets?.CommitWith(tx, batch.Select(b => b.Event));
        tx.OnCommitted(() =>
        {
            WebhooksLog.CountAdded(added);
            Added?.Invoke();
        });
        return new bool[batch.Count];
    }

    private ValueTask<IReadOnlyList<bool>> RecordAsync(Tx tx, IReadOnlyList<Tried> batch)
    {
        WebhooksSql.Update(tx, [.. batch.OrderBy(t => t.Delivery.Id)]);
        var gone = batch.Where(t => t.Call.IsGone).Select(t => t.Delivery.EndpointId).Distinct().Order().ToList();
        if (gone.Count > 0)
        {
            WebhooksSql.DisableAll(tx, gone, UtcInstant.Now(time).Ms);
            tx.OnCommitted(cache.Evict);
        }

        return new(new bool[batch.Count]);
    }
}

/// <summary>What is on its way. Thread-safe.</summary>
internal sealed class InFlight
{
    // All under the gate.
    private readonly Lock gate = new();
    private readonly HashSet<Guid> deliveries = [];
    private readonly Dictionary<Guid, int> endpoints = [];

    /// <summary>How many in all.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return deliveries.Count;
            }
        }
    }

    /// <summary>How many to this endpoint.</summary>
    public int Of(Guid endpointId)
    {
        lock (gate)
        {
            return endpoints.GetValueOrDefault(endpointId);
        }
    }

    /// <summary>True when this delivery is on its way.</summary>
    public bool Has(Guid deliveryId)
    {
        lock (gate)
        {
            return deliveries.Contains(deliveryId);
        }
    }

    /// <summary>It sets out.</summary>
    public void Add(WebhookDelivery delivery)
    {
        lock (gate)
        {
            deliveries.Add(delivery.Id);
            endpoints[delivery.EndpointId] = endpoints.GetValueOrDefault(delivery.EndpointId) + 1;
        }
    }

    /// <summary>It is back.</summary>
    public void Remove(WebhookDelivery delivery)
    {
        lock (gate)
        {
            deliveries.Remove(delivery.Id);
            if (--endpoints[delivery.EndpointId] == 0)
            {
                endpoints.Remove(delivery.EndpointId);
            }
        }
    }
}
