using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Orders;

// Goal: whatever is wrong with an order is told with a code of its own, and has no effect at all. Method: a table of
// wrong orders on one server; afterwards everything is as free as before.
public sealed class When_an_order_is_wrong(PostgreSqlServer postgreSql)
{
    [Fact]
    public async Task Each_mistake_has_its_code_and_no_effect()
    {
        await using var sale = await SaleServer.StartAsync(Stored.InSqlite, postgreSql, "Orders:LinesMax=3");
        var stock = await sale.StockAsync(10, more: "\"limitPerBuyer\":2");
        var seats = await sale.SeatsAsync(3, 3);
        var other = await sale.Server.OpenShopAsync();
        var otherSale = await sale.MakeSaleAsync(other, SaleServer.Open);
        var euros = await sale.MakeSaleAsync(sale.Shop, SaleServer.Open, "EUR");
        var others = await SaleServer.ProductAsync(other, otherSale, "\"stock\":5,\"price\":100");
        var inEuros = await SaleServer.ProductAsync(sale.Shop, euros, "\"stock\":5,\"price\":100");
        var unknown = "01900000-0000-7000-8000-000000000001";
        var dear = await sale.StockAsync(1_000, 900_000_000_000);

        foreach (var (items, status, code) in new[]
        {
            ("", 400, "invalid_field"),
            (Many(SaleServer.Item(stock, 1), 4), 400, "invalid_field"),
            (SaleServer.Item(stock, 0), 400, "invalid_field"),
            (SaleServer.Item(stock, -1), 400, "invalid_field"),
            (SaleServer.Item(stock, 101), 400, "invalid_field"),
            ($$"""{"productId":"{{stock}}"}""", 400, "invalid_field"),
            ($$"""{"productId":"{{stock}}","quantity":"1"}""", 400, "invalid_body"),
            ($$"""{"productId":"{{stock}}","amount":1}""", 400, "invalid_body"),
            (SaleServer.Item(stock, 3), 409, "limit_per_buyer"),
            (Many(SaleServer.Item(stock, 1), 3), 409, "limit_per_buyer"),
            (SaleServer.Item(unknown, 1), 422, "product_not_in_sale"),
            (SaleServer.Item(others, 1), 422, "product_not_in_sale"),
            ($"{SaleServer.Item(stock, 1)},{SaleServer.Item(inEuros, 1)}", 422, "mixed_currencies"),
            (SaleServer.Item(dear, 2), 422, "amount_out_of_range"),
            (Many(SaleServer.Item(dear, 1), 2), 422, "amount_out_of_range"),
            (SaleServer.Seat(stock, "A-1-1"), 400, "invalid_field"),
            (SaleServer.Seat(seats, "A-1-4"), 422, "seat_unknown"),
            (SaleServer.Seat(seats, "B-1-1"), 422, "seat_unknown"),
            (SaleServer.Seat(seats, "A-1-1", "A-1-01"), 400, "invalid_field"),
            (SaleServer.Seat(seats), 400, "invalid_field"),
            ($$"""{"productId":"{{seats}}","seats":["A-1-1"],"quantity":2}""", 400, "invalid_field"),
            ($$"""{"productId":"{{seats}}","seats":["A-1-1"],"section":"A"}""", 400, "invalid_field"),
            ($$"""{"productId":"{{seats}}","quantity":1,"section":"B"}""", 409, "insufficient_stock"),
            ($$"""{"productId":"{{seats}}","quantity":1,"tier":"gold"}""", 409, "insufficient_stock"),
            (SaleServer.Item(seats, 7), 409, "insufficient_stock"),
            ($"{SaleServer.Item(stock, 1)},{SaleServer.Item(seats, 7)}", 409, "insufficient_stock"),
        })
        {
            (await sale.OrderAsync("u-1", items, wait: 0)).Refuses(status, code);
        }

        (await sale.OrderAsync("u 1", SaleServer.Item(stock, 1))).Refuses(400, "invalid_field");
        (await sale.OrderAsync("u-1", SaleServer.Item(stock, 1), pay: "CASH")).Refuses(400, "invalid_field");
        (await sale.Shop.SendAsync("POST", "/v1/orders", "{}")).Refuses(400, "idempotency_key_missing");
        Assert.Equal((10, 0, 0), await sale.StockOfAsync(stock));
        Assert.Equal((6, 0, 0), await sale.StockOfAsync(seats));
        Assert.Empty(await sale.Server.BrokenAsync());
    }

    [Fact]
    public async Task A_sale_takes_orders_from_its_opening_to_its_end()
    {
        await using var sale = await SaleServer.StartAsync(Stored.InSqlite, postgreSql);
        foreach (var (times, code) in new[]
        {
            (""" "opensAt":"2039-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z" """, "sale_not_open"),
            (""" "opensAt":"2019-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:00Z" """, "sale_ended"),
        })
        {
            var id = await sale.MakeSaleAsync(sale.Shop, times);
            var product = await SaleServer.ProductAsync(sale.Shop, id, "\"stock\":5,\"price\":100");
            (await sale.Shop.SendAsync(
                "POST", "/v1/orders",
                $$"""{"saleId":"{{id}}","userId":"u-1","items":[{{SaleServer.Item(product, 1)}}]}""",
                $"Idempotency-Key: {sale.Shop.NewKey()}")).Refuses(409, code);
        }

        // What is withdrawn is no longer sold; who has it keeps it, and a repeat is still answered.
        var gone = await sale.StockAsync(5);
        var had = (await sale.OrderAsync("u-1", SaleServer.Item(gone, 1), key: "had")).Expect(201);
        (await sale.Shop.SendAsync("DELETE", $"/v1/products/{gone}?version=1")).Expect(200);
        (await sale.OrderAsync("u-2", SaleServer.Item(gone, 1))).Refuses(409, "sale_ended");
        Assert.Equal(had.Id, (await sale.OrderAsync("u-1", SaleServer.Item(gone, 1), key: "had")).Expect(201).Id);
    }

    [Fact]
    public async Task What_is_anothers_is_not_there()
    {
        await using var sale = await SaleServer.StartAsync(Stored.InSqlite, postgreSql);
        var product = await sale.StockAsync(5);
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(product, 1))).Expect(201);
        var other = await sale.Server.OpenShopAsync();
        (await other.GetAsync($"/v1/orders/{order.Id}")).Refuses(404, "order_not_found");
        (await other.SendAsync("POST", $"/v1/orders/{order.Id}/cancel", "{}")).Refuses(404, "order_not_found");
        (await other.SendAsync(
            "POST", $"/v1/orders/{order.Id}/pay", """{"method":"WALLET"}""", "Idempotency-Key: x"))
            .Refuses(404, "order_not_found");
        (await other.SendAsync(
            "POST", "/v1/orders",
            $$"""{"saleId":"{{sale.SaleId}}","userId":"u-9","items":[{{SaleServer.Item(product, 1)}}]}""",
            "Idempotency-Key: y")).Refuses(403, "forbidden");
        Assert.Empty(await other.AllAsync($"/v1/orders?saleId={sale.SaleId}"));
        Assert.Single(await sale.Server.Operator.AllAsync("/v1/orders"));
        Assert.Single(await sale.Shop.AllAsync("/v1/orders?userId=u-1"));
        Assert.Empty(await sale.Shop.AllAsync("/v1/orders?userId=u-2"));
        (await sale.Shop.GetAsync("/v1/orders")).Refuses(400, "invalid_parameter");
    }

    private static string Many(string item, int count) => string.Join(',', Enumerable.Repeat(item, count));
}
