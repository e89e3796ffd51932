using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: every movement of money is in the books, on both sides, and each reader sees what is his.
// Method: through the front door, on both databases.
public sealed class When_books_are_kept(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task Captures_and_refunds_are_posted_whole_until_they_are_settled(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(1_001)).Id;
        Assert.Equal(1_001, await BalanceAsync(shop, "MerchantPayable"));
        for (var refund = 0; refund < 7; refund++)
        {
            (await shop.AskAsync("refund", id, 143)).Expect(200);
        }

        Assert.Equal(1_001, await BalanceAsync(shop, "MerchantPayable"));
        Assert.Equal(-1_001, await BalanceAsync(shop, "MerchantRefunds"));
    }

    [Theory, OnBothDatabases]
    public async Task A_merchant_sees_the_legs_on_its_accounts_and_the_operator_all(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var id = (await shop.PayAsync(1_000)).Id;

        var all = await EntriesAsync(server.Operator, id);
        Assert.Equal(["DEBIT 1000", "CREDIT 1000"], all.Select(Leg));
        Assert.Equal(["CREDIT 1000"], (await EntriesAsync(shop, id)).Select(Leg));
        Assert.Empty(await EntriesAsync(other, id));

        var clearing = all[0].GetProperty("accountId").GetInt64();
        var payable = all[1].GetProperty("accountId").GetInt64();
        Assert.Equal("GATEWAY",
            (await server.Operator.GetAsync($"/v1/ledger/accounts/{clearing}")).Expect(200).Of("owner"));
        (await shop.GetAsync($"/v1/ledger/accounts/{clearing}")).Refuses(404, "not_found");
        (await shop.GetAsync($"/v1/ledger/entries?accountId={clearing}")).Refuses(404, "not_found");
        (await other.GetAsync($"/v1/ledger/accounts/{payable}")).Refuses(404, "not_found");
        var own = (await shop.GetAsync($"/v1/ledger/accounts/{payable}")).Expect(200);
        Assert.Equal((1_000, 0, 1_000), (own.Number("balance"), own.Number("debitTotal"), own.Number("creditTotal")));
    }

    [Theory, OnBothDatabases]
    public async Task A_merchant_sees_its_customers_accounts_and_nobody_elses(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 500)).Expect(200);
        var wallets = (await server.Operator.GetAsync($"/v1/ledger/accounts?owner={shop.MerchantId}/u")).Expect(200);
        var wallet = wallets.Json.GetProperty("data").EnumerateArray()
            .Single(a => a.GetProperty("kind").GetString() == "CustomerWallet").GetProperty("id").GetInt64();
        Assert.Equal(500, (await shop.GetAsync($"/v1/ledger/accounts/{wallet}")).Expect(200).Number("balance"));
        (await other.GetAsync($"/v1/ledger/accounts/{wallet}")).Refuses(404, "not_found");
    }

    [Theory, OnBothDatabases]
    public async Task The_history_of_an_account_comes_in_pages_and_adds_up_to_its_balance(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await Task.WhenAll(Enumerable.Range(0, 301).Select(_ => shop.PayAsync(40)));
        var account = (await shop.GetAsync("/v1/ledger/accounts")).Json.GetProperty("data")[0].GetProperty("id");

        var entries = new List<JsonElement>();
        for (var more = true; more;)
        {
            var after = entries.Count == 0 ? "" : $"&starting_after={entries[^1].GetProperty("cursor").GetString()}";
            var page = (await shop.GetAsync($"/v1/ledger/entries?accountId={account}{after}")).Expect(200).Json;
            entries.AddRange(page.GetProperty("data").EnumerateArray());
            more = page.GetProperty("has_more").GetBoolean();
        }

        Assert.Equal(301, entries.Select(e => e.GetProperty("cursor").GetString()).Distinct().Count());
        Assert.Equal(301 * 40, entries.Sum(e =>
            e.GetProperty("amount").GetInt64() * (e.GetProperty("side").GetString() == "CREDIT" ? 1 : -1)));
        Assert.Equal(301 * 40, await BalanceAsync(shop, "MerchantPayable"));
    }

    private static string Leg(JsonElement entry) =>
        $"{entry.GetProperty("side").GetString()} {entry.GetProperty("amount").GetInt64()}";

    private static async Task<List<JsonElement>> EntriesAsync(Shop reader, string paymentId) =>
    [
        .. (await reader.GetAsync($"/v1/ledger/entries?paymentId={paymentId}")).Expect(200).Json
            .GetProperty("data").EnumerateArray(),
    ];

    private static async Task<long> BalanceAsync(Shop shop, string kind) =>
        (await shop.GetAsync("/v1/ledger/accounts")).Expect(200).Json.GetProperty("data").EnumerateArray()
            .Single(a => a.GetProperty("kind").GetString() == kind).GetProperty("balance").GetInt64();
}
