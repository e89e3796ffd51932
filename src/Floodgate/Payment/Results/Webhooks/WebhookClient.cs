using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// Calls endpoints. Signs with every secret in force, waits for a status no longer than the time-out, follows no
/// redirect, sends no cookie, uses no proxy, and reads at most a few kilobytes of what comes back. Where a call goes is
/// decided by the address that it connects to.
/// </summary>
internal sealed class WebhookClient : IDisposable
{
    private const int AnswerBytesMax = 4_096;
    private const int HeaderKilobytesMax = 16;

    // A name is looked up again after so long, also by connections that are kept.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(1);

    private readonly WebhooksSettings settings;
    private readonly TimeProvider time;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly HttpClient http;

    public WebhookClient(WebhooksSettings settings, TimeProvider time)
        : this(settings, time, Dns.GetHostAddressesAsync)
    {
    }

    internal WebhookClient(
        WebhooksSettings settings, TimeProvider time, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
    {
        this.settings = settings;
        this.time = time;
        this.resolve = resolve;
        http = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectCallback = ConnectAsync,
            PooledConnectionLifetime = ConnectionLifetime,
            MaxResponseHeadersLength = HeaderKilobytesMax,
            MaxResponseDrainSize = AnswerBytesMax,
            ResponseDrainTimeout = DrainTimeout,
            ActivityHeadersPropagator = null,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Makes one call. Every failure is a result; only a stop is thrown.</summary>
    /// <exception cref="OperationCanceledException">The stop.</exception>
    public async Task<PostResult> PostAsync(WebhookCall call, CancellationToken stop)
    {
        var startedAt = Stopwatch.GetTimestamp();
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(settings.TimeoutMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        PostResult result;
        try
        {
            using var request = RequestOf(call);
            using var response = await http.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            // Disposed unread: the handler drains what is small, and closes the connection on what is not.
            result = new((int)response.StatusCode, null, RetryAfterOf(response.Headers.RetryAfter));
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            result = new(null, PostFault.TimedOut);
        }
        catch (HttpRequestException error)
        {
            result = new(null, FaultOf(error));
        }

        WebhooksLog.CountCall(result, Stopwatch.GetElapsedTime(startedAt));
        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private HttpRequestMessage RequestOf(WebhookCall call)
    {
        var now = UtcInstant.Now(time);
        var (id, timestamp) = (call.Delivery.MessageId.ToString(), now.Ms / 1_000);
        var body = Encoding.UTF8.GetBytes(call.Delivery.Payload);
        var request = new HttpRequestMessage(HttpMethod.Post, call.Url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.ParseAdd("Floodgate");
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", WebhookSignature.Of(call.SecretsAt(now), id, timestamp, body));
        return request;
    }

    /// <summary>
    /// Connects to the first of the name's addresses that may be called and answers. The check is made on what is
    /// connected to, so a name that means something else at its next look-up gains nothing.
    /// </summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = await resolve(host, cancel);
        var allowed = settings.AllowPrivateAddresses
            ? addresses
            : Array.FindAll(addresses, WebhookAddresses.IsPublic);
        if (allowed.Length == 0 || !settings.AllowsPort(port))
        {
            throw new AddressRefusedException();
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private TimeSpan? RetryAfterOf(RetryConditionHeaderValue? header) =>
        header?.Delta ?? (header?.Date is { } date ? date - time.GetUtcNow() : null);

    private static string FaultOf(HttpRequestException error) => error switch
    {
        { InnerException: AddressRefusedException } => PostFault.AddressRefused,
        { HttpRequestError: HttpRequestError.NameResolutionError } => PostFault.NotResolved,
        { InnerException: SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain
            or SocketError.NoData } } => PostFault.NotResolved,
        { HttpRequestError: HttpRequestError.ConnectionError } => PostFault.NotConnected,
        { HttpRequestError: HttpRequestError.SecureConnectionError } => PostFault.TlsFailed,
        _ => PostFault.BrokenOff,
    };

    /// <summary>The name means no address that may be called, or the port may not.</summary>
    private sealed class AddressRefusedException() : Exception("The address may not be called.");
}
