using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Serialization.Metadata;

namespace Floodgate.Load.Target;

/// <summary>
/// Calls of the API that are not under load. Each throws <see cref="CannotRunException"/> with the server's own words
/// when the answer is not a success.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    private readonly HttpClient http;
    private readonly TargetAddress address;

    /// <summary>Opens no connection yet.</summary>
    public ApiClient(TargetAddress address)
    {
        this.address = address;
        http = new HttpClient { BaseAddress = address.Url, Timeout = TimeSpan.FromSeconds(60) };
    }

    /// <summary>Who the tool is.</summary>
    public TargetAddress Address => address;

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    /// <summary>Reads something as the operator.</summary>
    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var response = await SendAsync(HttpMethod.Get, path, null, cancel);
        return await ReadAsync(response, type, cancel);
    }

    /// <summary>Makes something, once for its idempotency key, as the owner of <paramref name="key"/>.</summary>
    public async Task<T> PostAsync<T>(ApiPost post, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, post.Path)
        {
            Content = new StringContent(post.Json, Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", post.Key ?? address.AdminKey);
        if (post.IdempotencyKey is { } once)
        {
            request.Headers.Add("Idempotency-Key", once);
        }

        using var response = await SendAsync(request, cancel);
        return await ReadAsync(response, type, cancel);
    }

    /// <summary>The JSON of an answer.</summary>
    public static async Task<T> ReadAsync<T>(
        HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(type, cancel)
                ?? throw new CannotRunException($"{response.RequestMessage?.RequestUri} answered null.");
        }
        catch (System.Text.Json.JsonException wrong)
        {
            throw new CannotRunException($"{response.RequestMessage?.RequestUri} is not as expected: {wrong.Message}");
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException)
        {
            throw new CannotRunException(
                $"{response.RequestMessage?.RequestUri} broke off: {broken.Message}", isAway: true);
        }
    }

    /// <summary>Sends one request as the operator.</summary>
    public Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, HttpContent? content, CancellationToken cancel) =>
        SendAsync(new HttpRequestMessage(method, path) { Content = content }, cancel);

    /// <summary>Sends one request; as the operator unless it says who else.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        if (request.RequestUri is { IsAbsoluteUri: false } && request.Headers.Authorization is null)
        {
            // Absolute addresses are those of the stand-alone provider, which must not learn the key.
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", address.AdminKey);
        }

        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        }
        catch (Exception broken) when (
            broken is HttpRequestException || (broken is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            throw new CannotRunException(
                $"{request.Method} {request.RequestUri}: {broken.Message} Is the server up? (./floodgate up --demo)",
                isAway: true);
        }

        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        var text = await response.Content.ReadAsStringAsync(cancel);
        response.Dispose();
        throw new CannotRunException(
            $"{request.Method} {request.RequestUri} answered {(int)response.StatusCode}"
                + $"{Hint(response.StatusCode)}: {(text.Length > 500 ? text[..500] : text)}",
            isAway: response.StatusCode is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.GatewayTimeout);
    }

    private static string Hint(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => " (check --key and --admin-key)",
        HttpStatusCode.NotFound => " (the server must run in demo mode for this)",
        _ => "",
    };
}

/// <summary>Something to be made.</summary>
/// <param name="Path">Where.</param>
/// <param name="Json">The body.</param>
internal sealed record ApiPost(string Path, string Json)
{
    /// <summary>On whose behalf; null for the operator.</summary>
    public string? Key { get; init; }

    /// <summary>Makes a repeat harmless; null where the route wants none.</summary>
    public string? IdempotencyKey { get; init; }
}
