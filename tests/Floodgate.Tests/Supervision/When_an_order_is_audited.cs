using Floodgate.Supervision;
using Floodgate.Tests.Checkout;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Supervision;

// Goal: one page tells all that happened to an order, and the journal alone gives a sale's totals. Method: an order
// that is paid and cancelled on the real server, and a journal that is changed behind it.
public sealed class When_an_order_is_audited(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task Its_story_is_told_in_the_order_of_time(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        var order = await BuyAndCancelAsync(sale);
        var story = (await sale.Server.Operator.GetAsync($"/v1/ops/orders/{order}/story")).Expect(200).Json
            .GetProperty("data").EnumerateArray().ToList();
        var told = story.Select(line =>
            $"{line.GetProperty("stage").GetString()} {line.GetProperty("what").GetString()}").ToList();
        foreach (var start in new[]
        {
            "order placed for 2000 KRW by ", "hold held: ", "payment asked of GATEWAY for 2000 KRW",
            "payment answered: REFUNDED, captured 2000, refunded 2000", "payment REFUND of 2000 asked",
            "payment REFUND of 2000: SUCCEEDED", "ledger debit ProviderClearing of GATEWAY: 2000 KRW",
            "ledger credit MerchantPayable of ", "order is CANCELLED, refunded 2000",
        })
        {
            Assert.Contains(told, line => line.StartsWith(start, StringComparison.Ordinal));
        }

        var moments = story.Select(line => line.GetProperty("at").GetString()).ToList();
        Assert.Equal(moments.Order(StringComparer.Ordinal), moments);

        var nothing = "01a1fbb4-05d7-78b8-88a5-2b97f381b802";
        Assert.Equal("order_not_found",
            (await sale.Server.Operator.GetAsync($"/v1/ops/orders/{nothing}/story")).Expect(404).Code);
    }

    [Theory, OnBothDatabases]
    public async Task The_journal_alone_gives_a_sales_totals(Stored stored)
    {
        await using var sale = await SaleServer.StartAsync(stored, postgreSql);
        await BuyAndCancelAsync(sale);
        var book = sale.Server.Services.GetRequiredService<StoryBook>();
        var replay = await book.ReplayAsync(Guid.Parse(sale.SaleId), CancellationToken.None);
        Assert.Equal(new Replay("KRW: captured 2000, refunded 2000", "KRW: captured 2000, refunded 2000"), replay);
        Assert.True(replay.IsSame);

        await sale.Server.TamperAsync(
            "update ledger_entry set amount = 1999 where line = 1 and amount = 2000 and account_id in "
                + "(select id from ledger_account where kind = 'MerchantPayable') returning 1");
        Assert.False((await book.ReplayAsync(Guid.Parse(sale.SaleId), CancellationToken.None)).IsSame);
    }

    private static async Task<string> BuyAndCancelAsync(SaleServer sale)
    {
        var product = await sale.StockAsync(5);
        var order = (await sale.OrderAsync("u-1", SaleServer.Item(product, 2), "GATEWAY")).Id;
        await PaymentServer.EventuallyAsync("the order is paid", async () =>
            (await sale.FindAsync(order)).Of("status") == "CONFIRMED");
        await sale.ChangeAsync(order, "cancel");
        await PaymentServer.EventuallyAsync("the money is back", async () =>
            (await sale.FindAsync(order)).Json.GetProperty("refunded").ToString().Contains("2000"));
        await sale.Server.DrainedAsync();
        return order;
    }
}
