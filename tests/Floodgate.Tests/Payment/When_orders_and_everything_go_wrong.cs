using System.Globalization;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: any mixture of faults, stops and requests delivered again leaves debits equal to credits, parts exact, one
// charge for each order and one result for each request. Method: random orders and refunds of their parts, while every
// event is delivered again after each of several stops; every failure names its seed.
public sealed class When_orders_and_everything_go_wrong(PostgreSqlServer postgreSql)
{
    private static readonly string[] Merchants = ["a", "b", "c"];

    [Theory, OnBothDatabases]
    public async Task Payments_parts_books_and_statement_agree_when_it_is_over(Stored stored)
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        await using var server = await PaymentServer.StartAsync(
            stored, postgreSql, "Log:StopWithinMs=0");
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 2_000)).Expect(200);
        var orders = Enumerable.Range(0, 80).Select(n => Order(random, shop.MerchantId, n)).ToArray();

        await server.SetFaultsAsync(Faults(random));
        await desk.AppendAsync(orders[..40]);
        await OrderDesk.DeliverAllAgainAsync(server);
        await server.SetFaultsAsync(Faults(random));
        await desk.AppendAsync(orders[40..]);
        await OrderDesk.DeliverAllAgainAsync(server);
        await server.DrainedAsync();
        await server.SetFaultsAsync(Faults(random));
        var refunds = await RefundsAsync(desk, orders, random);
        await desk.AppendAsync(refunds);
        await OrderDesk.DeliverAllAgainAsync(server);
        await server.SetFaultsAsync(Faults(random));
        await OrderDesk.DeliverAllAgainAsync(server);
        await server.DrainedAsync();

        Assert.True(await server.BrokenAsync() is [], $"seed {seed}: {string.Join("; ", await server.BrokenAsync())}");
        foreach (var order in orders)
        {
            await AssertExactAsync(server, desk, order, [.. refunds.Where(r => r.PaymentId == order.PaymentId)], seed);
        }
    }

    private static OrderPayment Order(Random random, string realm, int number)
    {
        var isWallet = random.Next(2) == 0;
        var parts = Merchants.Where(_ => random.Next(2) == 0).DefaultIfEmpty(realm)
            .Select(m => (m, (long)random.Next(1, 60))).ToArray();
        return OrderDesk.Payment(realm, isWallet ? "u" : $"u-{number % 7}", isWallet ? "WALLET" : "GATEWAY", parts);
    }

    private static string Faults(Random random) => string.Create(
        CultureInfo.InvariantCulture,
        $"\"latencyMs\":{random.Next(1, 30)},\"declineRatio\":0.1,\"errorRatio\":0.15,") +
        "\"timeoutAfterSuccessRatio\":0.15";

    /// <summary>Up to three refunds of each part of what was captured, together at most the part.</summary>
    private static async Task<OrderRefund[]> RefundsAsync(OrderDesk desk, OrderPayment[] orders, Random random)
    {
        var refunds = new List<OrderRefund>();
        foreach (var order in orders)
        {
            if ((await desk.ShowAsync(order)).Of("status") == "CAPTURED")
            {
                refunds.AddRange(order.Parts.SelectMany(part => Enumerable.Range(0, random.Next(4))
                    .Select(_ => (part.MerchantId, Amount: part.Amount / 3)).Where(r => r.Amount > 0))
                    .Select(r => OrderDesk.Refund(order, r.MerchantId, r.Amount)));
            }
        }

        return [.. refunds];
    }

    private static async Task AssertExactAsync(
        PaymentServer server, OrderDesk desk, OrderPayment order, OrderRefund[] refunds, int seed)
    {
        var results = await desk.ResultsAsync(order);
        var told = $"seed {seed}, order {order.OrderId}";
        Assert.True(results.Count == 1 + refunds.Length, $"{told}: {results.Count} results");
        var done = results.Where(r => r.OperationStatus == OperationState.Succeeded).ToList();
        var payment = await desk.ShowAsync(order);
        Assert.True(payment.Number("refunded") == done.Sum(r => r.Amount), $"{told}: {payment.Text}");
        if (payment.Json.GetProperty("parts") is { ValueKind: System.Text.Json.JsonValueKind.Array } parts)
        {
            Assert.All(parts.EnumerateArray(), part => Assert.Equal(
                done.Where(r => r.PartMerchantId == part.GetProperty("merchantId").GetString()).Sum(r =>
                    r.Amount!.Value),
                part.GetProperty("refunded").GetInt64()));
        }

        var statement = await server.StatementOfAsync(order.PaymentId.ToString());
        var expected = order.Method == "WALLET" || payment.Of("status") == "FAILED"
            ? []
            : done.Select(r => $"REFUND {r.Amount}").Prepend($"CHARGE {order.Amount}");
        Assert.True(
            statement.Order(StringComparer.Ordinal).SequenceEqual(expected.Order(StringComparer.Ordinal)),
            $"{told}: {string.Join(", ", statement)}");
    }
}
