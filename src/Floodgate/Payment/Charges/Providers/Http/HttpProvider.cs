using System.Buffers;
using System.Net;
using System.Net.Http.Headers;

namespace Floodgate.Payment.Charges.Providers.Http;

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
/// counts as which verdict, in this order (40,000 calls in flight cost about 500 MB, mostly the framework's streams):
/// <list type="bullet">
/// <item>the caller cancels: OperationCanceledException</item>
/// <item>no connection, or no time left to send: NotReached <c>not_connected</c>, <c>not_sent</c></item>
/// <item>time-out, broken connection or answer: Unknown <c>timed_out</c>, <c>broken_answer</c></item>
/// <item>200: Approved or Declined with the provider's reason</item>
/// <item>400, 422: Declined <c>rejected</c>, because the same request can only be rejected again</item>
/// <item>408, 409, 5xx but 503: Unknown; 503 and other 4xx: NotReached; each with <c>http_NNN</c></item>
/// </list>
/// </summary>
internal sealed class HttpProvider : IPaymentProvider, IDisposable
{
    private const int AnswerBytesMax = 8_192;
    private const int LeavingMax = 256;
    private const string TimedOut = "timed_out";

    private readonly HttpProviderSettings settings;
    private readonly TimeProvider time;
    private readonly Uri charges;
    private readonly Lane[] lanes;
    private uint next;

    /// <summary>A client that connects with its first call. Dispose of it when no call is under way.</summary>
    public HttpProvider(HttpProviderSettings settings, TimeProvider time)
    {
        (this.settings, this.time) = (settings, time);
        charges = new Uri(settings.Url, "/charges");
        // A handler per connection: one handler alone would open the second connection only when the first is full.
        lanes = [.. Enumerable.Range(0, settings.Connections).Select(_ => new Lane(Handler(settings)))];
    }

    /// <inheritdoc/>
    public string Name => settings.Name;

    /// <inheritdoc/>
    public Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel)
    {
        var request = Request(HttpMethod.Post, charges);
        // The answer then fits in the headers: a body costs the framework 16 KB a response while a burst comes in.
        request.Headers.TryAddWithoutValidation("prefer", ProviderJson.ReturnMinimal);
        request.Content = new CallContent(ProviderJson.WriteCall(call));
        return AskAsync(request, VerdictOfCall, cancel);
    }

    /// <inheritdoc/>
    public async Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel)
    {
        var request = Request(HttpMethod.Get, new Uri(charges, $"/charges/{callId:D}"));
        var answer = await AskAsync(request, VerdictOfQuestion, cancel);
        // A question that did not get through says nothing about the call.
        return answer is { Verdict: ProviderVerdict.NotReached, Reason: not ProviderAnswer.NeverSeen }
            ? Unknown(answer.Reason ?? "not_connected")
            : answer;
    }

    /// <summary>A page of the provider's own record, as JSON; null when it does not answer with one.</summary>
    public async Task<byte[]?> ReadStatementAsync(Guid? after, int limit, CancellationToken cancel)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(settings.CallTimeoutMs);
        var from = after is { } id ? $"&starting_after={id:D}" : "";
        using var request = Request(HttpMethod.Get, new Uri(settings.Url, $"/statement?limit={limit}{from}"));
        try
        {
            using var response = await lanes[0].SendAsync(request, timeout.Token);
            return response is { StatusCode: HttpStatusCode.OK }
                ? await response.Content.ReadAsByteArrayAsync(timeout.Token)
                : null;
        }
        catch (Exception error) when (error is HttpRequestException or IOException
            || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose()
    {
        foreach (var lane in lanes)
        {
            lane.Dispose();
        }
    }

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
            TimeSpan.FromMilliseconds(settings.CallTimeoutMs), time);
        using var registration = cancel.UnsafeRegister(
            static source => ((CancellationTokenSource)source!).Cancel(), timeout);
        try
        {
            using (request)
            {
                var lane = lanes[Interlocked.Increment(ref next) % (uint)lanes.Length];
                using var response = await lane.SendAsync(request, timeout.Token);
                if (response is null)
                {
                    cancel.ThrowIfCancellationRequested();
                    return NotReached("not_sent");
                }

                if (response.Headers.NonValidated.TryGetValues(ProviderJson.StatusHeader, out var status)
                    && response.StatusCode == HttpStatusCode.OK)
                {
                    response.Headers.NonValidated.TryGetValues(ProviderJson.ReasonHeader, out var reason);
                    return ProviderJson.AnswerOf(status.ToString(), reason.Count == 0 ? null : reason.ToString());
                }

                return await ReadAnswerAsync(response, verdictOf, timeout.Token);
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
    }

    // The buffer is rented only now: 40,000 calls that wait must not hold one each.
    private static async ValueTask<ProviderAnswer> ReadAnswerAsync(
        HttpResponseMessage response,
        Func<int, ReadOnlyMemory<byte>, ProviderAnswer> verdictOf,
        CancellationToken cancel)
    {
        using var body = await response.Content.ReadAsStreamAsync(cancel);
        var buffer = ArrayPool<byte>.Shared.Rent(AnswerBytesMax);
        try
        {
            var length = await body.ReadAtLeastAsync(
                buffer.AsMemory(0, AnswerBytesMax), AnswerBytesMax, throwOnEndOfStream: false, cancel);
            return verdictOf((int)response.StatusCode, buffer.AsMemory(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
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
        409 when ProviderJson.ReadCode(body.Span) == ProviderAnswer.IdReused => Unknown(ProviderAnswer.IdReused),
        408 or 409 => Unknown($"http_{status}"),
        503 or (> 400 and < 500) => NotReached($"http_{status}"),
        _ => Unknown($"http_{status}"),
    };

    // Only the provider's own word means "never seen"; a 404 of some proxy or a wrong address does not.
    private static ProviderAnswer VerdictOfQuestion(int status, ReadOnlyMemory<byte> body) => status switch
    {
        200 => ProviderJson.ReadAnswer(body.Span),
        404 when ProviderJson.ReadCode(body.Span) == ProviderAnswer.NeverSeen => NotReached(ProviderAnswer.NeverSeen),
        _ => Unknown($"http_{status}"),
    };

    private static ProviderAnswer NotReached(string reason) => new(ProviderVerdict.NotReached, reason);

    private static ProviderAnswer Unknown(string reason) => new(ProviderVerdict.Unknown, reason);

    /// <summary>
    /// One connection. Lets only a few calls at a time be on their way out: each holds a buffer for its headers until
    /// they are written, and a burst of 40,000 would allocate as many instead of reusing a few.
    /// </summary>
    private sealed class Lane(SocketsHttpHandler handler) : IDisposable
    {
        private readonly HttpMessageInvoker invoker = new(handler);
        private readonly SemaphoreSlim leaving = new(LeavingMax);

        /// <summary>The response to the request; null when time was over before anything of it was sent.</summary>
        public async Task<HttpResponseMessage?> SendAsync(HttpRequestMessage request, CancellationToken cancel)
        {
            if (request.Content is not CallContent content)
            {
                return await invoker.SendAsync(request, cancel);
            }

            try
            {
                await leaving.WaitAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                return null;
            }

            try
            {
                content.Left = leaving;
                return await invoker.SendAsync(request, cancel);
            }
            finally
            {
                content.ReportLeft();
            }
        }

        public void Dispose()
        {
            invoker.Dispose();
            leaving.Dispose();
        }
    }

    private sealed class CallContent : HttpContent
    {
        private readonly ReadOnlyMemory<byte> body;
        private SemaphoreSlim? left;

        public CallContent(ReadOnlyMemory<byte> body)
        {
            this.body = body;
            Headers.ContentType = Json;
        }

        /// <summary>Released once, when the body has been written or the call is over.</summary>
        public SemaphoreSlim Left
        {
            set => left = value;
        }

        private static MediaTypeHeaderValue Json { get; } = new("application/json");

        public void ReportLeft() => Interlocked.Exchange(ref left, null)?.Release();

        protected override async Task SerializeToStreamAsync(
            Stream stream,
            TransportContext? context,
            CancellationToken cancel)
        {
            await stream.WriteAsync(body, cancel);
            ReportLeft();
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override bool TryComputeLength(out long length)
        {
            length = body.Length;
            return true;
        }
    }
}
