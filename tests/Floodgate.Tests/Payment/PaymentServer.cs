using System.Text;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

/// <summary>
/// The real server in this process, called over HTTP, on an empty database. The simulated provider answers at once
/// unless told, keeps its memory over a restart, and its breaker tries again after a tenth of a second.
/// </summary>
internal sealed class PaymentServer : IAsyncDisposable
{
    private readonly string directory;
    private readonly Dictionary<string, string> values;
    private WebApplication app;
    private HttpClient client;
    private int merchants;

    private PaymentServer(
        string directory, Dictionary<string, string> values, ShiftedTime clock, WebApplication app)
    {
        (this.directory, this.values, Clock, this.app) = (directory, values, clock, app);
        client = ClientOf(app);
    }

    /// <summary>The operator.</summary>
    public Shop Operator => new(client, ApiKeys.DemoAdminKey, "");

    /// <summary>Somebody with a key that is not known.</summary>
    public Shop Nobody => new(client, "fg_live_unknown", "");

    /// <summary>The clock of the server: the real one until a test sets it on.</summary>
    public ShiftedTime Clock { get; }

    public Uri Address => client.BaseAddress!;

    public IServiceProvider Services => app.Services;

    /// <summary>
    /// Starts one; settings such as <c>Orders:SweepMs=20</c> go over those of all tests.
    /// </summary>
    public static async Task<PaymentServer> StartAsync(
        Stored stored, PostgreSqlServer postgreSql, params string[] settings)
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
        Directory.CreateDirectory(directory);
        var values = new Dictionary<string, string>
        {
            ["Server:Urls"] = "http://127.0.0.1:0",
            ["Server:Demo"] = "true",
            ["Server:StopTimeoutMs"] = "2000",
            ["Log:StopWithinMs"] = "200",
            ["Log:FetchLingerMs"] = "0",
            ["Log:PollMs"] = "200",
            ["Charges:RetryDelayMsFirst"] = "10",
            ["Charges:RetryDelayMsMax"] = "50",
            ["Providers:Simulated:LatencyMs"] = "0",
            ["Providers:Simulated:Journal"] = Path.Combine(directory, "provider.journal"),
            ["Providers:CallTimeoutMs"] = "100",
            ["Providers:Breaker:OpenMs"] = "100",
            ["Database:Directory"] = directory,
        };
        if (stored == Stored.InPostgreSql)
        {
            values["Database:ConnectionString"] = await postgreSql.CreateDatabaseAsync();
        }

        foreach (var setting in settings)
        {
            var parts = setting.Split('=', 2);
            values[parts[0]] = parts[1];
        }

        var clock = new ShiftedTime();
        return new(directory, values, clock, await RunAsync(values, clock));
    }

    /// <summary>Stops it in the middle of its work and starts another on what is stored.</summary>
    public async Task RestartAsync(params string[] settings)
    {
        await StopAsync();
        foreach (var setting in settings)
        {
            var parts = setting.Split('=', 2);
            values[parts[0]] = parts[1];
        }

        app = await RunAsync(values, Clock);
        client = ClientOf(app);
    }

    /// <summary>A new merchant with nothing.</summary>
    public async Task<Shop> OpenShopAsync()
    {
        var number = Interlocked.Increment(ref merchants);
        var made = await Operator.SendAsync(
            "POST", "/v1/merchants", $$"""{"name":"Shop {{number}}"}""", $"Idempotency-Key: shop-{number}");
        return new(client, made.Expect(201).Of("key"), made.Of("merchantId"));
    }

    /// <summary>The shop as a client of the server that runs now.</summary>
    public Shop Again(Shop shop) => shop.With(client);

    /// <summary>Sets the provider's faults, such as <c>"outage":true</c>; none without.</summary>
    public async Task SetFaultsAsync(string faults = "") =>
        (await Operator.SendAsync("PUT", "/v1/ops/provider/faults", $"{{{faults}}}")).Expect(200);

    /// <summary>Waits until everything accepted is final.</summary>
    public Task DrainedAsync()
    {
        var last = "";
        return Eventually.HoldsAsync(
            async () =>
            {
                var lag = (await Operator.GetAsync("/v1/ops/lag")).Expect(200);
                last = lag.Text;
                return lag.Number("lag") + lag.Number("due") == 0;
            },
            () => $"all is final: {last}");
    }

    /// <summary>Waits for a condition with the common deadline.</summary>
    public static Task EventuallyAsync(string what, Func<Task<bool>> holds) =>
        Eventually.HoldsAsync(holds, () => what);

    /// <summary>The approved lines of the provider's statement about a payment, such as <c>CHARGE 100</c>.</summary>
    public async Task<List<string>> StatementOfAsync(string paymentId) =>
    [
        .. (await Operator.AllAsync("/v1/ops/provider/statement"))
            .Where(line => line.GetProperty("paymentId").GetString() == paymentId)
            .Where(line => line.GetProperty("status").GetString() == "APPROVED")
            .Select(line => $"{line.GetProperty("kind").GetString()} " +
                $"{line.GetProperty("amount").GetProperty("amount").GetInt64()}"),
    ];

    /// <summary>The names of the invariants that do not hold, with their details.</summary>
    public async Task<List<string>> BrokenAsync()
    {
        var answer = (await Operator.GetAsync("/v1/ops/invariants")).Expect(200).Json;
        var broken = answer.GetProperty("checks").EnumerateArray()
            .Where(check => !check.GetProperty("holds").GetBoolean())
            .Select(check => $"{check.GetProperty("name").GetString()}: {check.GetProperty("detail").GetString()}")
            .ToList();
        Assert.Equal(broken.Count == 0, answer.GetProperty("holds").GetBoolean());
        return broken;
    }

    public async Task<JsonElement> BreakerAsync() =>
        (await Operator.GetAsync("/v1/ops/breakers")).Expect(200).Json.GetProperty("breakers").EnumerateArray()
            .Single(breaker => breaker.GetProperty("provider").GetString() == "GATEWAY");

    /// <summary>Changes rows behind the server's back; the statement ends in <c>returning 1</c>.</summary>
    public async Task TamperAsync(string sql) => Assert.NotEmpty(await Services.GetRequiredService<Database>()
        .WriteAsync(tx => tx.QueryAsync(new Statement(sql), Rows.None, _ => 0)));

    /// <summary>An id as the database's SQL writes it.</summary>
    public string Literal(string id) => values.ContainsKey("Database:ConnectionString")
        ? $"'{id}'"
        : $"x'{Convert.ToHexString(Guid.Parse(id).ToByteArray(bigEndian: true))}'";

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(directory, recursive: true);
    }

    private async Task StopAsync()
    {
        client.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static async Task<WebApplication> RunAsync(Dictionary<string, string> values, TimeProvider clock)
    {
        var settings = Settings.Read(new([SettingsLayer.Of("test", values)]));
        var app = Server.Build(settings, clock, Stream.Null);
        await Server.StartAsync(app, settings, CancellationToken.None);
        return app;
    }

    private static HttpClient ClientOf(WebApplication app) =>
        new(new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 })
        {
            BaseAddress = new(app.Urls.Single()),
            Timeout = Eventually.Deadline * 2,
        };
}
