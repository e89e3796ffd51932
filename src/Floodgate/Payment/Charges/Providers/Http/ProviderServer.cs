using System.Buffers;
using System.Net;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Floodgate.Payment.Charges.Providers.Http;

/// <summary>How <c>floodgate provider</c> is started.</summary>
internal sealed record ProviderServerOptions
{
    /// <summary>The one address, such as http://127.0.0.1:8090; port 0 takes any free ones.</summary>
    public string Url { get; init; } = "http://127.0.0.1:8090";

    /// <summary>The file that keeps the provider's memory over a restart; null forgets it.</summary>
    public string? JournalPath { get; init; }

    /// <summary>The faults at start.</summary>
    public ProviderFaults Faults { get; init; } = new();

    /// <summary>Which ids are declined by chance.</summary>
    public ulong DeclineSeed { get; init; }

    /// <summary>How long a call without answer is kept before its stream is cut, in milliseconds.</summary>
    public int SilenceMs { get; init; } = 60_000;
}

/// <summary>
/// A payment provider as a process of its own. Speaks HTTP/1.1 and HTTP/2 with prior knowledge on its address, and
/// HTTP/2 alone on the port behind it, for clients that want no guessing. The server has no option for both without
/// TLS, so the first bytes of a connection decide.
/// </summary>
internal sealed class ProviderServer : IAsyncDisposable
{
    private const int StreamsPerConnectionMax = 50_000;

    private readonly WebApplication app;

    private ProviderServer(WebApplication app, SimulatedProvider provider)
    {
        (this.app, Provider) = (app, provider);
        // In the order of listening: HTTP/2 alone first.
        var addresses = app.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()?.Addresses.ToArray() ?? [];
        Invariant.Check(addresses.Length == 2, "a server that listens on two ports names two addresses");
        Http2Url = new Uri(addresses[0]);
        Url = new Uri(addresses[1]);
    }

    /// <summary>The address for HTTP/1.1 and HTTP/2.</summary>
    public Uri Url { get; }

    /// <summary>The address for HTTP/2 only.</summary>
    public Uri Http2Url { get; }

    /// <summary>What answers the calls.</summary>
    public SimulatedProvider Provider { get; }

    /// <summary>
    /// Runs a provider until stopped. 0 after a stop; 1 with a message on standard error when it cannot start: a wrong
    /// address, a port in use, a journal that is none or is open elsewhere.
    /// </summary>
    public static async Task<int> RunAsync(ProviderServerOptions options, CancellationToken stop)
    {
        ProviderServer server;
        try
        {
            server = await StartAsync(options, TimeProvider.System);
        }
        // The edge of the process: what the person who starts it can put right is told, everything else is a bug.
        catch (Exception reason) when (
            reason is IOException or ArgumentException or FormatException
                or InvalidDataException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"The provider cannot start: {reason.Message}");
            return 1;
        }

        await using (server)
        {
            Console.WriteLine($"Provider on {server.Url} (HTTP/1.1 and HTTP/2) and {server.Http2Url} (HTTP/2 only), " +
                $"{server.Provider.Book.Count} calls in its book.");
            await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        }
    }

    /// <summary>A provider that listens. Throws what <see cref="RunAsync"/> turns into exit code 1.</summary>
    public static async Task<ProviderServer> StartAsync(ProviderServerOptions options, TimeProvider time)
    {
        var endpoint = EndpointOf(options.Url);
        var journal = options.JournalPath is { } path ? new ProviderJournal(path) : null;
        ProviderServer? server = null;
        try
        {
            var settings = new SimulationSettings
            {
                CallTimeoutMs = options.SilenceMs,
                DeclineSeed = options.DeclineSeed,
                Faults = options.Faults,
            };
            // tidy: chance: this process is its own root, where chance is injected from.
            var provider = new SimulatedProvider(new ProviderBook(time, journal), settings, time, Random.Shared);
            var app = Build(endpoint, new ProviderHttp(provider));
            await app.StartAsync();
            server = new ProviderServer(app, provider);
            return server;
        }
        finally
        {
            if (server is null)
            {
                journal?.Dispose();
            }
        }
    }

    /// <summary>Stops listening, cuts what is under way after a moment and closes the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        Provider.Book.Dispose();
    }

    private static IPEndPoint EndpointOf(string url)
    {
        var address = BindingAddress.Parse(url);
        if (address.Scheme != "http" || address.PathBase.Length > 0 || address.IsUnixPipe || address.IsNamedPipe)
        {
            throw new ArgumentException($"--urls is '{url}'; it must be one address such as http://127.0.0.1:8090.");
        }

        var host = address.Host is "localhost" ? IPAddress.Loopback
            : address.Host is "*" or "+" ? IPAddress.Any
            : IPAddress.TryParse(address.Host, out var ip) ? ip
            : throw new ArgumentException($"--urls is '{url}'; its host must be an IP address, localhost or *.");
        return address.Port < IPEndPoint.MaxPort
            ? new IPEndPoint(host, address.Port)
            : throw new ArgumentException($"--urls is '{url}'; its port must be below 65535, to leave one behind it.");
    }

    private static WebApplication Build(IPEndPoint endpoint, ProviderHttp routes)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.Http2.MaxStreamsPerConnection = StreamsPerConnectionMax;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 8 * 1024 * 1024;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024;
            ListenOn(kestrel, endpoint);
        });
        var app = builder.Build();
        app.Run(routes.AnswerAsync);
        return app;
    }

    private static void ListenOn(KestrelServerOptions kestrel, IPEndPoint endpoint)
    {
        ConnectionDelegate? http2 = null;
        var behind = new IPEndPoint(endpoint.Address, endpoint.Port == 0 ? 0 : endpoint.Port + 1);
        kestrel.Listen(behind, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            // Listens first, so that this is set before the other address takes a connection.
            listen.Use(next => http2 = next);
        });
        kestrel.Listen(endpoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => async connection =>
                await (await StartsHttp2Async(connection) ? http2! : next)(connection));
        });
    }

    /// <summary>
    /// Whether the connection opens with the preface of HTTP/2 (RFC 9113 section 3.4); its first four bytes are no
    /// start of an HTTP/1.1 request. Consumes nothing. False when the connection ends before that.
    /// </summary>
    private static async Task<bool> StartsHttp2Async(ConnectionContext connection)
    {
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested;
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(closing ?? CancellationToken.None);
                var start = read.Buffer.Slice(0, Math.Min(4, read.Buffer.Length)).ToArray();
                var isDecided = read.IsCompleted || start.Length == 4 || !"PRI "u8.StartsWith(start);
                input.AdvanceTo(read.Buffer.Start, isDecided ? read.Buffer.Start : read.Buffer.End);
                if (isDecided)
                {
                    return "PRI "u8.SequenceEqual(start);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
