using System.Text.Json;
using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: a merchant that names an endpoint is told of its payments and its lines of orders, once for each id, signed,
// and of nobody else's. Method: through the front door on both databases; a real receiver.
public sealed class When_a_merchant_listens(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task It_is_told_what_became_of_its_payments(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var secret = (await CreateAsync(shop, receiver.Url)).Expect(201).Of("secret");
        (await other.PayAsync(5)).Expect(200);
        var paid = (await shop.PayAsync(100, "\"orderId\":\"o-1\"")).Expect(200).Id;
        (await shop.AskAsync("refund", paid, 40)).Expect(200);
        var authorized = (await shop.AuthorizeAsync(70)).Expect(200).Id;
        (await shop.AskAsync("void", authorized)).Expect(200);
        (await shop.PayAsync(9, "\"method\":\"WALLET\",\"userId\":\"poor\"")).Expect(200);

        var all = await receiver.TakenAsync(5);
        Assert.All(all, one => Assert.True(one.IsSignedBy(secret)));
        Assert.All(all, one => Assert.Equal(shop.MerchantId, one.Content.GetProperty("merchantId").GetString()));
        Assert.Equal(
            [
                $"payment.authorized {authorized}", $"payment.captured {paid}", $"payment.refunded {paid}",
                $"payment.voided {authorized}",
            ],
            all.Where(one => one.Type != "payment.failed")
                .Select(one => $"{one.Type} {one.Content.GetProperty("paymentId").GetString()}")
                .Order(StringComparer.Ordinal));
        var failed = Assert.Single(all, one => one.Type == "payment.failed");
        Assert.Equal("insufficient_funds", failed.Content.GetProperty("failReason").GetString());
        Assert.Equal(
            failed.Content.GetProperty("processedAt").GetString(), failed.Json.GetProperty("timestamp").GetString());
        Assert.Equal(5, all.Select(one => one.Id).Distinct().Count());
    }

    [Theory, OnBothDatabases]
    public async Task It_sees_its_own_lines_of_an_order_and_no_others(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        await CreateAsync(shop, receiver.Url + "/shop");
        await CreateAsync(other, receiver.Url + "/other");
        var fact = Fact(server, Line(shop, 2, 200), Line(other, 1, 50), Line(shop, 1, 30));
        await PlantAsync(server, OrderEvents.Of(OrderEvents.Confirmed, fact));
        await PlantAsync(server, OrderEvents.Of(OrderEvents.Cancelled, fact with { Lines = [fact.Lines[1]] }));

        var all = await receiver.TakenAsync(3);
        var mine = Assert.Single(all, one => one.Path == "/hook/shop");
        Assert.Equal(("order.confirmed", 230, 2), (
            mine.Type,
            mine.Content.GetProperty("amount").GetInt32(),
            mine.Content.GetProperty("lines").GetArrayLength()));
        Assert.Equal($"{fact.OrderId}", mine.Content.GetProperty("orderId").GetString());
        Assert.DoesNotContain(other.MerchantId, mine.Body);
        Assert.DoesNotContain($"{fact.Lines[1].ProductId}", mine.Body);
        Assert.Equal(
            ["order.cancelled", "order.confirmed"],
            all.Where(one => one.Path == "/hook/other").Select(one => one.Type).Order(StringComparer.Ordinal));
    }

    [Theory, OnBothDatabases]
    public async Task It_gets_the_types_that_it_asked_for(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var shop = await server.OpenShopAsync();
        await CreateAsync(shop, receiver.Url, "\"payment.refunded\"");
        var paid = (await shop.PayAsync(100)).Expect(200).Id;
        (await shop.AskAsync("refund", paid, 40)).Expect(200);
        Assert.Equal("payment.refunded", (await receiver.TakenAsync(1))[0].Type);
        Assert.Single(receiver.All);
    }

    // Goal: an event that is told twice is one webhook. Method: the same event appended again, as a replayed dead
    // letter is, and everything read again by a group that forgot how far it was.
    [Theory, OnBothDatabases]
    public async Task An_event_that_comes_again_is_not_told_again(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Open);
        await using var receiver = await Receiver.StartAsync();
        var shop = await server.OpenShopAsync();
        var endpoint = (await CreateAsync(shop, receiver.Url)).Expect(201).Id;
        var told = OrderEvents.Of(OrderEvents.Confirmed, Fact(server, Line(shop, 1, 10)));
        await PlantAsync(server, told, told);
        await PlantAsync(server, told);
        await receiver.TakenAsync(1);
        await ReadUpAsync(server);

        await server.TamperAsync(
            "update log_group_offset set next_offset = 0 where group_name = 'webhooks' returning 1");
        await server.RestartAsync();
        await ReadUpAsync(server);
        await CreateAsync(server.Again(shop), receiver.Url + "/late");
        await PlantAsync(server, OrderEvents.Of(OrderEvents.Cancelled, Fact(server, Line(shop, 1, 10))));
        await receiver.TakenAsync(3);
        Assert.Single(receiver.All, one => one.Type == "order.confirmed");
        await PaymentServer.EventuallyAsync("both are recorded", async () =>
            (await server.Again(shop).GetAsync($"/v1/webhooks/{endpoint}/deliveries?state=DELIVERED"))
            .Json.GetProperty("data").GetArrayLength() == 2);
        var cancelled = receiver.All.Where(one => one.Type == "order.cancelled").ToList();
        Assert.Equal(2, cancelled.Count);
        Assert.Single(cancelled.Select(one => one.Id).Distinct()); // Two endpoints of a merchant, one event.
    }

    // Goal: whatever hangs at merchants, payments go on, and what was on its way at a stop is told after it. Method: a
    // receiver that never answers, a restart.
    [Theory, OnBothDatabases]
    public async Task A_restart_in_the_middle_loses_nothing_and_payments_never_wait(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, Open);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answer = Receiver.HangAsync;
        var shop = await server.OpenShopAsync();
        await CreateAsync(shop, receiver.Url);
        for (var i = 0; i < 12; i++)
        {
            (await shop.PayAsync(10)).Expect(200).IsPayment("CAPTURED", 10, 10, 0);
        }

        await receiver.TakenAsync(8); // Its share.
        Assert.Equal(8, receiver.All.Count);
        await ReadUpAsync(server);
        receiver.Answer = Receiver.Status(200);
        await server.RestartAsync();
        await PaymentServer.EventuallyAsync(
            "all twelve are told", () => Task.FromResult(receiver.All.Select(one => one.Id).Distinct().Count() == 12));
        await receiver.TakenAsync(20);
        (await server.Operator.GetAsync("/health/ready")).Expect(200);
    }

    // Goal: a receiver that goes by webhook-id settles once, however often it is told. Method: two replays.
    [Theory, OnBothDatabases]
    public async Task A_replay_is_the_same_webhook_again(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var settled = new HashSet<string>();
        receiver.Answer = context =>
        {
            lock (settled)
            {
                settled.Add(context.Request.Headers["webhook-id"].ToString());
            }

            return Receiver.Status(200)(context);
        };
        var shop = await server.OpenShopAsync();
        var endpoint = (await CreateAsync(shop, receiver.Url)).Expect(201).Id;
        (await shop.PayAsync(100)).Expect(200);
        await receiver.TakenAsync(1);
        var delivery = await DeliveredAsync(shop, endpoint);
        (await shop.SendAsync("POST", $"/v1/webhooks/deliveries/{delivery}/replay")).Expect(202);
        await receiver.TakenAsync(2);
        await DeliveredAsync(shop, endpoint);
        var again = (await server.Operator.SendAsync("POST", $"/v1/webhooks/deliveries/{delivery}/replay")).Expect(202);
        Assert.Equal(("PENDING", 0), (again.Of("state"), again.Number("attempts")));
        var all = await receiver.TakenAsync(3);
        Assert.Single(settled);
        Assert.Single(all.Select(one => one.Body).Distinct());
    }

    [Theory, OnBothDatabases]
    public async Task A_test_is_sent_at_once(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        await using var receiver = await Receiver.StartAsync();
        var shop = await server.OpenShopAsync();
        var made = (await CreateAsync(shop, receiver.Url)).Expect(201);
        var test = (await shop.SendAsync("POST", $"/v1/webhooks/{made.Id}/test")).Expect(202);
        var one = (await receiver.TakenAsync(1))[0];
        Assert.Equal(("webhook.test", test.Of("webhookId")), (one.Type, one.Id));
        Assert.True(one.IsSignedBy(made.Of("secret")));
    }

    private static readonly string[] Open = ["Webhooks:AllowPrivateAddresses=true", "Webhooks:Ports=*"];

    internal static Task<Reply> CreateAsync(Shop shop, string url, string events = "") => shop.SendAsync(
        "POST", "/v1/webhooks", $$"""{"url":"{{url}}","events":[{{events}}]}""", $"Idempotency-Key: {shop.NewKey()}");

    private static async Task<string> DeliveredAsync(Shop shop, string endpoint)
    {
        var id = "";
        await PaymentServer.EventuallyAsync("it is delivered", async () =>
        {
            var page = (await shop.GetAsync($"/v1/webhooks/{endpoint}/deliveries?state=DELIVERED")).Expect(200).Json;
            id = page.GetProperty("data").EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } one
                ? one.GetProperty("id").GetString()!
                : "";
            return id.Length > 0;
        });
        return id;
    }

    private static OrderFactLine Line(Shop shop, int quantity, long amount) =>
        new(new Ids(TimeProvider.System).Next(), shop.MerchantId, quantity, amount);

    private static OrderFact Fact(PaymentServer server, params OrderFactLine[] lines)
    {
        var ids = server.Services.GetRequiredService<Ids>();
        return new(ids.Next(), ids.Next(), "platform", "u-1", "KRW", lines, UtcInstant.Now(TimeProvider.System).Ms);
    }

    private static async Task PlantAsync(PaymentServer server, params NewEvent[] events)
    {
        var log = server.Services.GetRequiredService<IEventLog>();
        await server.Services.GetRequiredService<Database>().WriteAsync(async tx =>
        {
            await log.AppendAsync(tx, events);
            return 0;
        });
    }

    /// <summary>Waits until the group of webhooks has read everything.</summary>
    private static Task ReadUpAsync(PaymentServer server) => PaymentServer.EventuallyAsync(
        "the group has no lag",
        async () => (await server.Operator.GetAsync("/v1/ops/lag")).Expect(200).Json.GetProperty("groups")
            .EnumerateArray().Where(group => group.GetProperty("group").GetString() == "webhooks")
            .All(group => group.GetProperty("lag").GetInt64() == 0));
}
