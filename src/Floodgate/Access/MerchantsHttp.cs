using System.Text.Json;
using System.Text.Json.Serialization;

namespace Floodgate.Access;

/// <summary>The routes of merchants.</summary>
internal sealed class MerchantsHttp(ApiKeys keys)
{
    /// <summary>Registers them.</summary>
    public void Map(Routes routes) => routes.Map("POST", "/v1/merchants", Who.Admin, CreateAsync);

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
}

/// <summary>The body of <c>POST /v1/merchants</c>.</summary>
internal sealed record MerchantRequest(string Name);

/// <summary>A merchant; <paramref name="Key"/> only in the answer that created it.</summary>
internal sealed record MerchantResponse(string MerchantId, string Name, string? Key);

/// <summary>JSON of these routes and of the commands that do the same.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(MerchantRequest))]
[JsonSerializable(typeof(MerchantResponse))]
internal sealed partial class MerchantsJson : JsonSerializerContext;
