using System.Text;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Catalog.Imports;
using Floodgate.Storage.Database;
using Floodgate.Tests.Docs;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Checkout.Catalog;

// Goal: a file becomes sales and products as a whole or not at all, once, and every fault in it is told with its place.
// Method: through the front door, on both databases; the files that the documents show among them.
public sealed class When_a_catalogue_is_imported(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string Imports = "/v1/catalogue/imports";
    private const string Head = "kind,sale,product,name,currency,opensAt,endsAt,stock,price,tier,section,row,seats\n";
    private const string Sale = "sale,s,,Drop,KRW,2020-01-01T00:00:00Z,2099-01-01T00:00:00Z,,,,,,\n";

    [Theory, OnBothDatabases]
    public async Task The_concert_of_the_documents_is_imported_once(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var file = Document.Read("docs/examples/concert.json");
        var dry = (await ImportAsync(shop, file, "?dryRun=true")).Expect(200);
        Assert.Equal((true, true, "1 0 0", "2 0 0"), Told(dry));
        Assert.False(dry.Json.GetProperty("saleList")[0].TryGetProperty("id", out _));

        var made = (await ImportAsync(shop, file)).Expect(200);
        Assert.Equal((false, true, "1 0 0", "2 0 0"), Told(made));
        var sale = made.Json.GetProperty("saleList")[0].GetProperty("id").GetString();
        var shown = (await shop.GetAsync($"/v1/sales/{sale}")).Expect(200);
        Assert.Equal(
            ("spring-2026", "2026-03-01T11:00:00.000Z", shop.MerchantId, 1),
            (shown.Of("ref"), shown.Of("opensAt"), shown.Of("merchantId"), shown.Number("version")));
        var hall = await ProductAsync(shop, sale!, "hall");
        Assert.Equal(
            (72, "SEATS", 4, "concert"),
            (Number(hall, "capacity"), Text(hall, "kind"), Number(hall, "limitPerBuyer"),
                Text(hall, "commissionClass")));
        Assert.Equal(500, Number(await ProductAsync(shop, sale!, "poster"), "capacity"));
        var seats = (await shop.GetAsync($"/v1/sales/{sale}/seats?productId={Text(hall, "id")}")).Expect(200);
        Assert.Contains("\"section\":\"B\"", seats.Text);

        var again = (await ImportAsync(shop, file)).Expect(200);
        Assert.Equal((false, false, "0 0 1", "0 0 2"), Told(again));
        Assert.Equal(sale, again.Json.GetProperty("saleList")[0].GetProperty("id").GetString());
        Assert.Equal(2, (await ProductsAsync(shop, sale!)).Count);
    }

    [Theory, OnBothDatabases]
    public async Task The_drop_of_the_documents_is_imported_and_can_be_bought(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var file = Document.Read("docs/examples/drop.csv").Replace("2026-05-01T18", "2020-05-01T18")
            .Replace("2026-05-01T20", "2099-05-01T20");
        var made = (await ImportCsvAsync(shop, file)).Expect(200);
        Assert.Equal((false, true, "1 0 0", "3 0 0"), Told(made));
        var sale = made.Json.GetProperty("saleList")[0].GetProperty("id").GetString()!;
        Assert.Equal("Drop 7, limited", (await shop.GetAsync($"/v1/sales/{sale}")).Of("name"));
        var launch = await ProductAsync(shop, sale, "launch");
        Assert.Equal(("Launch \"night\"", 28), (Text(launch, "name"), Number(launch, "capacity")));
        var order = await shop.SendAsync(
            "POST", "/v1/orders",
            $$"""
            {"saleId":"{{sale}}","userId":"ada","items":[
              {"productId":"{{Text(launch, "id")}}","seats":["S-2-16"]},
              {"productId":"{{Text(await ProductAsync(shop, sale, "shoe-42"), "id")}}","quantity":1}]}
            """,
            "Idempotency-Key: o", "Prefer: wait=30");
        Assert.Equal(2_900 + 18_900, order.Expect(201).Json.GetProperty("amount").GetProperty("amount").GetInt64());

        // The same said as Windows programs write it is the same.
        var windows = (await shop.PostFileAsync(
            Imports,
            [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(file.Replace("\n", "\r\n"))],
            "text/csv")).Expect(200);
        Assert.Equal((false, false, "0 0 1", "0 0 3"), Told(windows));
    }

    [Theory, OnBothDatabases]
    public async Task Other_content_changes_what_PUT_would_change_and_no_more(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var file = $"{Head}{Sale}{Stock("shirt", 100, 900)}{Stock("mug", 50, 500)}";
        var sale = await SaleIdAsync(shop, file);
        var changed = (await ImportCsvAsync(shop, file.Replace("Drop", "Drop 2").Replace("900", "950"))).Expect(200);
        Assert.Equal((false, true, "0 1 0", "0 1 1"), Told(changed));
        Assert.Equal(("Drop 2", 2), await NameAndVersionAsync(shop, sale));
        var shirt = await ProductAsync(shop, sale, "shirt");
        Assert.Equal((950, 2), (Number(shirt.GetProperty("tiers")[0], "amount"), Number(shirt, "version")));

        // Back again is a change too: version 3.
        (await ImportCsvAsync(shop, file)).Expect(200);
        Assert.Equal(("Drop", 3), await NameAndVersionAsync(shop, sale));
        var fixedOnes = await ImportCsvAsync(
            shop, file.Replace(",100,900", ",101,900").Replace(",50,500", ",,500") + "row,s,mug,,,,,,,,A,1,50\n");
        Assert.Equal(["line 3 product_fixed", "line 4 product_fixed"], Faults(fixedOnes));
        Assert.Equal(["line 2 sale_in_use"], Faults(await ImportCsvAsync(shop, file.Replace("KRW", "EUR"))));
        Assert.Equal(("Drop", 3), await NameAndVersionAsync(shop, sale));
    }

    // Goal: a file never undoes what somebody changed by hand unless it says so.
    [Theory, OnBothDatabases]
    public async Task A_change_by_hand_is_not_overwritten_unseen(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var file = $"{Head}{Sale}{Stock("shirt", 100, 900)}";
        var sale = await SaleIdAsync(shop, file);
        var id = Text(await ProductAsync(shop, sale, "shirt"), "id");
        (await shop.SendAsync("PUT", $"/v1/products/{id}", """{"version":1,"name":"By hand","price":1}""")).Expect(200);

        Assert.Equal((false, false, "0 0 1", "0 0 1"), Told((await ImportCsvAsync(shop, file)).Expect(200)));
        var other = file.Replace("900", "950");
        Assert.Equal(["line 3 product_update_conflict"], Faults(await ImportCsvAsync(shop, other)));
        var wrong = WithVersion(other, 1);
        Assert.Equal(["line 3 product_update_conflict"], Faults(await ImportCsvAsync(shop, wrong)));
        var said = (await ImportCsvAsync(shop, WithVersion(other, 2))).Expect(200);
        Assert.Equal((false, true, "0 0 1", "0 1 0"), Told(said));
        Assert.Equal(3, Number(await ProductAsync(shop, sale, "shirt"), "version"));

        static string WithVersion(string file, int version) => file.Replace("seats\n", "seats,version\n")
            .Replace(",,,,,,\n", ",,,,,,,\n").Replace("950,,,,\n", $"950,,,,,{version}\n");
    }

    [Theory, OnBothDatabases]
    public async Task Every_fault_is_told_with_its_line_and_nothing_is_stored(Stored stored)
    {
        var shop = await OpenAsync(stored);
        var file = $"""
            {Head}{Sale}{Sale}sale,late,,Late,KRW,2099-01-01T00:00:00Z,2020-01-01T00:00:00,,,,,,
            sale,gone,,Gone,krw,2099-01-01T00:00:00Z,2020-01-01T00:00:00Z,,,,,,
            product,s,shirt,Shirt,,,,many,900,,,,
            product,s,mug,,EUR,,,-1,0,,,,
            product,s,mug,Mug,,,,5,900,,,,
            product,nowhere,cap,Cap,,,,5,900,,,,
            product,s,hall,Hall,,,,,,,,,
            tier,s,hall,,,,,,0,vip,,,
            row,s,hall,,,,,,,std,A-B,1,20
            row,s,lost,,,,,,,std,A,1,20
            ticket,s,x,,,,,,,,,,
            sale,seats,,S,KRW,2020-01-01T00:00:00Z,2099-01-01T00:00:00Z,,,,,,7
            short,s
            "broken"x,s
            """;
        var refused = (await ImportCsvAsync(shop, file)).Refuses(422, "import_refused");
        Assert.Equal(
            [
                "line 11 invalid_field", "line 12 invalid_field", "line 13 unknown_product",
                "line 14 invalid_field", "line 15 invalid_field", "line 16 malformed", "line 17 malformed",
                "line 3 duplicate", "line 4 invalid_field", "line 5 invalid_field", "line 5 invalid_field",
                "line 6 invalid_field", "line 7 invalid_field", "line 7 invalid_field", "line 7 invalid_field",
                "line 7 mixed_currencies", "line 8 duplicate", "line 9 unknown_sale",
            ],
            Faults(refused).Order(StringComparer.Ordinal));
        var stillNew = (await ImportCsvAsync(shop, Head + Sale)).Expect(200);
        Assert.Equal("1 0 0", Told(stillNew).Sales);
    }

    [Theory, OnBothDatabases]
    public async Task Faults_of_JSON_are_told_with_their_paths(Stored stored)
    {
        var shop = await OpenAsync(stored);
        const string Times = "\"opensAt\":\"2020-01-01T00:00:00Z\",\"endsAt\":\"2099-01-01T00:00:00Z\"";
        var refused = await ImportAsync(shop, $$"""
            {"sales":[
              {"ref":"a","name":"A","currency":"KRW",{{Times}},"products":[
                {"ref":"p","name":"P","stock":1,"price":5,"colour":"red"},
                {"ref":"q","name":"Q","tiers":[{"name":"T","amount":5},{"name":"U","amount":0}],
                 "seats":[{"section":"A","row":"1","seats":5,"tier":"V"}]},
                {"ref":"q","name":"Q","stock":1,"price":5},
                {"ref":"r","name":"R","stock":1,"price":5,"merchantId":"somebody"}]},
              {"ref":"b","currency":"KRW",{{Times}},"products":[{"ref":"p","name":"P","stock":"1"}]}]}
            """);
        refused.Refuses(422, "import_refused");
        Assert.Equal(
            [
                "$.sales[0].products[0] invalid_body", "$.sales[0].products[1].seats[0].tier invalid_field",
                "$.sales[0].products[1].tiers[1].amount invalid_field", "$.sales[0].products[2].ref duplicate",
                "$.sales[0].products[3].merchantId forbidden", "$.sales[1] invalid_body",
                "$.sales[1].products[0] invalid_body",
            ],
            Faults(refused).Order(StringComparer.Ordinal));
        Assert.Contains("$.sales[0].products[0] has no field \\\"colour\\\"", refused.Text);
        Assert.Contains("$.sales[1].name is missing", refused.Text);
    }

    [Theory, OnBothDatabases]
    public async Task What_is_no_catalogue_is_refused_with_what_to_do(Stored stored)
    {
        var shop = await OpenAsync(stored);
        Assert.Equal(["line 2 not_utf8"], Faults(await shop.PostFileAsync(
            Imports, [.. Encoding.UTF8.GetBytes(Head), .. Encoding.Latin1.GetBytes("sale,caf\u00E9\n")], "text/csv")));
        Assert.Equal(["$ invalid_body"], Faults(await ImportAsync(shop, "[]")));
        Assert.Equal(["line 2 malformed"], Faults(await ImportAsync(shop, "{\"sales\":\n[")));
        Assert.Equal(["file malformed"], Faults(await ImportAsync(shop, "{\"sales\":[]}")));
        Assert.Equal(["file malformed"], Faults(await ImportCsvAsync(shop, Head)));
        Assert.Equal(["line 1 malformed"], Faults(await ImportCsvAsync(shop, "")));
        Assert.Equal(
            ["line 1 missing_column", "line 1 unknown_column"],
            Faults(await ImportCsvAsync(shop, "kind,Sale,product\nsale,s,\n")).Order(StringComparer.Ordinal));
        Assert.Equal(
            ["line 1 missing_column", "line 1 missing_column", "line 1 unknown_column"],
            Faults(await ImportCsvAsync(shop, "kind;sale\n")).Order(StringComparer.Ordinal));
        (await shop.PostFileAsync(Imports, "x"u8.ToArray(), "text/plain")).Refuses(415, "unsupported_media_type");
        (await ImportAsync(shop, "{}", "?dryRun=perhaps")).Refuses(400, "invalid_parameter");

        // The first hundred of many are told, and all are counted.
        var many = await ImportCsvAsync(shop, Head + string.Concat(Enumerable.Repeat("what,s,,,,,,,,,,,\n", 250)));
        Assert.Equal((100, 250), (Faults(many).Count, many.Number("faultCount")));
    }

    [Theory, OnBothDatabases]
    public async Task Each_imports_what_it_may(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var file = $"{Head}{Sale}{Stock("shirt", 100, 900)}";
        var mine = await SaleIdAsync(shop, file);
        Assert.NotEqual(mine, await SaleIdAsync(other, file)); // Refs are each owner's.

        string For(string saleOf, string productOf) => file.Replace("kind,", "merchantId,kind,")
            .Replace("sale,s,,", $"{saleOf},sale,s,,").Replace("product,s,", $"{productOf},product,s,");
        Assert.Equal(["line 2 forbidden"], Faults(await ImportCsvAsync(other, For(shop.MerchantId, ""))));
        Assert.Equal(["line 3 unknown_merchant"], Faults(await ImportCsvAsync(server.Operator, For("", "nobody"))));
        Assert.Equal(["line 3 invalid_field"], Faults(await ImportCsvAsync(server.Operator, For("", ""))));
        var forShop = (await ImportCsvAsync(server.Operator, For(shop.MerchantId, ""))).Expect(200);
        Assert.Equal((false, false, "0 0 1", "0 0 1"), Told(forShop)); // The merchant's own, so it is there.
        var shared = await SaleIdAsync(
            server.Operator, For("", other.MerchantId).Replace(",s,", $",{other.MerchantId},"));
        Assert.Equal(other.MerchantId, Text(await ProductAsync(other, shared, "shirt"), "merchantId"));
        Assert.Equal("", (await other.GetAsync($"/v1/sales/{shared}")).Of("merchantId"));
        (await server.Nobody.PostFileAsync(Imports, [], "text/csv")).Refuses(401, "unauthorized");
    }

    // Goal: an operator does not wait, and of two imports at once one makes the things and the other finds them.
    [Theory, OnBothDatabases]
    public async Task Ten_thousand_products_take_seconds_and_are_made_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var file = new StringBuilder(Head + Sale);
        for (var i = 0; i < 10_000; i++)
        {
            file.Append(Stock($"p{i}", 10, 500));
        }

        var startedAt = TimeProvider.System.GetTimestamp();
        var made = (await ImportCsvAsync(shop, file.ToString())).Expect(200);
        Assert.True(TimeProvider.System.GetElapsedTime(startedAt).TotalSeconds < 60, "An import takes seconds.");
        Assert.Equal((false, true, "1 0 0", "10000 0 0"), Told(made));
        var again = await ImportCsvAsync(shop, file.ToString());
        Assert.Equal((false, false, "0 0 1", "0 0 10000"), Told(again.Expect(200)));
        var updated = await ImportCsvAsync(shop, file.ToString().Replace(",500,", ",600,"));
        Assert.Equal((false, true, "0 0 1", "0 10000 0"), Told(updated.Expect(200)));
    }

    [Theory, OnBothDatabases]
    public async Task Imports_at_once_make_each_thing_once(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var file = Encoding.UTF8.GetBytes($"{Head}{Sale}{Stock("shirt", 100, 900)}");
        var book = new ImportBook(
            Service<Database>(server), Service<CatalogBook>(server), Service<ApiKeys>(server), Service<Ids>(server));
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            await book.ImportAsync(
                new(shop.MerchantId), file, ImportFormat.Csv, false, default))));
        Assert.All(results, result => Assert.Empty(result.Faults));
        Assert.Single(results, result => result.IsChanged);
        Assert.Single(results.Select(result => result.SaleList[0].Id).Distinct());
    }

    // Goal: a file may be larger than other bodies, and no larger than its own limit.
    [Fact]
    public async Task The_size_of_a_file_is_bounded_by_its_own_setting()
    {
        await using var server = await PaymentServer.StartAsync(
            Stored.InSqlite, postgreSql, "Catalog:ImportBytesMax=50000", "Server:BodyBytesMax=1024");
        var shop = await server.OpenShopAsync();
        var good = Head + Sale;
        (await ImportCsvAsync(shop, good.PadRight(50_000, '\n'))).Expect(200);
        var large = await ImportCsvAsync(shop, good.PadRight(50_001, '\n'));
        Assert.Contains("Catalog:ImportBytesMax", large.Refuses(413, "body_too_large").Of("detail"));
        (await ImportCsvAsync(shop, good)).Expect(200);
    }

    private static T Service<T>(PaymentServer server) => (T)server.Services.GetService(typeof(T))!;

    private async Task<Shop> OpenAsync(Stored stored) =>
        await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();

    private static string Stock(string name, int units, int price) =>
        $"product,s,{name},{name},,,,{units},{price},,,,\n";

    private static Task<Reply> ImportAsync(Shop shop, string json, string query = "") =>
        shop.SendAsync("POST", Imports + query, json);

    private static Task<Reply> ImportCsvAsync(Shop shop, string csv) =>
        shop.PostFileAsync(Imports, Encoding.UTF8.GetBytes(csv), "text/csv");

    private static async Task<string> SaleIdAsync(Shop shop, string csv) =>
        (await ImportCsvAsync(shop, csv)).Expect(200).Json.GetProperty("saleList")[0].GetProperty("id").GetString()!;

    private static async Task<(string Name, long Version)> NameAndVersionAsync(Shop shop, string sale)
    {
        var shown = (await shop.GetAsync($"/v1/sales/{sale}")).Expect(200);
        return (shown.Of("name"), shown.Number("version"));
    }

    private static async Task<List<JsonElement>> ProductsAsync(Shop shop, string sale) =>
        [.. (await shop.GetAsync($"/v1/products?saleId={sale}&limit=1000")).Expect(200).Json
            .GetProperty("data").EnumerateArray()];

    private static async Task<JsonElement> ProductAsync(Shop shop, string sale, string name) =>
        (await ProductsAsync(shop, sale)).Single(product => Text(product, "ref") == name);

    private static (bool IsDryRun, bool IsChanged, string Sales, string Products) Told(Reply reply)
    {
        var json = reply.Json;
        return (json.GetProperty("dryRun").GetBoolean(), json.GetProperty("changed").GetBoolean(),
            Counts(json.GetProperty("sales")), Counts(json.GetProperty("products")));

        static string Counts(JsonElement counts) =>
            $"{Number(counts, "created")} {Number(counts, "updated")} {Number(counts, "unchanged")}";
    }

    private static List<string> Faults(Reply reply)
    {
        reply.Refuses(422, "import_refused");
        return
        [
            .. reply.Json.GetProperty("faults").EnumerateArray().Select(f => $"{Text(f, "at")} {Text(f, "code")}"),
        ];
    }

    private static string Text(JsonElement json, string name) => json.GetProperty(name).ToString();

    private static long Number(JsonElement json, string name) => json.GetProperty(name).GetInt64();
}
