using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access.RateLimits;

namespace Floodgate.Access;

/// <summary>The routes of merchants and their keys.</summary>
internal sealed class MerchantsHttp(ApiKeys keys, TierBook tiers)
{
    private const int PageMax = 200;

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/merchants", Who.Admin, CreateAsync);
        routes.Map("GET", "/v1/merchants", Who.Admin, ListAsync);
        routes.Map("GET", "/v1/merchants/{id}", Who.Admin, GetAsync);
        routes.Map("PUT", "/v1/merchants/{id}/tier", Who.Admin, SetTierAsync);
        routes.Map("POST", "/v1/merchants/{id}/keys", Who.Admin, CreateKeyAsync);
        routes.Map("GET", "/v1/merchants/{id}/keys", Who.Admin, ListKeysAsync);
        routes.Map("DELETE", "/v1/merchants/{id}/keys/{keyId}", Who.Admin, RevokeKeyAsync);
    }

    /// <summary>A key, without its secret, as routes and commands show it.</summary>
    public static void Write(Utf8JsonWriter json, MerchantKey key)
    {
        json.WriteStartObject();
        WriteFields(json, key);
        json.WriteEndObject();
    }

    /// <summary>The same within an object that is open.</summary>
    public static void WriteFields(Utf8JsonWriter json, MerchantKey key)
    {
        json.WriteString("id", key.Id);
        json.WriteString("merchantId", key.MerchantId);
        json.WriteString("prefix", key.Prefix);
        json.WriteString("createdAt", key.CreatedAt.ToString());
        json.WriteString("revokedAt", key.RevokedAt?.ToString());
    }

    private async Task CreateAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } requestKey
            || await Body.ReadAsync(context, MerchantsJson.Default.MerchantRequest) is not { } request)
        {
            return;
        }

        if (ApiKeys.FaultOfName(request.Name) is { } fault)
        {
            await Problem.WriteAsync(context, Problems.InvalidBody, $"$.name {fault}.");
            return;
        }

        var created = await keys.CreateMerchantAsync(request.Name, requestKey, context.RequestAborted);
        if (created.Outcome == CreateMerchantOutcome.KeyReused)
        {
            await Problem.WriteAsync(context, Problems.IdempotencyKeyReused,
                $"{IdempotencyKey.Header} was used to create a merchant of another name. Send a new one.");
            return;
        }

        if (created.Outcome == CreateMerchantOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        // The key was shown once; a replay cannot show it again, because only its hash is kept.
        context.Response.StatusCode = created.Outcome == CreateMerchantOutcome.Created ? 201 : 200;
        context.Response.Headers.CacheControl = "no-store";
        var answer = new MerchantResponse(created.MerchantId, created.Name, created.Key);
        await context.Response.WriteAsJsonAsync(answer, MerchantsJson.Default.MerchantResponse);
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        var id = MerchantIdOf(context);
        await AnswerAsync(context, await keys.FindMerchantAsync(id, context.RequestAborted));
    }

    private async Task SetTierAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, MerchantsJson.Default.TierRequest) is not { } request)
        {
            return;
        }

        if (Tiers.Of(request.Tier) is not { } tier)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, "tier must be standard, large or unlimited.");
            return;
        }

        await AnswerAsync(context, await tiers.SetAsync(MerchantIdOf(context), tier, context.RequestAborted));
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadTextAsync(context, PageMax) is var (limit, after))
        {
            // One more than the page tells whether there is another.
            var found = await keys.MerchantsAsync(after, limit + 1, context.RequestAborted);
            var page = found[..Math.Min(found.Count, limit)];
            await Answer.WritePageAsync(context, page, found.Count > page.Count, Write);
        }
    }

    private async Task CreateKeyAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } requestKey
            || await Body.ReadAsync(context, MerchantsJson.Default.KeyRequest, new KeyRequest()) is null)
        {
            return;
        }

        var created = await keys.CreateKeyAsync(MerchantIdOf(context), requestKey, context.RequestAborted);
        if (created.Outcome is CreateKeyOutcome.KeyReused)
        {
            await Problem.WriteAsync(context, Problems.IdempotencyKeyReused,
                $"{IdempotencyKey.Header} was used to create a key of another merchant. Send a new one.");
            return;
        }

        if (created.Outcome == CreateKeyOutcome.MerchantUnknown)
        {
            await RefuseMerchantAsync(context);
            return;
        }

        if (created.Outcome == CreateKeyOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        context.Response.Headers.CacheControl = "no-store";
        var status = created.Outcome == CreateKeyOutcome.Created ? 201 : 200;
        await Answer.WriteAsync(context, status, created, static (json, created) =>
        {
            json.WriteStartObject();
            WriteFields(json, created.Key!);
            json.WriteString("key", created.Secret); // Null in a replay: only its hash is kept.
            json.WriteEndObject();
        });
    }

    private async Task ListKeysAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is not { } paging)
        {
            return;
        }

        // One more than the page tells whether there is another.
        var found = await keys.ListAsync(
            MerchantIdOf(context), paging.After, paging.Limit + 1, context.RequestAborted);
        if (found is null)
        {
            await RefuseMerchantAsync(context);
            return;
        }

        var page = found[..Math.Min(found.Count, paging.Limit)];
        await Answer.WritePageAsync(context, page, found.Count > page.Count, Write);
    }

    private async Task RevokeKeyAsync(HttpContext context, Caller caller)
    {
        var ended = Guid.TryParseExact((string?)context.Request.RouteValues["keyId"], "D", out var id)
            ? await keys.RevokeAsync(id, MerchantIdOf(context), context.RequestAborted)
            : null;
        await (ended is null
            ? Problem.WriteAsync(context, Problems.NotFound,
                "This merchant has no key of this id. GET /v1/merchants/{id}/keys shows those that it has.")
            : Answer.WriteAsync(context, 200, ended, Write));
    }

    private static Task AnswerAsync(HttpContext context, Merchant? merchant) => merchant is null
        ? RefuseMerchantAsync(context)
        : Answer.WriteAsync(context, 200, merchant, Write);

    private static void Write(Utf8JsonWriter json, Merchant merchant)
    {
        json.WriteStartObject();
        json.WriteString("merchantId", merchant.Id);
        json.WriteString("name", merchant.Name);
        json.WriteString("createdAt", merchant.CreatedAt.ToString());
        json.WriteString("tier", Tiers.NameOf(merchant.Tier));
        json.WriteEndObject();
    }

    private static string MerchantIdOf(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    private static Task RefuseMerchantAsync(HttpContext context) => Problem.WriteAsync(
        context, Problems.NotFound, "There is no merchant of this id. Use the merchantId that its creation answered.");
}

/// <summary>The body of <c>POST /v1/merchants/{id}/keys</c>: none, or an empty object.</summary>
internal sealed record KeyRequest;

/// <summary>The body of <c>POST /v1/merchants</c>.</summary>
internal sealed record MerchantRequest(string Name);

/// <summary>The body of <c>PUT /v1/merchants/{id}/tier</c>.</summary>
internal sealed record TierRequest(string Tier);

/// <summary>A merchant; <paramref name="Key"/> only in the answer that created it.</summary>
internal sealed record MerchantResponse(string MerchantId, string Name, string? Key);

/// <summary>JSON of these routes and of the commands that do the same.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MerchantRequest))]
[JsonSerializable(typeof(TierRequest))]
[JsonSerializable(typeof(KeyRequest))]
[JsonSerializable(typeof(MerchantResponse))]
internal sealed partial class MerchantsJson : JsonSerializerContext;
