using Floodgate.Checkout.Orders;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Signals;

// Goal: buyers see what sells fastest, net of what was given back, each order counted once, also after a restart.
// Method: facts in the log as Orders writes them, read through the front door on both databases.
public sealed class When_products_sell(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task The_fastest_comes_first_and_a_cancellation_takes_away(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var sale = await SoldFacts.SaleAsync(shop);
        var shirt = await SoldFacts.ProductAsync(shop, sale, "Shirt");
        var cap = await SoldFacts.ProductAsync(shop, sale, "Cap");
        await SoldFacts.PlantAsync(
            server,
            SoldFacts.Of(OrderEvents.Confirmed, shop, sale, shirt, 3),
            SoldFacts.Of(OrderEvents.Confirmed, shop, sale, cap, 2));
        await RankedAsync(shop, sale, "Shirt 3", "Cap 2");

        await SoldFacts.PlantAsync(server, SoldFacts.Of(OrderEvents.Cancelled, shop, sale, shirt, 2));
        await RankedAsync(shop, sale, "Cap 2", "Shirt 1");
        await SoldFacts.PlantAsync(server, SoldFacts.Of(OrderEvents.Cancelled, shop, sale, shirt, 1));
        await RankedAsync(shop, sale, "Cap 2");
    }

    [Theory, OnBothDatabases]
    public async Task A_product_is_sold_out_until_units_come_back(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var sale = await SoldFacts.SaleAsync(shop);
        var poster = await SoldFacts.ProductAsync(shop, sale, "Poster", stock: 5);
        await SoldFacts.PlantAsync(server, SoldFacts.Of(OrderEvents.Confirmed, shop, sale, poster, 5));
        await SoldOutAsync(shop, sale, isSoldOut: true);
        await SoldFacts.PlantAsync(server, SoldFacts.Of(OrderEvents.Cancelled, shop, sale, poster, 1));
        await SoldOutAsync(shop, sale, isSoldOut: false);
    }

    // Goal: what is told twice counts once, and a restart forgets nothing. Method: the same event appended again, and a
    // group that forgot how far it was.
    [Theory, OnBothDatabases]
    public async Task An_order_counts_once_and_a_restart_forgets_none(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var sale = await SoldFacts.SaleAsync(shop);
        var shirt = await SoldFacts.ProductAsync(shop, sale, "Shirt");
        var order = SoldFacts.Of(OrderEvents.Confirmed, shop, sale, shirt, 4);
        await SoldFacts.PlantAsync(server, order, order);
        await RankedAsync(shop, sale, "Shirt 4");

        await server.TamperAsync(
            "update log_group_offset set next_offset = 0 where group_name = 'ranking' returning 1");
        await server.RestartAsync();
        shop = server.Again(shop);
        await SoldFacts.PlantAsync(server, order, SoldFacts.Of(OrderEvents.Confirmed, shop, sale, shirt, 1));
        await RankedAsync(shop, sale, "Shirt 5");
    }

    // Goal: what sold long ago is not fast now, and what is older than the log keeps counts nowhere.
    [Theory, OnBothDatabases]
    public async Task What_sold_before_the_window_is_in_the_top_only(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var sale = await SoldFacts.SaleAsync(shop);
        var old = await SoldFacts.ProductAsync(shop, sale, "Old");
        var ancient = await SoldFacts.ProductAsync(shop, sale, "Ancient");
        var now = await SoldFacts.ProductAsync(shop, sale, "Now");
        await SoldFacts.PlantAsync(
            server,
            SoldFacts.Of(OrderEvents.Confirmed, shop, sale, ancient, 1_000_000, TimeSpan.FromDays(32)),
            SoldFacts.Of(OrderEvents.Confirmed, shop, sale, old, 900_000, TimeSpan.FromDays(2)),
            SoldFacts.Of(OrderEvents.Confirmed, shop, sale, now, 1));
        await RankedAsync(shop, sale, "Now 1");
        await PaymentServer.EventuallyAsync("the top has it", async () => (await shop.GetAsync(
            "/v1/rankings/top?days=3&limit=100")).Expect(200).Text.Contains($"{old}", StringComparison.Ordinal));
        var top = (await shop.GetAsync("/v1/rankings/top?days=3&limit=100")).Expect(200).Text;
        Assert.DoesNotContain($"{ancient}", top);
        Assert.DoesNotContain($"{old}", (await shop.GetAsync("/v1/rankings/top?days=1&limit=100")).Expect(200).Text);
    }

    [Theory, OnBothDatabases]
    public async Task What_cannot_be_asked_is_refused(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        foreach (var path in new[]
        {
            "fast-selling?saleId=seven", "fast-selling?limit=0", "fast-selling?limit=101", "top?days=0", "top?days=4",
        })
        {
            (await server.Nobody.GetAsync($"/v1/rankings/{path}")).Refuses(400, "invalid_parameter");
        }
    }

    private static Task RankedAsync(Shop shop, string sale, params string[] expected)
    {
        var last = "";
        return PaymentServer.EventuallyAsync($"{string.Join(", ", expected)} are ranked: {last}", async () =>
        {
            var reply = (await shop.GetAsync($"/v1/rankings/fast-selling?saleId={sale}")).Expect(200);
            last = reply.Text;
            return reply.Json.GetProperty("data").EnumerateArray()
                .Select(one => $"{one.GetProperty("name").GetString()} {one.GetProperty("units").GetInt64()}")
                .SequenceEqual(expected);
        });
    }

    private static Task SoldOutAsync(Shop shop, string sale, bool isSoldOut) => PaymentServer.EventuallyAsync(
        $"sold out is {isSoldOut}",
        async () => (await shop.GetAsync($"/v1/rankings/fast-selling?saleId={sale}")).Expect(200).Json
            .GetProperty("data").EnumerateArray()
            .Any(one => (one.GetProperty("soldOutAt").GetString() is not null) == isSoldOut));
}
