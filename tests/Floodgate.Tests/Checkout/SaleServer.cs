using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;

namespace Floodgate.Tests.Checkout;

/// <summary>A shop with a sale that is open, on a server of its own: what most tests of orders begin with.</summary>
internal sealed class SaleServer(PaymentServer server, Shop shop) : IAsyncDisposable
{
    /// <summary>A sale in KRW that opened long ago and ends in years.</summary>
    public const string Open = """ "opensAt":"2020-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z" """;

    public PaymentServer Server => server;

    public Shop Shop => shop;

    public string SaleId { get; private set; } = "";

    public static async Task<SaleServer> StartAsync(
        Stored stored, PostgreSqlServer postgreSql, params string[] settings)
    {
        var server = await PaymentServer.StartAsync(
            stored, postgreSql, ["Orders:SweepMs=20", .. settings]);
        var sale = new SaleServer(server, await server.OpenShopAsync());
        sale.SaleId = await sale.MakeSaleAsync(sale.Shop, Open);
        return sale;
    }

    public async Task<string> MakeSaleAsync(Shop owner, string times, string currency = "KRW") =>
        (await owner.SendAsync(
            "POST", "/v1/sales", $$"""{"name":"Show","currency":"{{currency}}",{{times}}}""",
            $"Idempotency-Key: {owner.NewKey()}")).Expect(201).Id;

    /// <summary>Like units; further fields such as <c>"limitPerBuyer":2</c>.</summary>
    public Task<string> StockAsync(long units, long price = 1_000, string more = "", Shop? owner = null) =>
        ProductAsync(owner ?? shop, SaleId, $"\"stock\":{units},\"price\":{price}", more);

    /// <summary>
    /// Rows of seats in section A, named 1, 2, ..., at 5,000 in the first row and 3,000 in the others.
    /// </summary>
    public Task<string> SeatsAsync(params int[] rows)
    {
        var seats = rows.Select((count, n) =>
            $$"""{"section":"A","row":"{{n + 1}}","seats":{{count}},"tier":"{{(n == 0 ? "vip" : "std")}}"}""");
        return ProductAsync(
            shop,
            SaleId,
            $$"""
            "tiers":[{"name":"vip","amount":5000},{"name":"std","amount":3000}],"seats":[{{string.Join(',', seats)}}]
            """);
    }

    public static async Task<string> ProductAsync(Shop owner, string saleId, string what, string more = "") =>
        (await owner.SendAsync(
            "POST",
            "/v1/products",
            $$"""{"saleId":"{{saleId}}","name":"Thing",{{what}}{{(more.Length > 0 ? "," : "")}}{{more}}}""",
            $"Idempotency-Key: {owner.NewKey()}")).Expect(201).Id;

    /// <summary>Orders; <paramref name="items"/> such as <c>{"productId":"...","quantity":1}</c>.</summary>
    public Task<Reply> OrderAsync(string user, string items, string? pay = null, string? key = null, int wait = 30) =>
        shop.SendAsync(
            "POST",
            "/v1/orders",
            $$"""
            {"saleId":"{{SaleId}}","userId":"{{user}}","items":[{{items}}]{{Pay(pay)}}}
            """,
            wait > 0
                ? [$"Idempotency-Key: {key ?? shop.NewKey()}", $"Prefer: wait={wait}"]
                : [$"Idempotency-Key: {key ?? shop.NewKey()}"]);

    private static string Pay(string? method) =>
        method is null ? "" : $$""","pay":{"method":"{{method}}"} """;

    public Task<Reply> ChangeAsync(string id, string verb, string json = "{}", string? key = null) => shop.SendAsync(
        "POST", $"/v1/orders/{id}/{verb}", json, $"Idempotency-Key: {key ?? shop.NewKey()}", "Prefer: wait=30");

    public Task<Reply> FindAsync(string id) => shop.GetAsync($"/v1/orders/{id}");

    /// <summary>Available, held and sold of a product, as everybody sees it once it is not older than now.</summary>
    public async Task<(long Available, long Held, long Sold)> StockOfAsync(string productId)
    {
        var stock = (await server.Nobody.GetAsync($"/v1/sales/{SaleId}/availability")).Expect(200).Json
            .GetProperty("products").EnumerateArray()
            .Single(p => p.GetProperty("productId").GetString() == productId);
        return (Number(stock, "available"), Number(stock, "held"), Number(stock, "sold"));
    }

    public static string Item(string productId, int quantity) =>
        $$"""{"productId":"{{productId}}","quantity":{{quantity}}}""";

    public static string Seat(string productId, params string[] seats) =>
        $$"""{"productId":"{{productId}}","seats":[{{string.Join(',', seats.Select(s => $"\"{s}\""))}}]}""";

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private static long Number(JsonElement json, string name) => json.GetProperty(name).GetInt64();
}
