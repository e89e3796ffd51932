using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Floodgate.Tests.Load;

/// <summary>A way in which a server breaks its word for one payment.</summary>
public enum FakeFault
{
    None,
    LosesIt,
    ListsItTwice,
    MakesItTwice,
    AnswersWithAnotherId,
    ListsAnotherAmount,
    ListsAnotherCurrency,
    NeverFinishesIt,
    ChargesItTwice,
    ChargesNothing,
    ChargesAnotherAmount,
    ChargesAFailedOne,
    ChargesAnAuthorizedOne,
    ChargesAnUnknownOne,
    RefundsTooMuch,
    ProviderRefundsTooMuch,
    RefusesButKeepsIt,
    FailsAndMakesItTwice,
    BreaksItsInvariants,
    HangsUpAfterwards,
}

/// <summary>
/// A tiny server with the part of the HTTP contract that the load tool uses, over real HTTP. It keeps every promise
/// except one: to payment number 7 it does what <see cref="FakeFault"/> says.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private const int Victim = 7;
    private readonly Lock gate = new();
    private readonly FakeFault fault;
    private readonly WebApplication app;
    private readonly List<JsonObject> payments = [];
    private readonly List<JsonObject> statement = [];
    private readonly List<JsonObject> backlog = [];
    private JsonObject faults = new() { ["latencyMs"] = 200, ["outage"] = false, ["knobOfTomorrow"] = 7 };
    private bool paused;
    private int posted;
    private int ids;

    private FakeServer(FakeFault fault)
    {
        this.fault = fault;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        app = builder.Build();
        Map();
    }

    /// <summary>Where it listens.</summary>
    public string Url => app.Urls.First();

    /// <summary>The fault knobs as they were last set.</summary>
    public JsonObject Faults => faults;

    /// <summary>True between pause and resume.</summary>
    public bool Paused => paused;

    /// <summary>The most payments that waited at once.</summary>
    public int BacklogMost { get; private set; }

    /// <summary>Every value that the outage knob was set to, in order.</summary>
    public List<bool> Outages { get; } = [];

    /// <summary>The bearer tokens of the payments, in order of arrival.</summary>
    public List<string> PayingKeys { get; } = [];

    public static async Task<FakeServer> StartAsync(FakeFault fault = FakeFault.None)
    {
        var server = new FakeServer(fault);
        await server.app.StartAsync();
        return server;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private static IResult Json(string json, int status = 200) => Results.Text(json, "application/json", null, status);

    private void Map()
    {
        app.MapGet("/health/ready", () => Json("{}"));
        app.MapGet("/metrics", () => string.Create(
            CultureInfo.InvariantCulture,
            $"# HELP x y\nprocess_cpu_seconds_total {Environment.CpuUsage.TotalTime.TotalSeconds}\n"
                + $"process_resident_memory_bytes {Environment.WorkingSet}\n"));
        app.MapPost("/v1/ops/no-op", () => Json("{}", 202));
        app.MapPost("/v1/payments", Pay);
        app.MapPost("/v1/merchants", () =>
            Json("{\"merchantId\":\"m\",\"name\":\"n\",\"key\":\"key-" + NextId() + "\"}", 201));
        app.MapGet("/v1/payments", (int limit, string? starting_after) => Page(payments, limit, starting_after));
        app.MapGet("/v1/ops/provider/statement", (int limit, string? starting_after) =>
            Page(statement, limit, starting_after));
        app.MapGet("/v1/sales", (int limit, string? starting_after) => Page([], limit, starting_after));
        app.MapGet("/v1/orders", (int limit, string? starting_after) => Page([], limit, starting_after));
        app.MapGet("/v1/ops/lag", () => Json(Lag()));
        app.MapPost("/v1/ops/processing/pause", () => SetPaused(true));
        app.MapPost("/v1/ops/processing/resume", () => SetPaused(false));
        app.MapGet("/v1/ops/invariants", () => Json(fault == FakeFault.BreaksItsInvariants
            ? """{"holds":false,"checks":[{"name":"debits_equal_credits","holds":false,"detail":"off by 1"}]}"""
            : """{"holds":true,"checks":[{"name":"debits_equal_credits","holds":true,"detail":""}]}"""));
        app.MapGet("/v1/ops/breakers", () => Json("{\"breakers\":[{\"provider\":\"simulated\",\"state\":\""
            + (faults["outage"]!.GetValue<bool>() ? "OPEN" : "CLOSED") + "\",\"openedCount\":1}]}"));
        app.MapGet("/v1/ops/provider/faults", () => Json(faults.ToJsonString()));
        app.MapPut("/v1/ops/provider/faults", async (HttpRequest request) =>
        {
            faults = (JsonObject)(await JsonNode.ParseAsync(request.Body))!;
            Outages.Add(faults["outage"]!.GetValue<bool>());
            return Json(faults.ToJsonString());
        });
    }

    private async Task<IResult> Pay(HttpRequest request)
    {
        var body = (JsonObject)(await JsonNode.ParseAsync(request.Body))!;
        lock (gate)
        {
            PayingKeys.Add(request.Headers.Authorization.ToString()["Bearer ".Length..]);
            var mine = ++posted == Victim ? fault : FakeFault.None;
            var payment = Accept(body);
            Process(payment, mine);
            if (mine == FakeFault.HangsUpAfterwards)
            {
                request.HttpContext.Abort();
            }

            return mine switch
            {
                FakeFault.AnswersWithAnotherId => Json("{\"id\":\"" + payments[0]["id"] + "\"}", 202),
                FakeFault.RefusesButKeepsIt => Json("{\"code\":\"nothing_done\"}", 422),
                FakeFault.FailsAndMakesItTwice => Json("{\"code\":\"oops\"}", 500),
                _ => Json(payment.ToJsonString(), 202),
            };
        }
    }

    private JsonObject Accept(JsonObject body) => new()
    {
        ["id"] = NextId(),
        ["status"] = "REQUESTED",
        ["amount"] = body["amount"]!.DeepClone(),
        ["authorized"] = 0,
        ["captured"] = 0,
        ["refunded"] = 0,
        ["method"] = "GATEWAY",
        ["orderId"] = body["orderId"]!.DeepClone(),
    };

    private void Process(JsonObject payment, FakeFault mine)
    {
        if (mine == FakeFault.LosesIt)
        {
            return;
        }

        payments.Add(payment);
        if (paused)
        {
            backlog.Add(payment);
            BacklogMost = Math.Max(BacklogMost, backlog.Count);
        }
        else
        {
            Finish(payment, mine);
        }
    }

    private void Finish(JsonObject payment, FakeFault mine)
    {
        var amount = payment["amount"]!["amount"]!.GetValue<long>();
        payment["status"] = mine switch
        {
            FakeFault.NeverFinishesIt => "REQUESTED",
            FakeFault.ChargesAFailedOne => "FAILED",
            FakeFault.ChargesAnAuthorizedOne => "AUTHORIZED",
            _ => "CAPTURED",
        };
        payment["authorized"] = amount;
        payment["captured"] = payment["status"]!.GetValue<string>() == "CAPTURED" ? amount : 0;
        if (mine != FakeFault.ChargesNothing)
        {
            Record(payment, "CHARGE", amount + (mine == FakeFault.ChargesAnotherAmount ? 1 : 0));
        }

        switch (mine)
        {
            case FakeFault.ListsItTwice:
                payments.Add((JsonObject)payment.DeepClone());
                break;
            case FakeFault.MakesItTwice or FakeFault.FailsAndMakesItTwice:
                var second = (JsonObject)payment.DeepClone();
                second["id"] = NextId();
                payments.Add(second);
                Record(second, "CHARGE", amount);
                break;
            case FakeFault.ListsAnotherAmount:
                payment["amount"]!["amount"] = amount + 1;
                break;
            case FakeFault.ListsAnotherCurrency:
                payment["amount"]!["currency"] = "JPY";
                break;
            case FakeFault.ChargesItTwice:
                Record(payment, "CHARGE", amount);
                break;
            case FakeFault.ChargesAnUnknownOne:
                Record(new JsonObject { ["id"] = NextId() }, "CHARGE", amount);
                break;
            case FakeFault.RefundsTooMuch:
                payment["refunded"] = amount + 1;
                break;
            case FakeFault.ProviderRefundsTooMuch:
                Record(payment, "REFUND", amount);
                Record(payment, "REFUND", 1);
                break;
        }
    }

    private void Record(JsonObject payment, string kind, long amount) => statement.Add(new JsonObject
    {
        ["id"] = NextId(),
        ["paymentId"] = payment["id"]!.DeepClone(),
        ["kind"] = kind,
        ["amount"] = new JsonObject { ["amount"] = amount, ["currency"] = "KRW" },
        ["status"] = "APPROVED",
        ["at"] = "2026-01-01T00:00:00.000Z",
    });

    private IResult SetPaused(bool value)
    {
        lock (gate)
        {
            paused = value;
            if (!paused)
            {
                backlog.ForEach(payment => Finish(payment, FakeFault.None));
                backlog.Clear();
            }

            return Json("{}");
        }
    }

    private string Lag()
    {
        lock (gate)
        {
            return "{\"lag\":" + backlog.Count + ",\"due\":0,\"inFlight\":0,\"inFlightMax\":1000,\"paused\":false}";
        }
    }

    private IResult Page(List<JsonObject> all, int limit, string? after)
    {
        lock (gate)
        {
            // Twins share an id, so a page continues after the last of them.
            var start = after is null ? 0 : all.FindLastIndex(item => item["id"]!.GetValue<string>() == after) + 1;
            var data = new JsonArray([.. all.Skip(start).Take(limit).Select(item => item.DeepClone())]);
            var page = new JsonObject { ["data"] = data, ["has_more"] = start + limit < all.Count };
            return Json(page.ToJsonString());
        }
    }

    private string NextId() =>
        new Guid(Interlocked.Increment(ref ids), 0, 0x7000, new byte[8]).ToString("D", CultureInfo.InvariantCulture);
}
