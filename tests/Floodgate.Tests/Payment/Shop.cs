using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Floodgate.Tests.Payment;

/// <summary>A caller with its key: a merchant's system, or the operator.</summary>
internal sealed class Shop(HttpClient client, string key, string merchantId)
{
    private int keys;

    public string MerchantId => merchantId;

    /// <summary>The same shop over another connection.</summary>
    public Shop With(HttpClient other) => new(other, key, merchantId) { keys = keys };

    /// <summary>The same shop with another key of its own.</summary>
    public Shop WithKey(string other, string? id = null) => new(client, other, id ?? merchantId) { keys = keys };

    /// <summary>An idempotency key that this shop has not used.</summary>
    public string NewKey() => $"key-{Interlocked.Increment(ref keys)}";

    /// <summary>Sends a request; headers such as <c>Prefer: wait=5</c>.</summary>
    public async Task<Reply> SendAsync(string method, string path, string? json = null, params string[] headers)
    {
        using var request = Request(method, path, headers);
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        return await Reply.ReadAsync(await client.SendAsync(request));
    }

    /// <summary>Posts a file as it is.</summary>
    public async Task<Reply> PostFileAsync(string path, byte[] file, string mediaType)
    {
        using var request = Request("POST", path, []);
        request.Content = new ByteArrayContent(file);
        request.Content.Headers.ContentType = new(mediaType);
        return await Reply.ReadAsync(await client.SendAsync(request));
    }

    public Task<Reply> GetAsync(string path) => SendAsync("GET", path);

    public Task<Reply> PaymentAsync(string id) => GetAsync($"/v1/payments/{id}");

    /// <summary>Asks for a payment and, unless told otherwise, waits for its final state.</summary>
    /// <param name="amount">In minor units.</param>
    /// <param name="more">Further fields of the body, such as <c>"capture":false</c>.</param>
    /// <param name="key">The idempotency key; a new one when left out.</param>
    /// <param name="waitSeconds">0: do not wait.</param>
    public Task<Reply> PayAsync(long amount, string more = "", string? key = null, int waitSeconds = 30) => PostAsync(
        "/v1/payments",
        $$"""{"amount":{{Krw(amount)}}{{(more.Length > 0 ? "," : "")}}{{more}} }""",
        key,
        waitSeconds);

    public Task<Reply> AuthorizeAsync(long amount) => PayAsync(amount, "\"capture\":false");

    /// <summary>Captures, voids or refunds a payment; without an amount, all of it.</summary>
    public Task<Reply> AskAsync(
        string operation, string id, long? amount = null, string? key = null, int waitSeconds = 30) => PostAsync(
        $"/v1/payments/{id}/{operation}",
        amount is { } some ? $$"""{"amount":{{Krw(some)}} }""" : "{}",
        key,
        waitSeconds);

    public Task<Reply> TopUpAsync(string userId, long amount) => PostAsync(
        $"/v1/wallets/{userId}/top-ups", $$"""{"amount":{{Krw(amount)}} }""", null, 30);

    /// <summary>What a customer can spend, and what is set aside.</summary>
    public async Task<(long Available, long Held)> WalletAsync(string userId)
    {
        var wallet = (await GetAsync($"/v1/wallets/{userId}")).Expect(200);
        var balances = wallet.Json.GetProperty("balances");
        return balances.GetArrayLength() == 0
            ? (0, 0)
            : (balances[0].GetProperty("available").GetInt64(), balances[0].GetProperty("held").GetInt64());
    }

    /// <summary>Every row of a list, page by page, in the order given.</summary>
    public async Task<List<JsonElement>> AllAsync(string path, int limit = 1_000)
    {
        var all = new List<JsonElement>();
        for (var more = true; more;)
        {
            var after = all.Count == 0 ? "" : $"&starting_after={all[^1].GetProperty("id").GetString()}";
            var page = (await GetAsync($"{path}{(path.Contains('?') ? '&' : '?')}limit={limit}{after}")).Expect(
                200).Json;
            all.AddRange(page.GetProperty("data").EnumerateArray());
            more = page.GetProperty("has_more").GetBoolean();
        }

        return all;
    }

    /// <summary>Opens the event stream of a payment or another thing: the lines as they come.</summary>
    public async Task<StreamReader> ListenAsync(string id, string things = "payments")
    {
        var response = await client.SendAsync(
            Request("GET", $"/v1/{things}/{id}/events", []), HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        return new StreamReader(await response.Content.ReadAsStreamAsync());
    }

    private static string Krw(long amount) => $$"""{"amount":{{amount}},"currency":"KRW"}""";

    private Task<Reply> PostAsync(string path, string json, string? idempotencyKey, int waitSeconds)
    {
        var header = $"Idempotency-Key: {idempotencyKey ?? NewKey()}";
        return waitSeconds == 0
            ? SendAsync("POST", path, json, header)
            : SendAsync("POST", path, json, header, $"Prefer: wait={waitSeconds}");
    }

    private HttpRequestMessage Request(string method, string path, string[] headers)
    {
        var request = new HttpRequestMessage(new(method), path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        foreach (var header in headers)
        {
            var parts = header.Split(": ", 2);
            request.Headers.TryAddWithoutValidation(parts[0], parts[1]);
        }

        return request;
    }
}
