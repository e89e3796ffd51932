using System.Text.Json;
using Floodgate.Payment.Charges;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: an order is paid by one payment whose parts reach their merchants exactly, and are given back exactly.
// Method: the events that orders write, on both databases; ledger, statement and results are the witnesses.
public sealed class When_an_order_is_paid(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task From_a_wallet_every_merchant_gets_its_part(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (desk, shop, other) = (new OrderDesk(server), await server.OpenShopAsync(), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        var order = OrderDesk.Payment(shop.MerchantId, "u", "WALLET", (shop.MerchantId, 600), (other.MerchantId, 200));
        var result = await desk.PayAsync(order);

        Assert.Equal(
            (order.PaymentId, null, PaymentState.Captured, null, shop.MerchantId, "u", order.OrderId.ToString()),
            (result.PaymentId, result.OperationId, result.Status, result.FailReason, result.MerchantId, result.UserId,
                result.OrderId));
        var payment = (await desk.ShowAsync(order)).IsPayment("CAPTURED", 800, 800, 0);
        Assert.Equal([(shop.MerchantId, 600, 0), (other.MerchantId, 200, 0)], PartsOf(payment));
        Assert.Equal((200, 0), await shop.WalletAsync("u"));
        Assert.Equal(600, await desk.BalanceAsync(shop.MerchantId, "MerchantPayable"));
        Assert.Equal(200, await desk.BalanceAsync(other.MerchantId, "MerchantPayable"));
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task Through_the_gateway_it_is_charged_once_and_for_one_merchant_nothing_is_split(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (desk, shop, other) = (new OrderDesk(server), await server.OpenShopAsync(), await server.OpenShopAsync());
        var whole = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 100));
        var split = OrderDesk.Payment("platform", "u", "GATEWAY", (shop.MerchantId, 100), (other.MerchantId, 300));
        await desk.AppendAsync(whole, split);
        await desk.ResultsAsync(whole, 1);
        await desk.ResultsAsync(split, 1);

        Assert.Equal(JsonValueKind.Null, (await desk.ShowAsync(whole)).Json.GetProperty("parts").ValueKind);
        Assert.Equal(2, PartsOf(await desk.ShowAsync(split)).Count);
        Assert.Equal(["CHARGE 100"], await server.StatementOfAsync(whole.PaymentId.ToString()));
        Assert.Equal(["CHARGE 400"], await server.StatementOfAsync(split.PaymentId.ToString()));
        (await shop.PaymentAsync(whole.PaymentId.ToString())).Expect(200);
        (await shop.PaymentAsync(split.PaymentId.ToString())).Refuses(404, "payment_not_found");
        Assert.Equal(200, await desk.BalanceAsync(shop.MerchantId, "MerchantPayable"));
    }

    [Theory, OnBothDatabases]
    public async Task Without_enough_in_the_wallet_it_fails_and_nothing_moves(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 100)).Expect(200);
        var orders = Enumerable.Range(0, 9)
            .Select(_ => OrderDesk.Payment(shop.MerchantId, "u", "WALLET", (shop.MerchantId, 30))).ToArray();
        await desk.AppendAsync(orders);
        foreach (var order in orders)
        {
            await desk.ResultsAsync(order, 1);
        }

        var shown = await Task.WhenAll(orders.Select(desk.ShowAsync));
        Assert.Equal(3, shown.Count(p => p.Of("status") == "CAPTURED"));
        Assert.Equal(6, shown.Count(p => p.Of("failReason") == "insufficient_funds"));
        Assert.Equal((10, 0), await shop.WalletAsync("u"));
    }

    [Theory, OnBothDatabases]
    public async Task A_refund_gives_back_a_merchants_part(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (desk, shop, other) = (new OrderDesk(server), await server.OpenShopAsync(), await server.OpenShopAsync());
        var order = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 400), (other.MerchantId, 400));
        await desk.PayAsync(order);
        (await shop.AskAsync("refund", order.PaymentId.ToString())).Refuses(409, "refund_by_order");

        await desk.AppendAsync(OrderDesk.Refund(order, other.MerchantId, 200));
        var result = (await desk.ResultsAsync(order, 2))[1];
        Assert.Equal(
            (PaymentState.PartiallyRefunded, OperationState.Succeeded, OperationKind.Refund, 200, other.MerchantId),
            (result.Status, result.OperationStatus, result.Kind, result.Amount, result.PartMerchantId));
        Assert.Equal(
            [(shop.MerchantId, 400, 0), (other.MerchantId, 400, 200)], PartsOf(await desk.ShowAsync(order)));
        Assert.Equal(400, await desk.BalanceAsync(other.MerchantId, "MerchantPayable"));
        Assert.Equal(-200, await desk.BalanceAsync(other.MerchantId, "MerchantRefunds"));
        Assert.Equal(0, await desk.BalanceAsync(shop.MerchantId, "MerchantRefunds"));

        await desk.AppendAsync(
            OrderDesk.Refund(order, other.MerchantId, 200), OrderDesk.Refund(order, shop.MerchantId, 400));
        await desk.ResultsAsync(order, 4);
        (await desk.ShowAsync(order)).IsPayment("REFUNDED", 800, 800, 800);
        Assert.Equal(400, await desk.BalanceAsync(other.MerchantId, "MerchantPayable"));
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task Of_two_refunds_of_one_part_at_once_the_one_that_fits_is_made(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        var order = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 500), ("other", 100));
        await desk.PayAsync(order);
        await server.SetFaultsAsync("\"outage\":true");
        await desk.AppendAsync(OrderDesk.Refund(order, "other", 60), OrderDesk.Refund(order, "other", 60));
        Assert.Contains("amount_above_refundable", (await desk.LettersAsync(1))[0].Error);

        await server.SetFaultsAsync();
        await desk.ResultsAsync(order, 2);
        Assert.Equal(("other", 100, 60), PartsOf(await desk.ShowAsync(order))[1]);
        Assert.Equal(["CHARGE 600", "REFUND 60"], await server.StatementOfAsync(order.PaymentId.ToString()));
        Assert.Empty(await server.BrokenAsync());
    }

    private static List<(string Merchant, long Amount, long Refunded)> PartsOf(Reply payment) =>
    [
        .. payment.Json.GetProperty("parts").EnumerateArray().Select(p => (
            p.GetProperty("merchantId").GetString()!, p.GetProperty("amount").GetInt64(),
            p.GetProperty("refunded").GetInt64())),
    ];
}
