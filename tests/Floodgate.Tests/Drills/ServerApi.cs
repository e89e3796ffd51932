using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Floodgate.Tests.Drills;

/// <summary>An answer of the server, read wholly.</summary>
internal sealed record Reply(int Status, JsonElement Json, bool IsReplay, TimeSpan? RetryAfter)
{
    /// <summary>True when the request was carried out, now or before.</summary>
    public bool IsAccepted => Status is 200 or 201 or 202;

    /// <summary>The stable code of a problem, or empty.</summary>
    public string Code => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty("code", out var code)
        ? code.GetString()!
        : "";

    /// <summary>The id of the payment or operation.</summary>
    public Guid Id => Json.GetProperty("id").GetGuid();

    /// <summary>A field of the answer as text.</summary>
    public string Text(string name) => Json.GetProperty(name).GetString()!;
}

/// <summary>The public API of a server in demo mode, as a merchant and its operator use it.</summary>
internal sealed class ServerApi(HttpClient http)
{
    public const string MerchantKey = "fg_demo_merchant";
    public const string AdminKey = "fg_demo_admin";

    /// <summary>Sends money or an order about money; throws what the connection throws.</summary>
    public Task<Reply> PostAsync(string path, string key, string body, int waitSeconds = 0)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json(body) };
        request.Headers.Add("Idempotency-Key", key);
        if (waitSeconds > 0)
        {
            request.Headers.Add("Prefer", $"wait={waitSeconds}");
        }

        return SendAsync(request, MerchantKey);
    }

    /// <summary>Asks as the merchant.</summary>
    public Task<Reply> GetAsync(string path) => SendAsync(new(HttpMethod.Get, path), MerchantKey);

    /// <summary>Asks as the operator.</summary>
    public Task<Reply> GetAsAdminAsync(string path) => SendAsync(new(HttpMethod.Get, path), AdminKey);

    /// <summary>Sets the faults of a provider: at the server's desk, or at the stand-alone provider itself.</summary>
    public Task<Reply> PutFaultsAsync(string path, string faults) =>
        SendAsync(new(HttpMethod.Put, path) { Content = Json(faults) }, AdminKey);

    /// <summary>Every entry of a paged list.</summary>
    public async Task<List<JsonElement>> ListAsync(string path)
    {
        var all = new List<JsonElement>();
        while (true)
        {
            var after = all.Count == 0 ? "" : $"&starting_after={all[^1].GetProperty("id").GetGuid()}";
            var page = await GetAsAdminAsync($"{path}{after}");
            all.AddRange(page.Json.GetProperty("data").EnumerateArray());
            if (!page.Json.GetProperty("has_more").GetBoolean())
            {
                return all;
            }
        }
    }

    /// <summary>Events and put-off charges that are not final yet.</summary>
    public async Task<long> BacklogAsync()
    {
        var lag = (await GetAsAdminAsync("/v1/ops/lag")).Json;
        return lag.GetProperty("lag").GetInt64() + lag.GetProperty("due").GetInt64();
    }

    /// <summary>The body of a payment through the gateway or from the wallet.</summary>
    public static string PaymentBody(long minor, string user, string method = "GATEWAY", bool capture = true) =>
        $$"""
        {"amount":{{Money(minor)}},"userId":"{{user}}","method":"{{method}}","capture":{{(capture ? "true" : "false")}}}
        """;

    /// <summary>Money as JSON.</summary>
    public static string Money(long minor) => $$"""{"amount":{{minor}},"currency":"KRW"}""";

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private async Task<Reply> SendAsync(HttpRequestMessage request, string key)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using (request)
        {
            using var answer = await http.SendAsync(request);
            var body = await answer.Content.ReadAsStringAsync();
            return new Reply(
                (int)answer.StatusCode,
                body.Length == 0 ? default : JsonDocument.Parse(body).RootElement,
                answer.Headers.Contains("Idempotent-Replayed"),
                answer.Headers.RetryAfter?.Delta);
        }
    }
}
