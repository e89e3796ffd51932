using System.Buffers;
using System.Net;
using System.Net.Http.Headers;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>Where a provider over HTTP is and how it is called.</summary>
internal sealed record HttpProviderSettings(Uri Url)
{
    /// <summary>The name that payments choose it by.</summary>
    public string Name { get; init; } = ProviderSettings.GatewayName;

    /// <summary>Connections that share the calls, each with thousands of streams. Default 4.</summary>
    public int Connections { get; init; } = 4;

    /// <summary>How long a call may take, in milliseconds, before its outcome is Unknown. Default 30,000.</summary>
    public int CallTimeoutMs { get; init; } = ProviderSettings.CallTimeoutMsDefault;

    /// <summary>How long connecting may take, in milliseconds, before a call is NotReached. Default 5,000.</summary>
    public int ConnectTimeoutMs { get; init; } = 5_000;
}

/// <summary>
/// The client of a provider in its own process: HTTP/2 with prior knowledge, few connections with many streams. What
/// counts as which verdict, in this order:
/// <list type="bullet">
/// <item>the caller cancels: OperationCanceledException</item>
/// <item>no connection: NotReached <c>not_connected</c></item>
/// <item>time-out, broken connection or answer: Unknown <c>timed_out</c>, <c>broken_answer</c></item>
/// <item>200: Approved or Declined with the provider's reason</item>
/// <item>400, 422: Declined <c>rejected</c>, because the same request can only be rejected again</item>
/// <item>408, 409, 5xx but 503: Unknown; 503 and other 4xx: NotReached; each with <c>http_NNN</c></item>
/// </list>
/// </summary>
internal sealed class HttpProvider : IPaymentProvider, IDisposable
{
    private const int AnswerBytesMax = 8_192;
    private const string TimedOut = "timed_out";

    private readonly HttpProviderSettings _settings;
    private readonly TimeProvider _time;
    private readonly Uri _charges;
    private readonly HttpMessageInvoker[] _lanes;
    private uint _next;

    /// <summary>A client that connects with its first call. Dispose of it when no call is under way.</summary>
    public HttpProvider(HttpProviderSettings settings, TimeProvider time)
    {
        (_settings, _time) = (settings, time);
        _charges = new Uri(settings.Url, "/charges");
        // A handler per connection: one handler alone would open the second connection only when the first is full.
        _lanes = [.. Enumerable.Range(0, settings.Connections).Select(_ => new HttpMessageInvoker(Handler(settings)))];
    }

    /// <inheritdoc/>
    public string Name => _settings.Name;

    /// <inheritdoc/>
    public Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel)
    {
        var content = new ReadOnlyMemoryContent(ProviderJson.WriteCall(call));
        content.Headers.ContentType = Json;
        var request = Request(HttpMethod.Post, _charges);
        request.Content = content;
        return AskAsync(request, VerdictOfCall, cancel);
    }

    /// <inheritdoc/>
    public Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel) =>
        AskAsync(Request(HttpMethod.Get, new Uri(_charges, $"/charges/{callId:D}")), VerdictOfQuestion, cancel);

    /// <summary>Closes the connections.</summary>
    public void Dispose()
    {
        foreach (var lane in _lanes)
        {
            lane.Dispose();
        }
    }

    private static MediaTypeHeaderValue Json { get; } = new("application/json");

    private static SocketsHttpHandler Handler(HttpProviderSettings settings) => new()
    {
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromMilliseconds(settings.ConnectTimeoutMs),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        // A silent peer is noticed although calls may rightly take long.
        KeepAlivePingDelay = TimeSpan.FromSeconds(15),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        InitialHttp2StreamWindowSize = 65_535,
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
    };

    private static HttpRequestMessage Request(HttpMethod method, Uri uri) => new(method, uri)
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private async Task<ProviderAnswer> AskAsync(
        HttpRequestMessage request,
        Func<int, ReadOnlyMemory<byte>, ProviderAnswer> verdictOf,
        CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(
            TimeSpan.FromMilliseconds(_settings.CallTimeoutMs), _time);
        using var registration = cancel.UnsafeRegister(
            static source => ((CancellationTokenSource)source!).Cancel(), timeout);
        var buffer = ArrayPool<byte>.Shared.Rent(AnswerBytesMax);
        try
        {
            using (request)
            {
                var lane = _lanes[Interlocked.Increment(ref _next) % (uint)_lanes.Length];
                using var response = await lane.SendAsync(request, timeout.Token);
                var length = await ReadBodyAsync(response, buffer, timeout.Token);
                return verdictOf((int)response.StatusCode, buffer.AsMemory(0, length));
            }
        }
        catch (HttpRequestException refused)
        {
            return VerdictOfFailure(refused);
        }
        catch (IOException)
        {
            return Unknown("broken_answer");
        }
        catch (OperationCanceledException late) when (!cancel.IsCancellationRequested)
        {
            // Without our time-out it was the connect time-out: nothing had been sent.
            return timeout.IsCancellationRequested || late.InnerException is not TimeoutException
                ? Unknown(TimedOut)
                : NotReached("not_connected");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async ValueTask<int> ReadBodyAsync(HttpResponseMessage response, byte[] into, CancellationToken cancel)
    {
        using var body = await response.Content.ReadAsStreamAsync(cancel);
        var length = 0;
        while (length < AnswerBytesMax)
        {
            var read = await body.ReadAsync(into.AsMemory(length, AnswerBytesMax - length), cancel);
            if (read == 0)
            {
                break;
            }

            length += read;
        }

        return length;
    }

    private static ProviderAnswer VerdictOfFailure(HttpRequestException failure) => failure.HttpRequestError switch
    {
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            or HttpRequestError.SecureConnectionError => NotReached("not_connected"),
        _ => Unknown("broken_answer"),
    };

    private static ProviderAnswer VerdictOfCall(int status, ReadOnlyMemory<byte> body) => status switch
    {
        200 => ProviderJson.ReadAnswer(body.Span),
        400 or 422 => new ProviderAnswer(ProviderVerdict.Declined, "rejected"),
        409 when ProviderJson.ReadCode(body.Span) == ProviderBook.IdReused => Unknown(ProviderBook.IdReused),
        408 or 409 => Unknown($"http_{status}"),
        503 or (> 400 and < 500) => NotReached($"http_{status}"),
        _ => Unknown($"http_{status}"),
    };

    // Only the provider's own word means "never seen"; a 404 of some proxy or a wrong address does not.
    private static ProviderAnswer VerdictOfQuestion(int status, ReadOnlyMemory<byte> body) => status switch
    {
        200 => ProviderJson.ReadAnswer(body.Span),
        404 when ProviderJson.ReadCode(body.Span) == ProviderBook.NeverSeen => NotReached(ProviderBook.NeverSeen),
        _ => Unknown($"http_{status}"),
    };

    private static ProviderAnswer NotReached(string reason) => new(ProviderVerdict.NotReached, reason);

    private static ProviderAnswer Unknown(string reason) => new(ProviderVerdict.Unknown, reason);
}
