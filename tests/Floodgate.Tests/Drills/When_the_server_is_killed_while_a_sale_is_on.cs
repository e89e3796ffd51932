using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: kill -9 at any moment of a sale sells nothing twice, loses no order that was answered, and keeps no money
// without goods. Method: the real process under random buyers; kills at random requests and answers, some while it
// starts; then an audit of orders against stock, payments and the provider's own statement.
[Collection(Drill.Collection)]
public sealed class When_the_server_is_killed_while_a_sale_is_on(PostgreSqlServer postgres)
{
    private const int MomentMax = 500;

    [Fact]
    public Task Nothing_is_sold_twice_on_SQLite() => DrillAsync(Drill.Kills(4), null);

    [Fact]
    public async Task Nothing_is_sold_twice_on_PostgreSQL() =>
        await DrillAsync(Drill.Kills(3), await postgres.CreateDatabaseAsync());

    private static async Task DrillAsync(int kills, string? database)
    {
        var chance = Drill.Chance();
        var journals = Directory.CreateTempSubdirectory("floodgate-journal-");
        await using var server = await FloodgateProcess.StartAsync(
            Environment(database, Path.Combine(journals.FullName, "provider")), "up", "--demo");
        var api = new ServerApi(server.Http);
        var ids = await OpenSaleAsync(api);
        await MakeTroubleAsync(api);
        var traffic = new OrderTraffic(api, chance, ids);
        for (var kill = 1; kill <= kills; kill++)
        {
            await traffic.HappenAsync(chance.Next(1, MomentMax));
            server.Kill();
            await server.StartAgainAsync();
            await MakeTroubleAsync(api);
        }

        await traffic.HappenAsync(chance.Next(1, MomentMax));
        await traffic.FinishAsync();
        Assert.Equal(200, (await api.PutFaultsAsync("/v1/ops/provider/faults", "{}")).Status);
        var audit = new OrderAudit(api, ids.Sale);
        await Eventually.HoldsAsync(audit.IsQuietAsync, () => $"all comes to an end.\n{server.Output}");
        var told = traffic.Orders.Count(order => !order.Told.IsEmpty);
        Drill.Tell($"{traffic.Orders.Count} orders wanted, {told} answered with an id");
        Assert.True(told > 0, "buyers were served");
        Assert.Empty(await audit.FindingsAsync(traffic.Orders));
        Assert.Empty(traffic.Complaints);
        journals.Delete(recursive: true);
    }

    private static Dictionary<string, string> Environment(string? database, string journal) => new()
    {
        ["FLOODGATE__ORDERS__HOLDSECONDS"] = "2",
        ["FLOODGATE__ORDERS__PAYMENTSECONDS"] = "3",
        ["FLOODGATE__ORDERS__SWEEPMS"] = "50",
        ["FLOODGATE__PROVIDERS__CALLTIMEOUTMS"] = "300",
        ["FLOODGATE__PROVIDERS__BREAKER__OPENMS"] = "200",
        ["FLOODGATE__PROVIDERS__SIMULATED__JOURNAL"] = journal,
        ["FLOODGATE__CHARGES__RETRYDELAYMSFIRST"] = "20",
        ["FLOODGATE__CHARGES__RETRYDELAYMSMAX"] = "300",
        ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = database ?? "",
    };

    private static Task MakeTroubleAsync(ServerApi api) => api.PutFaultsAsync(
        "/v1/ops/provider/faults",
        """
        {"latencyMs":25,"latencySpreadMs":25,"declineRatio":0.1,"errorRatio":0.02,"timeoutAfterSuccessRatio":0.05}
        """);

    /// <summary>A sale that runs out while the drill lasts, and wallets that do too.</summary>
    private static async Task<(string Sale, string Stock, string Seats)> OpenSaleAsync(ServerApi api)
    {
        var sale = await MakeAsync(
            "/v1/sales",
            """
            {"name":"Drill","currency":"KRW","opensAt":"2020-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z"}
            """);
        var stock = await MakeAsync(
            "/v1/products", $$"""{"saleId":"{{sale}}","name":"Shirt","stock":500,"price":1000,"limitPerBuyer":60}""");
        var rows = Enumerable.Range(1, 10).Select(n => $$"""{"section":"A","row":"{{n}}","seats":20,"tier":"t"}""");
        var seats = await MakeAsync(
            "/v1/products",
            $$"""
            {"saleId":"{{sale}}","name":"Seat","tiers":[{"name":"t","amount":5000}],
             "seats":[{{string.Join(',', rows)}}]}
            """);
        for (var n = 0; n < 16; n++)
        {
            await api.PostAsync(
                $"/v1/wallets/u-{n}/top-ups", $"fill-{n}", """{"amount":{"amount":40000,"currency":"KRW"}}""", 10);
        }

        return (sale, stock, seats);

        async Task<string> MakeAsync(string path, string body) =>
            (await api.PostAsync(path, $"make-{body.Length}-{path.Length}", body)).Text("id");
    }
}
