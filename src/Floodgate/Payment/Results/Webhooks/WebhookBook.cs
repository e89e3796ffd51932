using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>What can come of a command about endpoints and deliveries, in the order in which it is checked.</summary>
internal enum WebhookOutcome
{
    /// <summary>There is none of this id, or it is another merchant's.</summary>
    NotFound,

    /// <summary>The request key was used for something else, or for an endpoint that was removed.</summary>
    KeyReused,

    /// <summary>Done before by the same request: the same answer again.</summary>
    Replayed,

    /// <summary>The merchant has as many endpoints as it may have.</summary>
    TooMany,

    /// <summary>The endpoint is disabled, so nothing can be sent to it.</summary>
    Disabled,

    /// <summary>It is stored.</summary>
    Done,
}

/// <summary>An endpoint after a command; null when there is none to show.</summary>
internal readonly record struct ChangedEndpoint(WebhookOutcome Outcome, WebhookEndpoint? Endpoint);

/// <summary>A delivery after a command; null when there is none to show.</summary>
internal readonly record struct ChangedDelivery(WebhookOutcome Outcome, WebhookDelivery? Delivery);

/// <summary>
/// Merchants' endpoints, and what they may ask about deliveries. A caller without a merchant is an operator, who sees
/// all; a merchant finds only its own.
/// </summary>
internal sealed class WebhookBook(
    Database database, Ids ids, EndpointCache cache, WebhooksSettings settings, TimeProvider time)
{
    /// <summary>Raised after the commit of deliveries to be sent at once: a test or a replay.</summary>
    public event Action? Added;

    /// <summary>Makes an endpoint. Idempotent by the merchant's key. Outcomes: KeyReused, Replayed, TooMany, Done.
    /// </summary>
    public ValueTask<ChangedEndpoint> CreateAsync(
        string merchantId, EndpointTerms terms, RequestKey key, CancellationToken cancel)
    {
        var endpoint = new WebhookEndpoint(
            ids.Next(), merchantId, terms.Url, terms.Events, WebhookSignature.NewSecret(), EndpointState.Enabled,
            UtcInstant.Now(time).Ms);
        return database.WriteAsync(
            async tx =>
            {
                if (await WebhooksSql.FindByKeyAsync(tx, merchantId, key.Key) is { } before)
                {
                    return OfRepeat(before, key);
                }

                if (await WebhooksSql.CountAsync(tx, merchantId) >= settings.EndpointsMax)
                {
                    return new(WebhookOutcome.TooMany, null);
                }

                if (!await WebhooksSql.TryInsertAsync(tx, endpoint, key.Key, key.BodyHash))
                {
                    return OfRepeat((await WebhooksSql.FindByKeyAsync(tx, merchantId, key.Key))!.Value, key);
                }

                tx.OnCommitted(cache.Evict);
                return new(WebhookOutcome.Done, endpoint);
            },
            cancel);
    }

    /// <summary>The endpoint, or null.</summary>
    public ValueTask<WebhookEndpoint?> FindAsync(string? merchantId, Guid id, CancellationToken cancel) =>
        database.ReadAsync(tx => WebhooksSql.FindAsync(tx, merchantId, id), cancel);

    /// <summary>Endpoints after an id, by id.</summary>
    public ValueTask<List<WebhookEndpoint>> ListAsync(
        string? merchantId, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => WebhooksSql.SelectPageAsync(tx, merchantId, after, max), cancel);

    /// <summary>
    /// Enables or removes an endpoint. What waits for a removed one is given up. A repeat changes nothing. Outcomes:
    /// NotFound, Done.
    /// </summary>
    public ValueTask<ChangedEndpoint> SetStateAsync(
        string? merchantId, Guid id, EndpointState state, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            if (await WebhooksSql.FindAsync(tx, merchantId, id) is not { } endpoint)
            {
                return new ChangedEndpoint(WebhookOutcome.NotFound, null);
            }

            WebhooksSql.SetState(tx, id, state, UtcInstant.Now(time).Ms);
            tx.OnCommitted(cache.Evict);
            return new(WebhookOutcome.Done, endpoint with { State = state });
        },
        cancel);

    /// <summary>
    /// Gives the endpoint a new secret; the one of before signs too for <see cref="WebhooksSettings.OldSecretHours"/>.
    /// Idempotent by the key, because a second rotation would take the old secret away before the merchant has the new
    /// one. Outcomes: NotFound, Replayed, Done.
    /// </summary>
    public ValueTask<ChangedEndpoint> RotateAsync(
        string merchantId, Guid id, string key, CancellationToken cancel)
    {
        var secret = WebhookSignature.NewSecret();
        return database.WriteAsync(
            async tx =>
            {
                if (await WebhooksSql.FindAsync(tx, merchantId, id) is not { } endpoint)
                {
                    return new ChangedEndpoint(WebhookOutcome.NotFound, null);
                }

                var now = UtcInstant.Now(time);
                var oldUntilMs = now.Plus(TimeSpan.FromHours(settings.OldSecretHours)).Ms;
                return await WebhooksSql.TryRotateAsync(tx, id, key, secret, oldUntilMs, now.Ms)
                    ? new(WebhookOutcome.Done, endpoint with { Secret = secret })
                    : new(WebhookOutcome.Replayed, await WebhooksSql.FindAsync(tx, merchantId, id));
            },
            cancel);
    }

    /// <summary>Sends a test. Outcomes: NotFound, Disabled, Done.</summary>
    public ValueTask<ChangedDelivery> TestAsync(string merchantId, Guid id, CancellationToken cancel) =>
        database.WriteAsync(
            async tx =>
            {
                if (await WebhooksSql.FindAsync(tx, merchantId, id) is not { } endpoint)
                {
                    return new ChangedDelivery(WebhookOutcome.NotFound, null);
                }

                if (endpoint.State != EndpointState.Enabled)
                {
                    return new(WebhookOutcome.Disabled, null);
                }

                var now = UtcInstant.Now(time);
                var payload = WebhookMessages.TestPayload(endpoint, now);
                var delivery = new WebhookDelivery(ids.Next(), id, ids.Next(), WebhookMessages.Test, payload)
                {
                    DueMs = now.Ms,
                    CreatedMs = now.Ms,
                };
                await WebhooksSql.InsertAsync(tx, [delivery], now.Ms);
                tx.OnCommitted(() => Added?.Invoke());
                return new(WebhookOutcome.Done, delivery);
            },
            cancel);

    /// <summary>Deliveries of an endpoint in a state, after an id, by id: the order in which things happened.</summary>
    public ValueTask<List<WebhookDelivery>> DeliveriesAsync(
        Guid endpointId, DeliveryState state, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => WebhooksSql.SelectDeliveriesAsync(tx, endpointId, state, after, max), cancel);

    /// <summary>
    /// Sends a delivery again, whatever its state, from the beginning of its schedule and with its <c>webhook-id</c>.
    /// Locks it. Outcomes: NotFound, Disabled, Done.
    /// </summary>
    public ValueTask<ChangedDelivery> ReplayAsync(string? merchantId, Guid id, CancellationToken cancel) =>
        database.WriteAsync(
            async tx =>
            {
                if (await WebhooksSql.LockAsync(tx, merchantId, id) is not { } found)
                {
                    return new ChangedDelivery(WebhookOutcome.NotFound, null);
                }

                if (found.State != EndpointState.Enabled)
                {
                    return new(WebhookOutcome.Disabled, null);
                }

                var nowMs = UtcInstant.Now(time).Ms;
                WebhooksSql.Replay(tx, id, nowMs);
                tx.OnCommitted(() => Added?.Invoke());
                var pending = found.Delivery with { State = DeliveryState.Pending, Attempts = 0, DueMs = nowMs };
                return new(WebhookOutcome.Done, pending);
            },
            cancel);

    private static ChangedEndpoint OfRepeat((WebhookEndpoint Endpoint, string Hash) before, RequestKey key) =>
        before.Hash == key.BodyHash && before.Endpoint.State != EndpointState.Removed
            ? new(WebhookOutcome.Replayed, before.Endpoint)
            : new(WebhookOutcome.KeyReused, null);
}

/// <summary>What a merchant says of an endpoint.</summary>
/// <param name="Url">Where to.</param>
/// <param name="Events">The types that it gets; empty for all.</param>
internal sealed record EndpointTerms(string Url, IReadOnlyList<string> Events);

/// <summary>Names one request of a merchant; the hash tells a repeat from another request.</summary>
internal sealed record RequestKey(string Key, string BodyHash);
