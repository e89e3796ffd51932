using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>The routes of webhooks. Operators see every merchant's endpoints, and no secret.</summary>
internal sealed class WebhooksHttp(WebhookBook book, WebhooksSettings settings)
{
    private const int PageMax = 200;

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/webhooks", Who.Merchant, CreateAsync);
        routes.Map("GET", "/v1/webhooks", Who.MerchantOrAdmin, ListAsync);
        routes.Map("GET", "/v1/webhooks/{id}", Who.MerchantOrAdmin, GetAsync);
        routes.Map("DELETE", "/v1/webhooks/{id}", Who.Merchant, RemoveAsync);
        routes.Map("POST", "/v1/webhooks/{id}/enable", Who.Merchant, EnableAsync);
        routes.Map("POST", "/v1/webhooks/{id}/rotate-secret", Who.Merchant, RotateAsync);
        routes.Map("POST", "/v1/webhooks/{id}/test", Who.Merchant, TestAsync);
        routes.Map("GET", "/v1/webhooks/{id}/deliveries", Who.MerchantOrAdmin, ListDeliveriesAsync);
        routes.Map("POST", "/v1/webhooks/deliveries/{id}/replay", Who.MerchantOrAdmin, ReplayAsync);
    }

    private async Task CreateAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, WebhooksJson.Default.EndpointBody) is not { } body)
        {
            return;
        }

        if (WebhookAddresses.Check(body.Url, settings, out var fault) is not { } url)
        {
            await Problem.WriteAsync(context, WebhookProblems.UrlRefused, $"url {fault}.");
            return;
        }

        var events = (body.Events ?? []).Distinct().Order(StringComparer.Ordinal).ToList();
        if (events.Find(type => !WebhookMessages.Types.Contains(type)) is { } unknown)
        {
            await Problem.WriteAsync(context, Problems.InvalidField,
                $"events has {unknown}; known are {string.Join(", ", WebhookMessages.Types)}. Leave it out for all.");
            return;
        }

        var made = await book.CreateAsync(
            caller.MerchantId!,
            new EndpointTerms(url, events),
            new RequestKey(key, HashOf($"{url} {string.Join(' ', events)}")),
            context.RequestAborted);
        await AnswerWithSecretAsync(context, made, 201);
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            // One more than the page tells whether there is another.
            var found = await book.ListAsync(
                caller.MerchantId, paging.After, paging.Limit + 1, context.RequestAborted);
            var page = found[..Math.Min(found.Count, paging.Limit)];
            await Answer.WritePageAsync(context, page, found.Count > page.Count, Write);
        }
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        var endpoint = IdOf(context) is { } id
            ? await book.FindAsync(caller.MerchantId, id, context.RequestAborted)
            : null;
        await (endpoint is null
            ? RefuseAsync(context, WebhookOutcome.NotFound)
            : Answer.WriteAsync(context, 200, endpoint, Write));
    }

    private async Task RemoveAsync(HttpContext context, Caller caller)
    {
        var removed = await SetStateAsync(context, caller, EndpointState.Removed);
        if (removed.Outcome != WebhookOutcome.Done)
        {
            await RefuseAsync(context, removed.Outcome);
            return;
        }

        context.Response.StatusCode = 204;
    }

    private async Task EnableAsync(HttpContext context, Caller caller)
    {
        var enabled = await SetStateAsync(context, caller, EndpointState.Enabled);
        await (enabled.Outcome == WebhookOutcome.Done
            ? Answer.WriteAsync(context, 200, enabled.Endpoint!, Write)
            : RefuseAsync(context, enabled.Outcome));
    }

    private async Task RotateAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is { } key)
        {
            var rotated = IdOf(context) is { } id
                ? await book.RotateAsync(caller.MerchantId!, id, key, context.RequestAborted)
                : new(WebhookOutcome.NotFound, null);
            await AnswerWithSecretAsync(context, rotated, 200);
        }
    }

    private async Task TestAsync(HttpContext context, Caller caller) => await AnswerAsync(
        context,
        IdOf(context) is { } id
            ? await book.TestAsync(caller.MerchantId!, id, context.RequestAborted)
            : new(WebhookOutcome.NotFound, null));

    private async Task ListDeliveriesAsync(HttpContext context, Caller caller)
    {
        if (await ReadStateAsync(context) is not { } state
            || await Paging.ReadAsync(context, PageMax) is not { } paging)
        {
            return;
        }

        if (IdOf(context) is not { } id
            || await book.FindAsync(caller.MerchantId, id, context.RequestAborted) is null)
        {
            await RefuseAsync(context, WebhookOutcome.NotFound);
            return;
        }

        var found = await book.DeliveriesAsync(id, state, paging.After, paging.Limit + 1, context.RequestAborted);
        var page = found[..Math.Min(found.Count, paging.Limit)];
        await Answer.WritePageAsync(context, page, found.Count > page.Count, Write);
    }

    private async Task ReplayAsync(HttpContext context, Caller caller) => await AnswerAsync(
        context,
        IdOf(context) is { } id
            ? await book.ReplayAsync(caller.MerchantId, id, context.RequestAborted)
            : new(WebhookOutcome.NotFound, null));

    private async ValueTask<ChangedEndpoint> SetStateAsync(HttpContext context, Caller caller, EndpointState state) =>
        IdOf(context) is { } id
            ? await book.SetStateAsync(caller.MerchantId, id, state, context.RequestAborted)
            : new(WebhookOutcome.NotFound, null);

    private static Task AnswerWithSecretAsync(HttpContext context, ChangedEndpoint changed, int status)
    {
        if (changed.Outcome is not (WebhookOutcome.Done or WebhookOutcome.Replayed))
        {
            return RefuseAsync(context, changed.Outcome);
        }

        if (changed.Outcome == WebhookOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        context.Response.Headers.CacheControl = "no-store";
        return Answer.WriteAsync(context, status, changed.Endpoint!, static (json, endpoint) =>
        {
            json.WriteStartObject();
            WriteFields(json, endpoint);
            json.WriteString("secret", endpoint.Secret);
            json.WriteEndObject();
        });
    }

    private static Task AnswerAsync(HttpContext context, ChangedDelivery changed) =>
        changed.Outcome == WebhookOutcome.Done
            ? Answer.WriteAsync(context, 202, changed.Delivery!, Write)
            : RefuseAsync(context, changed.Outcome);

    private static Task RefuseAsync(HttpContext context, WebhookOutcome outcome) => outcome switch
    {
        WebhookOutcome.KeyReused => Problem.WriteAsync(context, Problems.IdempotencyKeyReused,
            $"This {IdempotencyKey.Header} was used for another endpoint. Send a new key for a new intent."),
        WebhookOutcome.TooMany => Problem.WriteAsync(context, WebhookProblems.TooMany,
            "Remove an endpoint that is not used any more (Webhooks:EndpointsMax)."),
        WebhookOutcome.Disabled => Problem.WriteAsync(context, WebhookProblems.Disabled,
            "It answered 410. POST /v1/webhooks/{id}/enable enables it again."),
        _ => Problem.WriteAsync(context, Problems.NotFound,
            "There is no such endpoint or delivery, or it is another merchant's."),
    };

    private static void Write(Utf8JsonWriter json, WebhookEndpoint endpoint)
    {
        json.WriteStartObject();
        WriteFields(json, endpoint);
        json.WriteEndObject();
    }

    private static void WriteFields(Utf8JsonWriter json, WebhookEndpoint endpoint)
    {
        json.WriteString("id", endpoint.Id);
        json.WriteString("merchantId", endpoint.MerchantId);
        json.WriteString("url", endpoint.Url);
        json.WriteStartArray("events");
        foreach (var type in endpoint.Events)
        {
            json.WriteStringValue(type);
        }

        json.WriteEndArray();
        json.WriteString("state", WebhooksSql.WordOf(endpoint.State));
        json.WriteString("createdAt", new UtcInstant(endpoint.CreatedMs).ToString());
    }

    private static void Write(Utf8JsonWriter json, WebhookDelivery delivery)
    {
        json.WriteStartObject();
        json.WriteString("id", delivery.Id);
        json.WriteString("endpointId", delivery.EndpointId);
        json.WriteString("webhookId", delivery.MessageId);
        json.WriteString("type", delivery.Type);
        json.WriteString("state", WebhooksSql.WordOf(delivery.State));
        json.WriteNumber("attempts", delivery.Attempts);
        json.WriteString(
            "nextAttemptAt",
            delivery.State == DeliveryState.Pending ? new UtcInstant(delivery.DueMs).ToString() : null);
        if (delivery.LastStatus is { } status)
        {
            json.WriteNumber("lastStatus", status);
        }
        else
        {
            json.WriteNull("lastStatus");
        }

        json.WriteString("lastError", delivery.LastError);
        json.WriteString("createdAt", new UtcInstant(delivery.CreatedMs).ToString());
        json.WriteString("payload", delivery.Payload);
        json.WriteEndObject();
    }

    private static async ValueTask<DeliveryState?> ReadStateAsync(HttpContext context)
    {
        var asked = context.Request.Query.TryGetValue("state", out var text) ? (string?)text : "FAILED";
        foreach (var state in Enum.GetValues<DeliveryState>())
        {
            if (WebhooksSql.WordOf(state) == asked)
            {
                return state;
            }
        }

        await Problem.WriteAsync(
            context, Problems.InvalidParameter, "state must be PENDING, DELIVERED or FAILED (the default).");
        return null;
    }

    private static Guid? IdOf(HttpContext context) =>
        Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id) ? id : null;

    private static string HashOf(string text) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}

/// <summary>The refusals of these routes.</summary>
internal static class WebhookProblems
{
    public static readonly ProblemKind UrlRefused = new(422, "webhook_url_refused", "The URL cannot be called.");

    public static readonly ProblemKind TooMany = new(
        409, "webhook_endpoints_max", "The merchant has as many webhook endpoints as it may have.");

    public static readonly ProblemKind Disabled = new(409, "webhook_disabled", "The webhook endpoint is disabled.");
}

/// <summary>The body of <c>POST /v1/webhooks</c>.</summary>
internal sealed record EndpointBody(string Url, IReadOnlyList<string>? Events = null);

/// <summary>JSON of these routes.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EndpointBody))]
internal sealed partial class WebhooksJson : JsonSerializerContext;
