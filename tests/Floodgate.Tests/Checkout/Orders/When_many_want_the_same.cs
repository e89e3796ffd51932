using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Orders;

// Goal: nothing is sold twice and nothing is left over, however many come at once. Method: the crowds of the
// requirements over HTTP, on both databases; the availability, the list of orders and the checks are the witnesses.
public sealed class When_many_want_the_same(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task Of_500_buyers_of_10_units_10_get_one(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var product = await sale.StockAsync(10);
        var replies = await AllAsync(500, n => sale.OrderAsync($"u-{n}", SaleServer.Item(product, 1), wait: 0));
        Assert.Equal(10, replies.Count(r => r.Status == 201));
        Assert.All(replies.Where(r => r.Status != 201), r => r.Refuses(409, "insufficient_stock"));
        await AssertSoldAsync(sale, product, (0, 10, 0), 10);
    }

    [Theory, OnBothDatabases]
    public async Task Of_500_buyers_of_50_seats_each_seat_is_one_buyers(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var product = await sale.SeatsAsync(20, 20, 10);
        var replies = await AllAsync(500, n => sale.OrderAsync(
            $"u-{n}", SaleServer.Seat(product, $"A-{(n % 50 / 20) + 1}-{(n % 50 % 20) + 1}"), wait: 0));
        Assert.Equal(50, replies.Count(r => r.Status == 201));
        // Once the last seat is gone, those who come later are told that nothing is left at all.
        Assert.All(
            replies.Where(r => r.Status != 201), r => Assert.True(r.Code is "seat_taken" or "insufficient_stock",
                r.Text));
        await AssertSoldAsync(sale, product, (0, 50, 0), 50);
    }

    [Theory, OnBothDatabases]
    public async Task Of_1000_buyers_of_100_units_100_get_one_with_limits_and_repeats(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var product = await sale.StockAsync(100, more: "\"limitPerBuyer\":1");
        // Each buyer comes twice with the same key and once with another.
        var replies = await AllAsync(1_000, n => sale.OrderAsync(
            $"u-{n % 350}", SaleServer.Item(product, 1), key: n < 700 ? $"once-{n % 350}" : $"again-{n}", wait: 0));
        var placed = replies.Where(r => r.Status == 201).ToList();
        Assert.Equal(100, placed.Select(r => r.Id).Distinct().Count());
        Assert.All(placed.GroupBy(r => r.Id), same => Assert.Single(same, r => !r.IsReplay));
        Assert.All(replies.Where(r => r.Status != 201), r => Assert.True(
            r.Code is "insufficient_stock" or "limit_per_buyer" or "idempotency_key_in_use", r.Text));
        await AssertSoldAsync(sale, product, (0, 100, 0), 100);
    }

    [Theory, OnBothDatabases]
    public async Task Pairs_of_the_best_seats_fill_the_house(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var product = await sale.SeatsAsync(20, 20, 20, 20);
        var replies = await AllAsync(60, n => sale.OrderAsync($"u-{n}", SaleServer.Item(product, 2), wait: 0));
        var pairs = replies.Where(r => r.Status == 201).Select(r => r.Json.GetProperty("lines")[0].GetProperty("seats")
            .EnumerateArray().Select(seat => seat.GetString()!).ToList()).ToList();
        Assert.Equal(40, pairs.Count);
        Assert.All(pairs, pair => Assert.Equal(NumberOf(pair[0]) + 1, NumberOf(pair[1])));
        Assert.Equal(80, pairs.SelectMany(pair => pair).Distinct().Count());
        await AssertSoldAsync(sale, product, (0, 80, 0), 40);
    }

    [Theory, OnBothDatabases]
    public async Task What_comes_back_is_sold_again_though_all_was_known_to_be_gone(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var product = await sale.StockAsync(1);
        var first = (await sale.OrderAsync("u-1", SaleServer.Item(product, 1), key: "first")).Expect(201);
        for (var n = 0; n < 20; n++)
        {
            (await sale.OrderAsync("u-2", SaleServer.Item(product, 1))).Refuses(409, "insufficient_stock");
        }

        // Whoever has it asks again for the answer, and gets it.
        Assert.True((await sale.OrderAsync("u-1", SaleServer.Item(product, 1), key: "first")).Expect(201).IsReplay);
        (await sale.ChangeAsync(first.Id, "cancel")).Expect(200);
        (await sale.OrderAsync("u-2", SaleServer.Item(product, 1))).Expect(201);
        (await sale.OrderAsync("u-1", SaleServer.Item(product, 1))).Refuses(409, "insufficient_stock");
    }

    private static int NumberOf(string seat) => int.Parse(seat.Split('-')[2]);

    private static async Task<Reply[]> AllAsync(int count, Func<int, Task<Reply>> order) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(n => Task.Run(() => order(n))));

    private static async Task AssertSoldAsync(
        SaleServer sale, string product, (long Available, long Held, long Sold) expected, int orders)
    {
        var last = (0L, 0L, 0L);
        await Eventually.HoldsAsync(
            async () => (last = await sale.StockOfAsync(product)) == expected,
            () => $"the stock is {expected}, not {last}");
        Assert.Equal(orders, (await sale.Shop.AllAsync($"/v1/orders?saleId={sale.SaleId}")).Count);
        Assert.Empty(await sale.Server.BrokenAsync());
    }
}
