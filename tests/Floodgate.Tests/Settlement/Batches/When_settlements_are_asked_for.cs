using System.Collections;
using System.Text.Json;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Tests.Checkout;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: an operator settles a day and a merchant can explain every unit of its payout; what makes no sense is refused
// by its own code. Method: through the front door, on both databases; the server's clock is set on to the next day.
public sealed class When_settlements_are_asked_for(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_sale_is_settled_by_class_and_the_statement_adds_up_to_the_payout(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var (server, shop) = (sale.Server, sale.Shop);
        var today = Today(server);
        await PolicyAsync(server, $$"""{"basisPoints":1000,"validFrom":"{{today}}","productClass":"vip"}""");
        var (cheap, dear) = (
            await sale.StockAsync(9, 1_000), await sale.StockAsync(9, 5_000, "\"commissionClass\":\"vip\""));
        var order = (await sale.OrderAsync(
            "u", $"{SaleServer.Item(cheap, 2)},{SaleServer.Item(dear, 1)}", "GATEWAY")).Expect(200).Id;
        await PaymentServer.EventuallyAsync("the order is confirmed", async () =>
            (await sale.FindAsync(order)).Of("status") == "CONFIRMED");
        var plain = (await shop.PayAsync(10_000, "\"orderId\":\"=a,\\\"b\"")).Expect(200).Id;
        (await shop.AskAsync("refund", plain, 4_000)).Expect(200);

        (await server.Operator.SendAsync("POST", "/v1/settlements", $$"""{"date":"{{today}}"}"""))
            .Refuses(409, "settlement_date_not_over");
        await SettleTodayAsync(server, today);

        var run = (await server.Operator.GetAsync($"/v1/settlements/{today}")).Expect(200).Json;
        Assert.Equal((4, 1), (run.GetProperty("lines").GetInt64(), run.GetProperty("payouts").GetInt64()));
        var payout = Assert.Single(await shop.AllAsync("/v1/payouts"));
        // 5 % of 2,000 and of 10,000, 10 % of 5,000; of the 500 four tenths go back.
        Assert.Equal(
            (17_000, 4_000, 1_100, 200, 12_100),
            (Number(payout, "captured"), Number(payout, "refunded"), Number(payout, "fee"),
                Number(payout, "feeReturned"), Number(payout, "amount")));
        var id = payout.GetProperty("id").GetString();
        await StatementAddsUpAsync(shop, payout, id!);

        var lines = (await shop.GetAsync($"/v1/payouts/{id}/statement")).Expect(200).Json.GetProperty("data")
            .EnumerateArray().ToList();
        Assert.Equal(
            [
                "CAPTURE standard 10000 500", "CAPTURE standard 2000 100", "CAPTURE vip 5000 500",
                "REFUND standard -4000 -200",
            ],
            lines.Select(l => $"{l.GetProperty("kind").GetString()} {l.GetProperty("class").GetString()} "
                + $"{Number(l, "amount")} {Number(l, "fee")}").Order(StringComparer.Ordinal));
        foreach (var line in lines)
        {
            var entries = (await shop.GetAsync($"/v1/ledger/entries?paymentId={line.GetProperty("paymentId")}")).Json
                .GetProperty("data").EnumerateArray();
            var eventId = line.GetProperty("eventId").GetString();
            Assert.Contains(entries, e => e.GetProperty("eventId").GetString() == eventId);
        }

        var csv = (await shop.SendAsync("GET", $"/v1/payouts/{id}/statement", null, "Accept: text/csv")).Expect(200);
        Assert.Equal("text/csv", csv.MediaType);
        Assert.Contains("\"'=a,\"\"b\"", csv.Text);
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_merchant_sees_its_own_payouts_and_an_operator_all(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var today = Today(server);
        (await shop.PayAsync(1_000)).Expect(200);
        (await other.PayAsync(2_000)).Expect(200);
        (await shop.TopUpAsync("u", 9_000)).Expect(200); // No revenue.
        await SettleTodayAsync(server, today);

        var own = Assert.Single(await shop.AllAsync("/v1/payouts"));
        Assert.Equal(950, Number(own, "amount"));
        Assert.Equal(2, (await server.Operator.AllAsync("/v1/payouts", 1)).Count);
        var path = $"/v1/payouts/{own.GetProperty("id").GetString()}/statement";
        (await other.GetAsync(path)).Refuses(404, "not_found");
        (await server.Operator.GetAsync(path)).Expect(200);
        (await shop.GetAsync("/v1/payouts/x/statement")).Refuses(404, "not_found");
        (await shop.GetAsync(path + "?starting_after=x")).Refuses(400, "invalid_parameter");
        (await shop.GetAsync("/v1/settlements")).Refuses(403, "forbidden");
        (await shop.SendAsync("POST", "/v1/settlements", "{}")).Refuses(403, "forbidden");
        (await shop.GetAsync("/v1/commission-policies")).Refuses(403, "forbidden");
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task What_cannot_be_settled_is_refused_by_its_own_code(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var today = Today(server);
        await AskAsync("2099-01-01", 422, "settlement_date_in_future");
        await AskAsync(today, 409, "settlement_date_not_over");
        await AskAsync("25.11.2026", 400, "invalid_field");
        (await server.Operator.SendAsync("POST", "/v1/settlements", "{}")).Refuses(400, "invalid_body");
        (await server.Operator.GetAsync("/v1/settlements/2020-01-01")).Refuses(404, "not_found");
        (await server.Operator.GetAsync("/v1/settlements/x")).Refuses(404, "not_found");
        (await server.Operator.GetAsync("/v1/settlements?starting_after=x")).Refuses(400, "invalid_parameter");

        async Task AskAsync(string date, int status, string code) =>
            (await server.Operator.SendAsync("POST", "/v1/settlements", $$"""{"date":"{{date}}"}"""))
                .Refuses(status, code);
    }

    [Theory, OnBothDatabases]
    public async Task A_policy_that_makes_no_sense_is_refused_by_its_own_code(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        const string From = "\"validFrom\":\"2090-01-01\"";
        await RefuseAsync($"\"basisPoints\":10001,{From}", 422, "policy_above_100_percent");
        await RefuseAsync(
            $"\"basisPoints\":1,\"min\":2,\"max\":1,\"currency\":\"KRW\",{From}", 422, "policy_min_above_max");
        await RefuseAsync(
            $$"""
            "basisPoints":1,"currency":"KRW",{{From}},
            "tiers":[{"fromVolume":2,"basisPoints":1},{"fromVolume":2,"basisPoints":2}]
            """, 422, "policy_tiers_not_rising");
        await RefuseAsync($"\"basisPoints\":1,\"fixed\":5,{From}", 422, "policy_currency_missing");
        await RefuseAsync($"\"basisPoints\":1,\"validUntil\":\"2090-01-01\",{From}", 422, "policy_ends_before_start");
        await RefuseAsync("\"basisPoints\":1,\"validFrom\":\"soon\"", 400, "invalid_field");
        await RefuseAsync($"\"basisPoints\":1,\"currency\":\"WON\",{From}", 400, "invalid_field");
        await RefuseAsync($"\"basisPoints\":1,\"fixed\":-1,\"currency\":\"KRW\",{From}", 400, "invalid_field");

        var made = await PolicyAsync(server, $"{{\"basisPoints\":100,{From}}}");
        Assert.Equal(made.Id, (await PostAsync($"\"basisPoints\":100,{From}")).Expect(200).Id);
        await RefuseAsync("\"basisPoints\":200,\"validFrom\":\"2095-01-01\"", 409, "policy_overlaps");
        (await EndAsync(made.Id, "\"2089-01-01\"")).Refuses(422, "policy_ends_before_start");
        (await EndAsync(made.Id, "\"2094-01-01\"")).Expect(200);
        await PolicyAsync(server, """{"basisPoints":200,"validFrom":"2095-01-01"}""");
        (await EndAsync(made.Id, "null")).Refuses(409, "policy_overlaps");
        (await EndAsync("01a1fbb4-05d7-78b8-88a5-2b97f381b800", "null")).Refuses(404, "not_found");
        Assert.Equal(2, (await server.Operator.AllAsync("/v1/commission-policies", 1)).Count);

        var today = Today(server);
        await SettleTodayAsync(server, today);
        await RefuseAsync(
            $"\"basisPoints\":1,\"productClass\":\"x\",\"validFrom\":\"{today}\"", 409, "policy_day_settled");

        Task<Reply> PostAsync(string fields) =>
            server.Operator.SendAsync("POST", "/v1/commission-policies", $"{{{fields}}}");
        async Task RefuseAsync(string fields, int status, string code) =>
            (await PostAsync(fields)).Refuses(status, code);
        Task<Reply> EndAsync(string id, string until) => server.Operator.SendAsync(
            "PUT", $"/v1/commission-policies/{id}", $$"""{"validUntil":{{until}}}""");
    }

    // Method: one error of each kind planted behind a server, in a transaction that is rolled back.
    [Theory, OnBothDatabases]
    public async Task Each_planted_error_fails_its_check(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(1_000)).Expect(200).Id;
        (await shop.AskAsync("refund", id, 100)).Expect(200);
        await SettleTodayAsync(server, Today(server));
        foreach (var (sql, fails) in new[]
        {
            ("update settlement_day_total set captured = captured + 1 returning 1", "settlement-lines-equal-ledger"),
            ("delete from settlement_line where is_refund = 1 returning 1", "settlement-totals-equal-lines"),
            ("update settled_line set fee = fee + 1 returning 1", "payouts-equal-settled-lines"),
            ("delete from payout returning 1", "payouts-equal-settled-lines"),
            ("update payout set carried_in = 1, amount = amount + 1 returning 1", "payouts-carry-over"),
            ("update payout set carried_in = 1, amount = amount + 1 returning 1", "payouts-are-posted"),
            ("delete from ledger_entry where account_id in (select id from ledger_account "
                + "where kind = 'MerchantPayout') returning 1", "payouts-are-posted"),
        })
        {
            IReadOnlyList<string> found = [];
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Services
                .GetRequiredService<Database>().WriteAsync<int>(async tx =>
                {
                    Assert.NotEmpty(await tx.QueryAsync(new Statement(sql), Rows.None, _ => 0));
                    found = [.. (await SettlementChecks.CheckAsync(tx)).Where(c => !c.Holds).Select(c => c.Name)];
                    throw new InvalidOperationException("Any exception rolls back.");
                }));
            Assert.Contains(fails, found);
        }

        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: the command line settles, says so, and answers by its exit code.
    [Fact]
    public async Task The_command_line_settles_a_day()
    {
        var folder = Directory.CreateTempSubdirectory("floodgate-settle-").FullName;
        var flags = new[] { "--data", folder, "--json" };
        Assert.Equal((0, "SETTLED"), await RunAsync("2020-01-01"));
        Assert.Equal((0, "SETTLED"), await RunAsync("2020-01-01"));
        Assert.Equal((ExitCode.Usage, ""), await RunAsync("2099-01-01"));
        Assert.Equal((ExitCode.Usage, ""), await RunAsync("yesterday"));
        Assert.Equal((ExitCode.TryAgain, ""), await RunAsync(
            TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture)));
        Directory.Delete(folder, recursive: true);

        async Task<(int, string)> RunAsync(string day)
        {
            using var output = new StringWriter();
            using var error = new StringWriter();
            var code = await new Program(output, error, new Hashtable()).RunAsync(["settle", "--date", day, .. flags]);
            Assert.Equal(code != 0, error.ToString().Contains(day, StringComparison.Ordinal) && code != 0
                || error.ToString().Contains("--date", StringComparison.Ordinal));
            return (code, output.ToString() is { Length: > 0 } json
                ? JsonElement.Parse(json).GetProperty("status").GetString()!
                : "");
        }
    }

    private static string Today(PaymentServer server) => server.Clock.GetUtcNow()
        .ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

    private static async Task<Reply> PolicyAsync(PaymentServer server, string json) =>
        (await server.Operator.SendAsync("POST", "/v1/commission-policies", json)).Expect(201);

    /// <summary>Sets the clock on, and asks until the lines are written and the run is over.</summary>
    private static async Task SettleTodayAsync(PaymentServer server, string today)
    {
        server.Clock.Shift(TimeSpan.FromDays(1) + TimeSpan.FromMinutes(10));
        await PaymentServer.EventuallyAsync("the day is settled", async () =>
        {
            var asked = await server.Operator.SendAsync("POST", "/v1/settlements", $$"""{"date":"{{today}}"}""");
            return asked.Status == 200 && asked.Of("status") == "SETTLED";
        });
    }

    private static async Task StatementAddsUpAsync(Shop shop, JsonElement payout, string id)
    {
        var (net, cursor) = (0L, "");
        for (var more = true; more;)
        {
            var page = (await shop.GetAsync($"/v1/payouts/{id}/statement?limit=1{cursor}")).Expect(200).Json;
            var line = page.GetProperty("data").EnumerateArray().Single();
            net += Number(line, "net");
            cursor = $"&starting_after={line.GetProperty("cursor").GetString()}";
            more = page.GetProperty("has_more").GetBoolean();
        }

        Assert.Equal(
            Number(payout, "amount"), net + Number(payout, "carriedIn") - Number(payout, "carriedOut"));
    }

    private static long Number(JsonElement json, string name) => json.GetProperty(name).GetInt64();
}
