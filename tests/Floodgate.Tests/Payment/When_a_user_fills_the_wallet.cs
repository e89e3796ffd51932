using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: a user of the platform has one wallet of its own, filled and looked at with its token. Method: two users with
// the same idempotency key, on both databases.
public sealed class When_a_user_fills_the_wallet(PostgreSqlServer postgreSql, CalmServers calm)
{
    private const string Body = """{"amount":{"amount":700,"currency":"KRW"}}""";

    [Theory, OnBothDatabases]
    public async Task It_is_theirs_alone_and_pays_their_orders(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (user, other) = (await LogInAsync(server), await LogInAsync(server));
        var topUp = (await TopUpAsync(user)).Expect(200).IsPayment("CAPTURED", 700, 700, 0);
        Assert.True((await TopUpAsync(user)).Expect(200).IsReplay);
        Assert.Equal(topUp.Id, (await TopUpAsync(user)).Id);
        (await user.SendAsync(
            "POST", "/v1/wallets/me/top-ups", Body.Replace("700", "800"), "Idempotency-Key: k"))
            .Refuses(422, "idempotency_key_reused");
        (await user.PaymentAsync(topUp.Id)).Expect(200);
        (await other.PaymentAsync(topUp.Id)).Refuses(404, "payment_not_found");
        Assert.Equal((0, 0), await other.WalletAsync("me"));
        Assert.NotEqual(topUp.Id, (await TopUpAsync(other)).Expect(200).Id);

        var desk = new OrderDesk(server);
        await desk.PayAsync(OrderDesk.Payment(Buyer.Platform, user.MerchantId, "WALLET", ("a", 300), ("b", 100)));
        Assert.Equal((300, 0), await user.WalletAsync("me"));
        Assert.Equal((700, 0), await other.WalletAsync("me"));
    }

    [Theory, OnBothDatabases]
    public async Task A_merchants_customer_cannot_be_called_me(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        (await shop.PayAsync(1, "\"method\":\"WALLET\",\"userId\":\"me\"")).Refuses(400, "invalid_field");
    }

    private static Task<Reply> TopUpAsync(Shop user) => user.SendAsync(
        "POST", "/v1/wallets/me/top-ups", Body, "Idempotency-Key: k", "Prefer: wait=30");

    /// <summary>A new user as a caller with its token; its merchant id is the user's id.</summary>
    private static async Task<Shop> LogInAsync(PaymentServer server)
    {
        var email = $"{new Ids(TimeProvider.System).Next()}@example.com";
        const string Password = "correct horse battery";
        await server.Services.GetRequiredService<UserBook>().CreateAsync(email, Password, Role.Buyer, null, default);
        var tokens = (await server.Services.GetRequiredService<SessionBook>()
            .LogInAsync(email, Password, null, default)).Tokens!;
        var user = (await server.Nobody.WithKey(tokens.Access).GetAsync("/v1/users/me")).Expect(200).Of("userId");
        return server.Nobody.WithKey(tokens.Access, user);
    }
}
