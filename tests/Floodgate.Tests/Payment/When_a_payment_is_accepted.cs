using System.Text.Json;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: a payment that was accepted can be followed from its id to its final state, by its merchant only.
// Method: through the front door, on both databases.
public sealed class When_a_payment_is_accepted(PostgreSqlServer postgreSql, CalmServers calm)
{
    private static readonly Statement SelectEvents = new(
        "select e.key, e.payload from {rows} join log_event e on e.type = rows.type", Column.Text("type"));

    [Theory, OnBothDatabases]
    public async Task It_is_captured_in_one_step_unless_told_otherwise(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var payment = (await shop.PayAsync(15_000, "\"userId\":\"u-1\",\"orderId\":\"o-1\"")).Expect(200);

        payment.IsPayment("CAPTURED", 15_000, 15_000, 0);
        Assert.Equal("SUCCESS", payment.Of("intakeStatus"));
        Assert.Equal(
            ("u-1", "o-1", "GATEWAY", "True"),
            (payment.Of("userId"), payment.Of("orderId"), payment.Of("method"), payment.Of("capture")));
        Assert.True(string.CompareOrdinal(payment.Of("requestedAt"), payment.Of("processedAt")) <= 0);
        Assert.Equal(["CHARGE 15000"], await server.StatementOfAsync(payment.Id));
    }

    [Theory, OnBothDatabases]
    public async Task It_is_only_authorized_when_told(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var payment = (await shop.AuthorizeAsync(500)).Expect(200);

        payment.IsPayment("AUTHORIZED", 500, 0, 0);
        Assert.Equal(["AUTHORIZE 500"], await server.StatementOfAsync(payment.Id));
    }

    [Theory, OnBothDatabases]
    public async Task Its_id_can_be_read_from_the_moment_it_is_returned(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        foreach (var amount in Enumerable.Range(1, 20))
        {
            var accepted = (await shop.PayAsync(amount, waitSeconds: 0)).Expect(202);
            accepted.IsPayment("REQUESTED", 0, 0, 0);
            Assert.Equal("PENDING", accepted.Of("intakeStatus"));
            Assert.Equal($"/v1/payments/{accepted.Id}", accepted.Headers.Location?.OriginalString);
            Assert.Equal(amount, (await shop.PaymentAsync(accepted.Id)).Expect(200)
                .Json.GetProperty("amount").GetProperty("amount").GetInt64());
        }
    }

    [Theory, OnBothDatabases]
    public async Task Waiting_ends_with_202_when_the_time_is_over_first(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"outage\":true");

        var payment = (await shop.PayAsync(10, waitSeconds: 1)).Expect(202);
        payment.IsPayment("REQUESTED", 0, 0, 0);
        Assert.Equal("wait=1", payment.Headers.GetValues("Preference-Applied").Single());

        var waiting = shop.PayAsync(20);
        await server.SetFaultsAsync();
        (await waiting).Expect(200).IsPayment("CAPTURED", 20, 20, 0);
        await server.DrainedAsync();
        (await shop.PaymentAsync(payment.Id)).IsPayment("CAPTURED", 10, 10, 0);
    }

    [Theory, OnBothDatabases]
    public async Task Its_stream_shows_each_state_and_ends_when_nothing_can_change(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"outage\":true");
        var id = (await shop.PayAsync(100, waitSeconds: 0)).Id;
        using var stream = await shop.ListenAsync(id);

        Assert.Equal("REQUESTED", await NextStateAsync(stream));
        await server.SetFaultsAsync();
        Assert.Equal("CAPTURED", await NextStateAsync(stream));
        (await shop.AskAsync("refund", id, 40)).Expect(200);
        Assert.Equal("PARTIALLY_REFUNDED", await NextStateAsync(stream));
        (await shop.AskAsync("refund", id)).Expect(200);
        Assert.Equal("REFUNDED", await NextStateAsync(stream));
        Assert.Equal("event: end\ndata: {}\n\n", (await stream.ReadToEndAsync()).TrimStart());
    }

    [Theory, OnBothDatabases]
    public async Task The_stream_of_a_final_payment_tells_it_and_ends(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        var id = (await shop.AuthorizeAsync(100)).Id;
        (await shop.AskAsync("void", id)).Expect(200);
        using var stream = await shop.ListenAsync(id);
        Assert.Equal("VOIDED", await NextStateAsync(stream));
        Assert.Equal("event: end\ndata: {}\n\n", (await stream.ReadToEndAsync()).TrimStart());
    }

    [Theory, OnBothDatabases]
    public async Task Its_merchant_lists_it_in_pages_and_nobody_elses(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var own = new List<string>();
        foreach (var amount in Enumerable.Range(1, 7))
        {
            own.Add((await shop.PayAsync(amount, waitSeconds: 0)).Expect(202).Id);
            (await other.PayAsync(amount, waitSeconds: 0)).Expect(202);
        }

        var listed = (await shop.AllAsync("/v1/payments", limit: 3)).Select(IdOf).ToList();
        Assert.Equal(own.Order(StringComparer.Ordinal), listed);
        var first = (await shop.GetAsync("/v1/payments?limit=7")).Expect(200).Json;
        Assert.False(first.GetProperty("has_more").GetBoolean());
        var all = (await server.Operator.AllAsync("/v1/payments")).Select(IdOf).ToList();
        Assert.Superset(own.ToHashSet(), all.ToHashSet());
        Assert.Equal(all.Distinct().Count(), all.Count);
        Assert.True(all.Count >= 14);
    }

    // Goal: a short page is cheap. Method: the door, which answers every row that was read.
    [Theory, OnBothDatabases]
    public async Task A_page_reads_no_more_rows_than_are_asked_for(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        foreach (var amount in Enumerable.Range(1, 4))
        {
            (await shop.PayAsync(amount, waitSeconds: 0)).Expect(202);
        }

        var book = server.Services.GetRequiredService<PaymentBook>();
        foreach (var merchant in new[] { shop.MerchantId, null })
        {
            Assert.Equal(3, (await book.ListAsync(merchant, Guid.Empty, 3, CancellationToken.None)).Count);
        }
    }

    // Goal: a consumer keeps the orders of merchants apart, and a sale from a top-up. Method: what is in the log.
    [Theory, OnBothDatabases]
    public async Task Its_events_tell_whose_order_it_is_and_what_it_is_for(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var own = (await shop.PayAsync(100, "\"orderId\":\"o-1\"")).Expect(200);
        var others = (await other.PayAsync(100, "\"orderId\":\"o-1\"")).Expect(200);
        var topUp = (await shop.TopUpAsync("u", 100)).Expect(200);
        (await shop.AskAsync("refund", own.Id)).Expect(200);

        Assert.Equal(
            [$"{shop.MerchantId}/o-1", $"{shop.MerchantId}/o-1"], await KeysAsync(server, own.Id, "payment.result/1"));
        Assert.Equal([$"{other.MerchantId}/o-1"], await KeysAsync(server, others.Id, "payment.result/1"));
        Assert.Equal([topUp.Id], await KeysAsync(server, topUp.Id, "payment.result/1"));
        Assert.Equal(["SALE"], await PurposesAsync(server, own.Id, "payment.captured/1"));
        Assert.Equal(["SALE"], await PurposesAsync(server, own.Id, "payment.refunded/1"));
        Assert.Equal(["TOP_UP"], await PurposesAsync(server, topUp.Id, "payment.captured/1"));
    }

    [Theory, OnBothDatabases]
    public async Task Another_merchant_can_neither_see_nor_touch_it(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var id = (await shop.AuthorizeAsync(100)).Id;

        (await other.PaymentAsync(id)).Refuses(404, "payment_not_found");
        (await other.GetAsync($"/v1/payments/{id}/events")).Refuses(404, "payment_not_found");
        foreach (var operation in new[] { "capture", "void", "refund" })
        {
            (await other.AskAsync(operation, id)).Refuses(404, "payment_not_found");
        }

        var flat = $$"""{"idempotencyKey":"x"}""";
        (await other.SendAsync("POST", $"/payments/capture/{id}", flat)).Refuses(404, "payment_not_found");
        (await server.Operator.PaymentAsync(id)).Expect(200).IsPayment("AUTHORIZED", 100, 0, 0);
        Assert.Equal(0, (await shop.PaymentAsync(id)).Json.GetProperty("operations").GetArrayLength());
    }

    [Theory, OnBothDatabases]
    public async Task The_aliases_of_the_older_platform_do_the_same(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var body = $$"""{"merchantId":"{{shop.MerchantId}}","amount":900,"currency":"KRW","idempotencyKey":"a-1"}""";
        var payment = (await shop.SendAsync("POST", "/payments/authorize", body, "Prefer: wait=30")).Expect(200);
        payment.IsPayment("AUTHORIZED", 900, 0, 0);
        Assert.True((await shop.SendAsync("POST", "/payments/authorize", body)).Expect(202).IsReplay);

        var capture = """{"amount":800,"currency":"KRW","idempotencyKey":"a-2"}""";
        (await shop.SendAsync("POST", $"/payments/capture/{payment.Id}", capture, "Prefer: wait=30")).Expect(200);
        var refund = """{"amount":300,"currency":"KRW","reason":"broken"}""";
        (await shop.SendAsync(
            "POST", $"/payments/refund/{payment.Id}", refund, "Prefer: wait=30", "Idempotency-Key: a-3")).Expect(200);
        (await shop.PaymentAsync(payment.Id)).IsPayment("PARTIALLY_REFUNDED", 900, 800, 300);
        Assert.Equal(["AUTHORIZE 900", "CAPTURE 800", "REFUND 300"], await server.StatementOfAsync(payment.Id));
    }

    private static string IdOf(JsonElement payment) => payment.GetProperty("id").GetString()!;

    /// <summary>
    /// The next state that differs from the one before; the stream also tells of operations asked for.
    /// </summary>
    private static async Task<string> NextStateAsync(StreamReader stream)
    {
        while (await stream.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: {\"id\"", StringComparison.Ordinal))
            {
                var payment = JsonElement.Parse(line[6..]);
                var pending = payment.GetProperty("operations").EnumerateArray()
                    .Any(o => o.GetProperty("intakeStatus").GetString() == "PENDING");
                if (!pending)
                {
                    return payment.GetProperty("status").GetString()!;
                }
            }
        }

        return "the stream ended";
    }

    private static async Task<List<string>> KeysAsync(PaymentServer server, string id, string type) =>
        [.. (await EventsAsync(server, id, type)).Select(e => e.Key)];

    private static async Task<List<string?>> PurposesAsync(PaymentServer server, string id, string type) =>
        [.. (await EventsAsync(server, id, type)).Select(e => e.Payload.GetProperty("purpose").GetString())];

    private static async Task<IEnumerable<(string Key, JsonElement Payload)>> EventsAsync(
        PaymentServer server, string id, string type)
    {
        var found = await server.Services.GetRequiredService<Database>().ReadAsync(tx => tx.QueryAsync(
            SelectEvents,
            Rows.One(type).Text(t => t),
            r => (Key: r.Text(0), Payload: JsonSerializer.Deserialize<JsonElement>(r.Text(1)))));
        return found.Where(e => e.Payload.GetProperty("paymentId").GetString() == id);
    }
}
