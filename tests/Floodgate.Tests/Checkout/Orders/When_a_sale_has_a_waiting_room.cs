using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Orders;

// Goal: where there is a waiting room nobody orders around it, and a pass pays once. Method: passes of all kinds over
// HTTP, on both databases.
public sealed class When_a_sale_has_a_waiting_room(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task Orders_need_a_pass_of_their_own_and_one_pass_pays_once(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var stock = await sale.StockAsync(10);
        (await sale.Shop.SendAsync(
            "PUT", $"/v1/sales/{sale.SaleId}/waiting-room", """{"enabled":true,"activeMax":10,"passSeconds":600}"""))
            .Expect(200);
        await PaymentServer.EventuallyAsync(
            "orders need a pass",
            async () => (await OrderAsync(sale, stock, "u-1", null)).Code == "pass_required");
        var (first, second) = (await PassAsync(sale, "u-1"), await PassAsync(sale, "u-2"));
        (await OrderAsync(sale, stock, "u-1", "forged")).Refuses(403, "pass_invalid");
        (await OrderAsync(sale, stock, "u-1", second)).Refuses(403, "pass_of_another_user");

        // A hold leaves the pass good; asking for the payment uses it up, and a repeat is still answered.
        var held = (await OrderAsync(sale, stock, "u-1", first)).Expect(201);
        var paid = (await OrderAsync(sale, stock, "u-1", first, pay: true, key: "paid")).Expect(200);
        Assert.Equal("CONFIRMED", paid.Of("status"));
        Assert.Equal(paid.Id, (await OrderAsync(sale, stock, "u-1", first, pay: true, key: "paid")).Expect(200).Id);
        (await OrderAsync(sale, stock, "u-1", first)).Refuses(403, "queue_token_not_active");
        (await sale.ChangeAsync(held.Id, "pay", """{"method":"GATEWAY"}""")).Refuses(403, "queue_token_not_active");

        // Two at once with one pass: one pays.
        var replies = await Task.WhenAll(Enumerable.Range(0, 2)
            .Select(_ => OrderAsync(sale, stock, "u-2", second, pay: true)));
        Assert.Single(replies, r => r.Status == 200 && r.Of("status") == "CONFIRMED");
        Assert.Single(replies, r => r.Code == "queue_token_not_active");
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    private static async Task<string> PassAsync(SaleServer sale, string user)
    {
        var joined = await sale.Shop.SendAsync(
            "POST", $"/v1/sales/{sale.SaleId}/queue", $$"""{"userId":"{{user}}"}""");
        Assert.True(joined.Status is 200 or 201, joined.Text);
        var ticket = joined;
        await PaymentServer.EventuallyAsync($"{user} is let in", async () =>
        {
            ticket = await sale.Shop.GetAsync($"/v1/queue/{joined.Of("ticket")}");
            return ticket.Expect(200).Of("state") == "ACTIVE";
        });
        return ticket.Of("pass");
    }

    private static Task<Reply> OrderAsync(
        SaleServer sale, string product, string user, string? pass, bool pay = false, string? key = null)
    {
        var how = pay ? ",\"pay\":{\"method\":\"GATEWAY\"}" : "";
        string[] headers = [$"Idempotency-Key: {key ?? sale.Shop.NewKey()}", "Prefer: wait=30"];
        return sale.Shop.SendAsync(
            "POST",
            "/v1/orders",
            $$"""
            {"saleId":"{{sale.SaleId}}","userId":"{{user}}","items":[{{SaleServer.Item(product, 1)}}]{{how}}}
            """,
            pass is null ? headers : [.. headers, $"Admission-Pass: {pass}"]);
    }
}
