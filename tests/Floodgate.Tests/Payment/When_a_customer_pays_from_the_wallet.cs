using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: a wallet is spent to the last unit and never further. Method: through the front door, on both databases.
public sealed class When_a_customer_pays_from_the_wallet(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string FromWallet = "\"method\":\"WALLET\",\"userId\":\"u\"";

    [Theory, OnBothDatabases]
    public async Task A_top_up_fills_it_and_a_payment_and_its_refund_move_it(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        Assert.Equal((0, 0), await shop.WalletAsync("u"));
        var topUp = (await shop.TopUpAsync("u", 1_000)).Expect(200).IsPayment("CAPTURED", 1_000, 1_000, 0);
        Assert.Equal((1_000, 0), await shop.WalletAsync("u"));
        Assert.Equal(["CHARGE 1000"], await server.StatementOfAsync(topUp.Id));
        (await shop.AskAsync("refund", topUp.Id)).Refuses(409, "top_up_not_refundable");

        var payment = (await shop.PayAsync(700, FromWallet)).Expect(200).IsPayment("CAPTURED", 700, 700, 0);
        Assert.Equal((300, 0), await shop.WalletAsync("u"));
        (await shop.AskAsync("refund", payment.Id, 200)).Expect(200);
        Assert.Equal((500, 0), await shop.WalletAsync("u"));
        Assert.Empty(await server.StatementOfAsync(payment.Id));
    }

    [Theory, OnBothDatabases]
    public async Task An_authorization_holds_the_money_until_it_is_captured_or_voided(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        var captured = (await shop.PayAsync(600, $"{FromWallet},\"capture\":false")).IsPayment("AUTHORIZED", 600, 0, 0);
        Assert.Equal((400, 600), await shop.WalletAsync("u"));
        Assert.Equal("insufficient_funds", (await shop.PayAsync(401, FromWallet)).Expect(200).Of("failReason"));

        (await shop.AskAsync("capture", captured.Id, 250)).Expect(200);
        Assert.Equal((750, 0), await shop.WalletAsync("u"));
        var voided = (await shop.PayAsync(750, $"{FromWallet},\"capture\":false")).IsPayment("AUTHORIZED", 750, 0, 0);
        Assert.Equal((0, 750), await shop.WalletAsync("u"));
        (await shop.AskAsync("void", voided.Id)).Expect(200);
        Assert.Equal((750, 0), await shop.WalletAsync("u"));
    }

    [Theory, OnBothDatabases]
    public async Task Without_enough_money_the_payment_fails_and_nothing_moves(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        (await shop.TopUpAsync("u", 99)).Expect(200);
        foreach (var more in new[] { FromWallet, $"{FromWallet},\"capture\":false" })
        {
            var payment = (await shop.PayAsync(100, more)).Expect(200).IsPayment("FAILED", 0, 0, 0);
            Assert.Equal(("insufficient_funds", "FAILED"), (payment.Of("failReason"), payment.Of("intakeStatus")));
        }

        Assert.Equal((99, 0), await shop.WalletAsync("u"));
        (await shop.PayAsync(99, FromWallet)).IsPayment("CAPTURED", 99, 99, 0);
        Assert.Equal((0, 0), await shop.WalletAsync("u"));
    }

    // Goal: the balance is exact under concurrency. Method: 500 payments at once of which 333 can be paid.
    [Theory, OnBothDatabases]
    public async Task Five_hundred_at_once_spend_what_there_is_and_no_more(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        var replies = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => shop.PayAsync(3, FromWallet)));

        Assert.All(replies, reply => reply.Expect(200));
        Assert.Equal(333, replies.Count(reply => reply.Of("status") == "CAPTURED"));
        Assert.Equal(167, replies.Count(reply => reply.Of("status") == "FAILED"));
        Assert.Equal((1, 0), await shop.WalletAsync("u"));
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task Another_merchants_customer_of_the_same_name_has_another_wallet(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 100)).Expect(200);
        Assert.Equal((0, 0), await other.WalletAsync("u"));
        Assert.Equal("insufficient_funds", (await other.PayAsync(1, FromWallet)).Of("failReason"));
    }

    // Goal: no money reaches a wallet that its owner cannot spend from. Method: names that paths and bodies write
    // differently.
    [Theory, OnBothDatabases]
    public async Task A_name_that_a_path_cannot_carry_has_no_wallet(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        (await shop.TopUpAsync("a%2Fb", 100)).Refuses(400, "invalid_field");
        (await shop.PayAsync(1, "\"method\":\"WALLET\",\"userId\":\"a/b\"")).Refuses(400, "invalid_field");
        (await shop.PayAsync(1, "\"userId\":\"a/b\"")).Expect(200);
    }
}
