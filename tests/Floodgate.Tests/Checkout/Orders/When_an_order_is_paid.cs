using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Orders;

// Goal: an order that is paid is sold, one that is not is free again, and money is kept only for what was sold. Method:
// whole orders over HTTP on both databases; wallets, the provider's statement and the checks are the witnesses.
public sealed class When_an_order_is_paid(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task It_is_confirmed_and_can_be_given_back(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var stock = await sale.StockAsync(10, 1_000);
        var seats = await sale.SeatsAsync(4);
        (await sale.Shop.TopUpAsync("u-1", 20_000)).Expect(200);
        var items = $"{SaleServer.Item(stock, 3)},{SaleServer.Item(seats, 2)}";
        var order = (await sale.OrderAsync("u-1", items, pay: "WALLET", key: "k")).Expect(200);
        Assert.Equal("CONFIRMED", order.Of("status"));
        Assert.Equal((7_000, 0), await sale.Shop.WalletAsync("u-1"));
        Assert.Equal((7, 0, 3), await sale.StockOfAsync(stock));
        Assert.Equal((2, 0, 2), await sale.StockOfAsync(seats));
        (await sale.Shop.PaymentAsync(order.Of("paymentId"))).IsPayment("CAPTURED", 13_000, 13_000, 0);
        Assert.True((await sale.OrderAsync("u-1", items, pay: "WALLET", key: "k")).Expect(200).IsReplay);

        Assert.Equal("CANCELLED", (await sale.ChangeAsync(order.Id, "cancel")).Expect(200).Of("status"));
        await PaymentServer.EventuallyAsync(
            "the money is back", async () => RefundedOf(await sale.FindAsync(order.Id)) == 13_000);
        Assert.True((await sale.ChangeAsync(order.Id, "cancel")).Expect(200).IsReplay);
        Assert.Equal((20_000, 0), await sale.Shop.WalletAsync("u-1"));
        await AssertFreeAsync(sale, stock, 10);
        await AssertFreeAsync(sale, seats, 4);
        (await sale.Shop.PaymentAsync(order.Of("paymentId"))).IsPayment("REFUNDED", 13_000, 13_000, 13_000);
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task It_may_be_held_first_and_is_paid_once(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var stock = await sale.StockAsync(10, 1_000);
        for (var n = 0; n < 10; n++)
        {
            var order = (await sale.OrderAsync($"u-{n}", SaleServer.Item(stock, 1))).Expect(201);
            Assert.Equal("TEMPORARY_ASSIGNED", order.Of("status"));
            // Two at once, with keys of their own: one pays.
            var replies = await Task.WhenAll(
                sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""", "a"),
                sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""", "b"));
            Assert.Single(replies, r => r.Status == 200 && r.Of("status") == "CONFIRMED");
            Assert.Single(replies, r => r.Code == "order_not_payable");
            var key = replies[0].Status == 200 ? "a" : "b";
            var again = await sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""", key);
            Assert.True(again.Expect(200).IsReplay);
            Assert.Equal(["CHARGE 1000"], await sale.Server.StatementOfAsync((await sale.FindAsync(
                order.Id)).Of("paymentId")));
        }

        Assert.Empty(await sale.Server.BrokenAsync());
    }

    // Goal: the deadline of a payment may be that of the hold before it. Method: held and paid in one millisecond.
    [Theory, OnBothDatabases]
    public async Task It_may_be_held_and_paid_at_the_same_moment(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(
            stored, postgreSql, "Orders:HoldSeconds=9", "Orders:PaymentSeconds=9");
        var stock = await sale.StockAsync(1, 1_000);
        sale.Server.Clock.Stop();
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(stock, 1))).Expect(201);
        var paid = (await sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""")).Expect(200);
        Assert.Equal(("CONFIRMED", paid.Of("createdAt")), (paid.Of("status"), paid.Of("changedAt")));
        sale.Server.Clock.GoOn();
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_payment_that_is_refused_frees_what_was_held(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var stock = await sale.StockAsync(1, 1_000, "\"limitPerBuyer\":1");
        var poor = (await sale.OrderAsync("poor", SaleServer.Item(stock, 1), pay: "WALLET")).Expect(200);
        Assert.Equal(("PAYMENT_FAILED", "insufficient_funds"), (poor.Of("status"), poor.Of("failReason")));
        await AssertFreeAsync(sale, stock, 1);
        (await sale.ChangeAsync(poor.Id, "pay", """{"method":"GATEWAY"}""")).Refuses(409, "order_not_payable");
        (await sale.ChangeAsync(poor.Id, "cancel")).Refuses(409, "order_not_cancellable");
        Assert.Equal("CONFIRMED", (await sale.OrderAsync("poor", SaleServer.Item(stock, 1),
            pay: "GATEWAY")).Of("status"));
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_hold_that_is_not_paid_expires(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql, "Orders:HoldSeconds=1");
        var seats = await sale.SeatsAsync(2);
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(seats, 2))).Expect(201);
        (await sale.OrderAsync("u-2", SaleServer.Item(seats, 1))).Refuses(409, "insufficient_stock");
        await PaymentServer.EventuallyAsync(
            "it expires", async () => (await sale.FindAsync(order.Id)).Of("status") == "EXPIRED");
        (await sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""")).Refuses(409, "order_not_payable");
        (await sale.OrderAsync("u-2", SaleServer.Item(seats, 2))).Expect(201);
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    // Goal: what is held for a payment under way is nobody else's until its deadline, and late money goes back by
    // itself. Method: the provider takes the money and says nothing until the order has expired.
    [Theory, OnBothDatabases]
    public async Task Money_that_comes_after_the_deadline_goes_back(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(
            stored, postgreSql, "Orders:PaymentSeconds=2", "Providers:CallTimeoutMs=1500");
        var stock = await sale.StockAsync(1, 1_000);
        await sale.Server.SetFaultsAsync("\"timeoutAfterSuccessRatio\":1");
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(stock, 1), pay: "GATEWAY", wait: 0)).Expect(201);
        (await sale.ChangeAsync(order.Id, "cancel")).Refuses(409, "payment_pending");
        (await sale.OrderAsync("u-2", SaleServer.Item(stock, 1))).Refuses(409, "insufficient_stock");
        await PaymentServer.EventuallyAsync(
            "it has the money", async () => (await sale.Server.StatementOfAsync(order.Of("paymentId"))).Count == 1);
        await sale.Server.SetFaultsAsync("\"outage\":true");
        await PaymentServer.EventuallyAsync(
            "it expires", async () => (await sale.FindAsync(order.Id)).Of("status") == "EXPIRED");
        await AssertFreeAsync(sale, stock, 1);

        await sale.Server.SetFaultsAsync();
        await PaymentServer.EventuallyAsync(
            "the money is back", async () => RefundedOf(await sale.FindAsync(order.Id)) == 1_000);
        var late = await sale.FindAsync(order.Id);
        Assert.Equal(("EXPIRED", "late_success"), (late.Of("status"), late.Of("failReason")));
        Assert.Equal(["CHARGE 1000", "REFUND 1000"], await sale.Server.StatementOfAsync(late.Of("paymentId")));
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task Merchants_share_one_payment_and_give_back_their_parts(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var (first, second) = (sale.Shop, await sale.Server.OpenShopAsync());
        var platform = (await sale.Server.Operator.SendAsync(
            "POST", "/v1/sales", $$"""{"name":"Fair","currency":"KRW",{{SaleServer.Open}}}""", "Idempotency-Key: fair"))
            .Expect(201).Id;
        var mine = await ProductOfAsync(sale, platform, first, 1_000);
        var theirs = await ProductOfAsync(sale, platform, second, 3_000);
        var buyer = await BuyerAsync(sale, "ada@example.com");
        var order = (await buyer.SendAsync(
            "POST",
            "/v1/orders",
            $$"""
            {"saleId":"{{platform}}","items":[{{SaleServer.Item(mine, 2)}},{{SaleServer.Item(theirs, 1)}}],
             "pay":{"method":"GATEWAY"} }
            """,
            "Idempotency-Key: one",
            "Prefer: wait=30")).Expect(200);
        Assert.Equal(("CONFIRMED", 5_000), (order.Of("status"), AmountOf(order)));

        // Each merchant sees the order in its sale and gives back its own part, no other.
        Assert.Single(await second.AllAsync($"/v1/orders?saleId={platform}"));
        (await CancelAsync(second, order.Id, first.MerchantId)).Refuses(409, "order_not_cancellable");
        Assert.Equal("CONFIRMED", (await CancelAsync(second, order.Id, null)).Expect(200).Of("status"));
        await PaymentServer.EventuallyAsync(
            "their part is back", async () => RefundedOf(await buyer.GetAsync($"/v1/orders/{order.Id}")) == 3_000);
        Assert.True((await CancelAsync(second, order.Id, null)).Expect(200).IsReplay);
        Assert.Equal("CANCELLED", (await CancelAsync(buyer, order.Id, null)).Expect(200).Of("status"));
        await PaymentServer.EventuallyAsync(
            "all is back", async () => RefundedOf(await buyer.GetAsync($"/v1/orders/{order.Id}")) == 5_000);
        Assert.Equal(
            ["CHARGE 5000", "REFUND 2000", "REFUND 3000"],
            (await sale.Server.StatementOfAsync(order.Of("paymentId"))).Order());
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_buyer_hears_of_it_as_it_happens(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var stock = await sale.StockAsync(1, 1_000);
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(stock, 1))).Expect(201);
        using var stream = await sale.Shop.ListenAsync(order.Id, "orders");
        Assert.Equal("TEMPORARY_ASSIGNED", await NextAsync(stream));
        (await sale.ChangeAsync(order.Id, "pay", """{"method":"GATEWAY"}""")).Expect(200);
        var status = await NextAsync(stream);
        Assert.Equal("CONFIRMED", status == "PAYMENT_PENDING" ? await NextAsync(stream) : status);
    }

    private static async Task<string> NextAsync(StreamReader stream)
    {
        while (await stream.ReadLineAsync().WaitAsync(Eventually.Deadline) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return JsonElement.Parse(line[6..]).GetProperty("status").GetString()!;
            }
        }

        return "";
    }

    private static Task<Reply> CancelAsync(Shop shop, string id, string? merchantId) => shop.SendAsync(
        "POST", $"/v1/orders/{id}/cancel", merchantId is null ? "{}" : $$"""{"merchantId":"{{merchantId}}"}""");

    private static async Task<string> ProductOfAsync(SaleServer sale, string saleId, Shop merchant, long price) =>
        (await sale.Server.Operator.SendAsync(
            "POST",
            "/v1/products",
            $$"""
            {"saleId":"{{saleId}}","merchantId":"{{merchant.MerchantId}}","name":"Thing","stock":5,"price":{{price}}}
            """,
            $"Idempotency-Key: product-{price}")).Expect(201).Id;

    private static async Task<Shop> BuyerAsync(SaleServer sale, string email)
    {
        var person = $$"""{"email":"{{email}}","password":"correct horse battery"}""";
        (await sale.Server.Nobody.SendAsync("POST", "/v1/users", person)).Expect(201);
        var session = (await sale.Server.Nobody.SendAsync("POST", "/v1/sessions", person)).Expect(201);
        return sale.Shop.WithKey(session.Of("accessToken"));
    }

    private static long AmountOf(Reply order) => order.Json.GetProperty("amount").GetProperty("amount").GetInt64();

    private static long RefundedOf(Reply order) => order.Json.GetProperty("refunded").GetProperty("amount").GetInt64();

    private static async Task AssertFreeAsync(SaleServer sale, string product, long available) =>
        await PaymentServer.EventuallyAsync(
            $"{available} are available", async () => await sale.StockOfAsync(product) == (available, 0, 0));
}
