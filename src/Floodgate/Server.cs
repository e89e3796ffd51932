using System.Net.Sockets;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Checkout.Admission;
using Floodgate.Access.RateLimits;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Supervision;
using Microsoft.AspNetCore.Connections;

namespace Floodgate;

/// <summary>The program as a server: its modules on a bare Kestrel.</summary>
internal static class Server
{
    private const string SimulatedWarning =
        "WARNING: the gateway is simulated and moves no money; set Providers:Gateway to http for a real one.";

    /// <summary>Builds the server; nothing is opened yet.</summary>
    public static WebApplication Build(Settings settings, TimeProvider time, Stream log)
    {
        // The empty builder, because the others read appsettings.json and ASPNETCORE_ variables behind our back.
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.Server.BodyBytesMax;
            kestrel.Limits.MaxRequestHeadersTotalSize = settings.Server.HeaderBytesMax;
            kestrel.Limits.MaxRequestHeaderCount = settings.Server.HeadersMax;
            kestrel.Limits.RequestHeadersTimeout = settings.Server.HeaderTimeout;
            kestrel.Limits.KeepAliveTimeout = settings.Server.KeepAliveTimeout;
            kestrel.Limits.MaxConcurrentConnections = settings.Server.ConnectionsMax;
        });
        builder.Logging.SetMinimumLevel(settings.Supervision.LogLevelMin);
        builder.Logging.AddProvider(new ConsoleLog(settings.Supervision, time, log));
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = settings.Server.StopTimeout);
        builder.Services.Configure<ConsoleLifetimeOptions>(options => options.SuppressStatusMessages = true);
        Roles.Add(builder.Services, settings, time);

        var app = builder.Build();
        app.Use(next => new RequestEdge(
            next, time, app.Services.GetRequiredService<ILogger<RequestEdge>>()).InvokeAsync);
        app.UseRouting();
        var routes = new Routes(
            app,
            app.Services.GetRequiredService<ApiKeys>(),
            app.Services.GetRequiredService<SessionBook>(),
            app.Services.GetRequiredService<RateLimitHttp>(),
            settings.Server.IsDemo);
        Roles.Map(routes, app.Services, settings.Server.Role);
        foreach (var url in settings.Server.Urls)
        {
            app.Urls.Add(url);
        }

        return app;
    }

    /// <summary>Brings the schema up to date and starts to serve.</summary>
    /// <exception cref="StartException">What is in the way, as one line that names the setting.</exception>
    /// <exception cref="DatabaseUnavailableException">The database cannot be reached.</exception>
    public static async Task StartAsync(WebApplication app, Settings settings, CancellationToken cancel)
    {
        var urls = string.Join(';', settings.Server.Urls);
        try
        {
            if (!await LogModule.TryOwnAsync(app.Services, cancel))
            {
                throw new StartException(TakenMessage(settings));
            }

            await app.Services.GetRequiredService<Database>().MigrateAsync(Roles.Migrations, cancel);
            if (await CoordinationModule.JoinAsync(app.Services, cancel) is { } fault)
            {
                throw new StartException(fault);
            }

            await IdentityModule.StartAsync(app.Services, cancel);
            await LogModule.StartAsync(app.Services, cancel);
            await AccessModule.StartAsync(app.Services, cancel);
            await AdmissionModule.StartAsync(app.Services, cancel);
            await RateLimitsModule.StartAsync(app.Services, cancel);
            if (settings.Server.Role != "api")
            {
                ChargesModule.Start(app.Services);
            }

            await app.StartAsync(cancel);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            throw new StartException($"Server:Urls is {urls}, where another program listens. " +
                "Stop it, or choose another address with --urls.");
        }
        catch (Exception e) when (e is SocketException || e.InnerException is SocketException)
        {
            throw new StartException($"Server:Urls is {urls}, which this machine cannot " +
                $"listen on ({e.Message}). Choose another address with --urls.");
        }
    }

    /// <summary>What a person sees when another process does this one's work.</summary>
    public static string TakenMessage(Settings settings) => settings.Database.IsPostgreSql
        ? "Database:ConnectionString names a database whose payments another Floodgate process carries out. Stop " +
            "that one, or start this one with --role api: any number of those may run beside it."
        : $"Database:Directory is {settings.Database.Directory}, where another Floodgate process is at work. Stop " +
            "that one, or choose another folder with --data.";

    /// <summary>
    /// What a person sees when the server is ready: where, what it serves if that is not all, whether the money is
    /// only simulated, and in demo mode something to paste that this process answers.
    /// </summary>
    public static string ReadyMessage(Settings settings, IEnumerable<string> urls)
    {
        var url = urls.First();
        var storage = settings.Database.IsPostgreSql
            ? "PostgreSQL"
            : $"embedded: SQLite in {settings.Database.Directory}";
        var role = settings.Server.Role == "all" ? "" : $", role {settings.Server.Role}";
        var demo = settings.Server.IsDemo ? $", demo keys {ApiKeys.DemoMerchantKey} and {ApiKeys.DemoAdminKey}" : "";
        string?[] lines =
        [
            $"Floodgate is ready at {string.Join(" and ", urls)} ({storage}{role}{demo})",
            settings.Server.Role == "worker" ? "It serves /health, /metrics and /v1/ops, and takes no payments." : null,
            settings.Server.IsDemo ? "Demo mode takes these public keys: never use it for real money. Try:" : null,
            settings.Server.IsDemo ? Example(settings, url) : null,
            IsSimulated(settings) ? SimulatedWarning : null,
        ];
        return string.Join(Environment.NewLine, lines.Where(line => line is not null));
    }

    // In demo mode everybody knows, and a process without the worker asks no gateway.
    private static bool IsSimulated(Settings settings) => settings is
    {
        Server: { IsDemo: false, Role: not "api" }, Charges.Providers.Gateway: GatewayKind.Simulated,
    };

    private static string Example(Settings settings, string url) => settings.Server.Role == "worker"
        ? $"""

              curl {url}/v1/ops/lag -H 'Authorization: Bearer {ApiKeys.DemoAdminKey}'

            """
        : $$"""

              curl -i {{url}}/v1/payments -H 'Authorization: Bearer {{ApiKeys.DemoMerchantKey}}' \
                -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' -H 'Prefer: wait=5' \
                -d '{"amount":{"amount":15000,"currency":"KRW"},"userId":"u-1","orderId":"o-1"}'

            """;
}

/// <summary>The server cannot start; the message is for a person and names the setting.</summary>
internal sealed class StartException(string message) : Exception(message);
