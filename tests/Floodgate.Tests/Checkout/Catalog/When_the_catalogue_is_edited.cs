using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Xunit;

namespace Floodgate.Tests.Checkout.Catalog;

// Goal: sales and products are made once, changed by their owners only and never over somebody's head, and everybody
// reads a change at once from the node that made it. Method: through the front door, on both databases.
public sealed class When_the_catalogue_is_edited(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string Sale = """
        {"name":"Spring","currency":"KRW","opensAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z"}
        """;

    [Theory, OnBothDatabases]
    public async Task A_sale_is_made_once_for_its_key(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var made = (await PostAsync(shop, "/v1/sales", Sale, "k")).Expect(201);
        Assert.Equal(("ACTIVE", 1, shop.MerchantId), (made.Of("state"), made.Number("version"), made.Of("merchantId")));
        var again = (await PostAsync(shop, "/v1/sales", Sale, "k")).Expect(201);
        Assert.True(again.IsReplay);
        Assert.Equal(made.Id, again.Id);
        var other = await PostAsync(shop, "/v1/sales", Sale.Replace("Spring", "Fall"), "k");
        other.Refuses(422, "idempotency_key_reused");
        Assert.Equal("Spring", (await shop.GetAsync($"/v1/sales/{made.Id}")).Expect(200).Of("name"));

        // A repeat that comes after a change is still a repeat, and shows the sale as it is.
        await ChangeSaleAsync(shop, made.Id, 1, "Summer");
        Assert.Equal("Summer", (await PostAsync(shop, "/v1/sales", Sale, "k")).Expect(201).Of("name"));
    }

    [Theory, OnBothDatabases]
    public async Task The_clock_opens_and_ends_a_sale(Stored stored)
    {
        var shop = await OpenAsync(stored);
        foreach (var (opens, ends, state) in new[]
        {
            ("2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "SCHEDULED"),
            ("2020-01-01T00:00:00+09:00", "2020-01-02T00:00:00+09:00", "ENDED"),
        })
        {
            var made = await PostAsync(shop, "/v1/sales", Sale.Replace("2020-01-01T00:00:00Z", opens)
                .Replace("2099-01-01T00:00:00Z", ends), shop.NewKey());
            Assert.Equal(state, made.Expect(201).Of("state"));
        }
    }

    [Theory, OnBothDatabases]
    public async Task Of_two_changes_to_one_version_one_wins(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var sale = await SaleAsync(shop);
        var product = await ProductAsync(shop, sale);
        for (var version = 1; version <= 10; version++)
        {
            var replies = await Task.WhenAll(
                ChangeAsync(shop, product, version, "left"), ChangeAsync(shop, product, version, "right"));
            var won = Assert.Single(replies, reply => reply.Status == 200);
            Assert.Single(replies, reply => reply.Status != 200).Refuses(409, "product_update_conflict");
            var now = (await shop.GetAsync($"/v1/products/{product}")).Expect(200);
            Assert.Equal((won.Of("name"), version + 1), (now.Of("name"), now.Number("version")));
        }
    }

    [Theory, OnBothDatabases]
    public async Task A_merchant_changes_only_its_own(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var sale = await SaleAsync(shop);
        var product = await ProductAsync(shop, sale);

        (await ChangeSaleAsync(other, sale, 1, "mine")).Refuses(404, "not_found");
        (await other.SendAsync("DELETE", $"/v1/sales/{sale}?version=1")).Refuses(404, "not_found");
        (await ChangeAsync(other, product, 1, "mine")).Refuses(404, "not_found");
        (await other.SendAsync("DELETE", $"/v1/products/{product}?version=1")).Refuses(404, "not_found");
        (await PostAsync(other, "/v1/products", Stock(sale), "k")).Refuses(404, "not_found");
        (await PostAsync(shop, "/v1/sales", WithMerchant(Sale, other.MerchantId), "f")).Refuses(403, "forbidden");

        // An operator's sale carries the products of many, and only operators put them there.
        var shared = (await PostAsync(server.Operator, "/v1/sales", Sale, $"shared {sale}")).Expect(201).Id;
        (await PostAsync(shop, "/v1/products", Stock(shared), "k2")).Refuses(404, "not_found");
        (await PostAsync(server.Operator, "/v1/products", Stock(shared), $"a {sale}")).Refuses(400, "invalid_field");
        foreach (var owner in new[] { shop, other })
        {
            var made = await PostAsync(
                server.Operator, "/v1/products", WithMerchant(Stock(shared), owner.MerchantId), owner.MerchantId);
            Assert.Equal(owner.MerchantId, made.Expect(201).Of("merchantId"));
        }

        Assert.Equal(2, (await shop.GetAsync($"/v1/products?saleId={shared}")).Expect(200).Json
            .GetProperty("data").GetArrayLength());
    }

    [Theory, OnBothDatabases]
    public async Task A_sale_with_products_stays_and_keeps_its_currency(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var sale = await SaleAsync(shop);
        var euros = Sale.Replace("KRW", "EUR").Replace("{", "{\"version\":1,");
        var product = await ProductAsync(shop, sale);
        (await shop.SendAsync("PUT", $"/v1/sales/{sale}", euros)).Refuses(409, "sale_in_use");
        (await shop.SendAsync("DELETE", $"/v1/sales/{sale}?version=1")).Refuses(409, "sale_in_use");

        var withdrawn = (await shop.SendAsync("DELETE", $"/v1/products/{product}?version=1")).Expect(200);
        Assert.Equal(("True", 2), (withdrawn.Of("withdrawn"), withdrawn.Number("version")));
        var again = (await shop.SendAsync("DELETE", $"/v1/products/{product}?version=1")).Expect(200);
        Assert.Equal(2, again.Number("version"));
        Assert.Equal("True", (await shop.GetAsync($"/v1/products/{product}")).Of("withdrawn"));

        var empty = await SaleAsync(shop);
        (await shop.SendAsync("PUT", $"/v1/sales/{empty}", euros)).Expect(200);
        Assert.Equal(204, (await shop.SendAsync("DELETE", $"/v1/sales/{empty}?version=2")).Status);
        (await shop.GetAsync($"/v1/sales/{empty}")).Refuses(404, "not_found");
    }

    [Theory, OnBothDatabases]
    public async Task Seats_keep_the_prices_they_refer_to(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var sale = await SaleAsync(shop);
        var hall = $$"""
            {"saleId":"{{sale}}","name":"Hall","tiers":[{"name":"R","amount":900},{"name":"S","amount":500}],
             "seats":[{"section":"A","row":"1","seats":20,"tier":"R"},{"section":"A","row":"2","seats":30,"tier":"S"}],
             "limitPerBuyer":4}
            """;
        var made = (await PostAsync(shop, "/v1/products", hall, "hall")).Expect(201);
        Assert.Equal(("SEATS", 50, 4), (made.Of("kind"), made.Number("capacity"), made.Number("limitPerBuyer")));
        (await shop.SendAsync("PUT", $"/v1/products/{made.Id}",
            """{"version":1,"name":"Hall","tiers":[{"name":"R","amount":900}]}""")).Refuses(409, "tier_in_use");
        (await shop.SendAsync("PUT", $"/v1/products/{made.Id}",
            """{"version":1,"name":"Hall","tiers":[{"name":"S","amount":1},{"name":"R","amount":2}]}""")).Expect(200);
    }

    [Theory, OnBothDatabases]
    public async Task Products_come_page_by_page_each_once(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var sale = await SaleAsync(shop);
        var ids = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            ids.Add(await ProductAsync(shop, sale));
        }

        var seen = new List<string>();
        for (var more = true; more;)
        {
            var after = seen.Count == 0 ? "" : $"&starting_after={seen[^1]}";
            var page = (await shop.GetAsync($"/v1/products?saleId={sale}&limit=3{after}")).Expect(200).Json;
            seen.AddRange(page.GetProperty("data").EnumerateArray().Select(p => p.GetProperty("id").GetString()!));
            more = page.GetProperty("has_more").GetBoolean();
        }

        Assert.Equal(ids.Order(StringComparer.Ordinal), seen); // Two ids of one millisecond come in any order.
    }

    [Theory, OnBothDatabases]
    public async Task What_cannot_be_is_refused_with_the_field_and_what_to_do(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var sale = await SaleAsync(shop);
        var mistakes = new List<string>();
        foreach (var (path, body, code) in WrongBodies(sale))
        {
            var reply = await PostAsync(shop, path, body, "wrong");
            if (reply.Status != 400 || reply.Code != code)
            {
                mistakes.Add($"{body} -> {reply.Status} {reply.Text}");
            }
        }

        Assert.True(mistakes.Count == 0, string.Join("\n", mistakes));
        var nowhere = await PostAsync(shop, "/v1/products", Stock("0198c0de-0000-7000-8000-000000000000"), "w");
        nowhere.Refuses(404, "not_found");
        (await shop.SendAsync("POST", "/v1/sales", Sale)).Refuses(400, "idempotency_key_missing");
        (await shop.SendAsync("PUT", $"/v1/sales/{sale}", Sale)).Refuses(400, "invalid_field");
        (await shop.SendAsync("DELETE", $"/v1/sales/{sale}")).Refuses(400, "invalid_parameter");
        (await shop.GetAsync("/v1/products?saleId=seven")).Refuses(400, "invalid_parameter");
        (await shop.GetAsync("/v1/sales/seven")).Refuses(404, "not_found");
        Assert.Equal(0, (await shop.GetAsync($"/v1/products?saleId={sale}")).Json.GetProperty("data").GetArrayLength());
    }

    private static IEnumerable<(string Path, string Body, string Code)> WrongBodies(string sale)
    {
        const string Sales = "/v1/sales";
        const string Products = "/v1/products";
        yield return (Sales, Sale.Replace("KRW", "krw"), "invalid_field");
        yield return (Sales, Sale.Replace("2099", "2019"), "invalid_field");
        yield return (Sales, Sale.Replace("2099-01-01T00:00:00Z", "soon"), "invalid_body");
        yield return (Sales, Sale.Replace("Spring", " "), "invalid_field");
        yield return (Sales, Sale.Replace("Spring", new string('x', 101)), "invalid_field");
        yield return (Sales, Sale.Replace("{", "{\"surprise\":1,"), "invalid_body");
        foreach (var fields in new[]
        {
            "\"stock\":5", "\"price\":5", "\"stock\":-1,\"price\":5", "\"stock\":5,\"price\":0",
            "\"stock\":5,\"price\":1000000000001", "\"stock\":1000000001,\"price\":5",
            "\"stock\":5,\"price\":5,\"tiers\":[{\"name\":\"a\",\"amount\":1}]", "\"stock\":5,\"tiers\":[]",
            "\"stock\":5,\"tiers\":[{\"name\":\"a\",\"amount\":1},{\"name\":\"b\",\"amount\":1}]",
            "\"stock\":5,\"price\":5,\"limitPerBuyer\":0", "\"stock\":5,\"price\":5,\"commissionClass\":\"\"",
            Seats("[]"), Seats(Row("A", "1", 0)), Seats(Row("A", "1", 201)), Seats(Row("A-B", "1", 5)),
            Seats(Row("A", "", 5)), Seats(Row("A", "1", 5, "B")), Seats($"[{Row("A", "1", 5)},{Row("A", "1", 5)}]"),
            Seats(Row("A", "1", 5)) + ",\"stock\":5",
        })
        {
            yield return (Products, $"{{\"saleId\":\"{sale}\",\"name\":\"n\",{fields}}}", "invalid_field");
        }

        static string Seats(string rows) =>
            $"\"tiers\":[{{\"name\":\"T\",\"amount\":5}}],\"seats\":{(rows[0] == '[' ? rows : $"[{rows}]")}";

        static string Row(string section, string row, int seats, string tier = "T") =>
            $"{{\"section\":\"{section}\",\"row\":\"{row}\",\"seats\":{seats},\"tier\":\"{tier}\"}}";
    }

    private async Task<Shop> OpenAsync(Stored stored) =>
        await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();

    private static async Task<string> SaleAsync(Shop shop) =>
        (await PostAsync(shop, "/v1/sales", Sale, shop.NewKey())).Expect(201).Id;

    private static async Task<string> ProductAsync(Shop shop, string sale) =>
        (await PostAsync(shop, "/v1/products", Stock(sale), shop.NewKey())).Expect(201).Id;

    private static string Stock(string sale) => $$"""{"saleId":"{{sale}}","name":"Shirt","stock":100,"price":15000}""";

    private static string WithMerchant(string json, string merchantId) =>
        json.Replace("{", $"{{\"merchantId\":\"{merchantId}\",");

    private static Task<Reply> ChangeAsync(Shop shop, string product, int version, string name) => shop.SendAsync(
        "PUT", $"/v1/products/{product}", $$"""{"version":{{version}},"name":"{{name}}","price":15000}""");

    private static Task<Reply> ChangeSaleAsync(Shop shop, string sale, int version, string name) => shop.SendAsync(
        "PUT", $"/v1/sales/{sale}", Sale.Replace("Spring", name).Replace("{", $"{{\"version\":{version},"));

    private static Task<Reply> PostAsync(Shop shop, string path, string json, string key) =>
        shop.SendAsync("POST", path, json, $"Idempotency-Key: {key}");
}
