using Floodgate.Checkout.Orders;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Signals;

// Goal: a reader that keeps its offset sees every fact once and in order, and nothing but facts. Method: events of one
// partition, read page by page through the front door on both databases.
public sealed class When_facts_are_fed(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_partition_is_read_page_by_page_in_its_order(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var sale = await SoldFacts.SaleAsync(shop);
        var product = await SoldFacts.ProductAsync(shop, sale, "Shirt");
        await SoldFacts.PlantAsync(server, [.. Enumerable.Range(1, 7)
            .Select(i => SoldFacts.Of(OrderEvents.Confirmed, shop, sale, product, i))]);
        var partition = OrderEvents.DataPlatform.PartitionOf(sale);
        var feed = $"/v1/ops/feed?topic=data-platform-events&partition={partition}";

        var quantities = new List<int>();
        var offset = 0L;
        for (var end = 1L; offset < end;)
        {
            var page = (await server.Operator.GetAsync($"{feed}&limit=3&offset={offset}")).Expect(200);
            Assert.InRange(page.Json.GetProperty("data").GetArrayLength(), 1, 3);
            quantities.AddRange(page.Json.GetProperty("data").EnumerateArray().Select(
                one => one.GetProperty("payload").GetProperty("lines")[0].GetProperty("quantity").GetInt32()));
            (offset, end) = (page.Number("nextOffset"), page.Number("endOffset"));
        }

        Assert.Equal(Enumerable.Range(1, 7), quantities);
        var last = (await server.Operator.GetAsync($"{feed}&offset={offset}")).Expect(200);
        Assert.Equal((0, 7), (last.Json.GetProperty("data").GetArrayLength(), last.Number("nextOffset")));
        (await server.Operator.GetAsync($"{feed}&offset=8")).Refuses(409, "offset_ahead");
    }

    [Theory, OnBothDatabases]
    public async Task Only_facts_are_shown_and_only_to_operators(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        (await shop.GetAsync("/v1/ops/feed?topic=data-platform-events")).Refuses(403, "forbidden");
        foreach (var query in new[]
        {
            "", "?topic=payment-requests", "?topic=payment-results", "?topic=data-platform-events&partition=6",
            "?topic=data-platform-events&offset=-1", "?topic=data-platform-events&limit=1001",
        })
        {
            (await server.Operator.GetAsync($"/v1/ops/feed{query}")).Refuses(400, "invalid_parameter");
        }

        (await server.Operator.GetAsync("/v1/ops/feed?topic=payment.captured&partition=9")).Expect(200);
    }
}
