using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: a client that asks again never pays twice. Method: repeats, one after another and all at once, on both
// databases; the provider's statement is the witness.
public sealed class When_a_key_is_used_again(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task A_hundred_at_once_make_one_payment_and_one_charge(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(_ => shop.PayAsync(70, key: "same", waitSeconds: 0)));

        var first = Assert.Single(replies, reply => reply.Status == 202 && !reply.IsReplay);
        Assert.All(replies.Except([first]), reply => AssertIsRepeatOf(first, reply));
        var payment = Assert.Single(await shop.AllAsync("/v1/payments"));
        Assert.Equal(first.Id, payment.GetProperty("id").GetString());
        await PaymentServer.EventuallyAsync(
            "it is captured", async () => (await shop.PaymentAsync(first.Id)).Of("status") == "CAPTURED");
        Assert.Equal(["CHARGE 70"], await server.StatementOfAsync(first.Id));
    }

    [Theory, OnBothDatabases]
    public async Task After_its_success_the_first_answer_comes_again(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        var first = (await shop.PayAsync(70, key: "one", waitSeconds: 0)).Expect(202);
        await PaymentServer.EventuallyAsync(
            "it is captured", async () => (await shop.PaymentAsync(first.Id)).Of("status") == "CAPTURED");

        var again = (await shop.PayAsync(70, key: "one", waitSeconds: 0)).Expect(202);
        Assert.True(again.IsReplay);
        Assert.Equal(first.Text, again.Text);
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        (await shop.PayAsync(70, key: "one")).Expect(200).IsPayment("CAPTURED", 70, 70, 0);
    }

    [Theory, OnBothDatabases]
    public async Task Another_body_under_the_key_is_refused(Stored stored)
    {
        var shop = await (await calm.OnAsync(stored, postgreSql)).OpenShopAsync();
        (await shop.PayAsync(70, "\"userId\":\"u\",\"orderId\":\"o\"", "one")).Expect(200);
        foreach (var (amount, more) in new[]
        {
            (71, "\"userId\":\"u\",\"orderId\":\"o\""), (70, "\"userId\":\"v\",\"orderId\":\"o\""),
            (70, "\"userId\":\"u\""), (70, "\"userId\":\"u\",\"orderId\":\"o\",\"capture\":false"),
            (70, "\"userId\":\"u\",\"orderId\":\"o\",\"method\":\"WALLET\""),
        })
        {
            (await shop.PayAsync(amount, more, "one")).Refuses(422, "idempotency_key_reused");
        }

        var topUp = """{"amount":{"amount":70,"currency":"KRW"}}""";
        (await shop.SendAsync("POST", "/v1/wallets/u/top-ups", topUp, "Idempotency-Key: one"))
            .Refuses(422, "idempotency_key_reused");
        Assert.Single(await shop.AllAsync("/v1/payments"));
    }

    [Theory, OnBothDatabases]
    public async Task Keys_of_two_merchants_and_of_payments_and_operations_are_independent(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        var own = (await shop.PayAsync(70, key: "one")).Expect(200);
        var others = (await other.PayAsync(80, key: "one")).Expect(200);
        Assert.NotEqual(own.Id, others.Id);
        (await shop.AskAsync("refund", own.Id, 5, key: "one")).Expect(200);
        (await other.AskAsync("refund", others.Id, 6, key: "one")).Expect(200);
    }

    [Theory, OnBothDatabases]
    public async Task A_hundred_captures_or_refunds_at_once_are_one(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.AuthorizeAsync(1_000)).Id;
        foreach (var (operation, amount) in new[] { ("capture", 900L), ("refund", 7L) })
        {
            var replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(
                _ => shop.AskAsync(operation, id, amount, $"same-{operation}", waitSeconds: 0)));
            var first = Assert.Single(replies, reply => reply.Status == 202 && !reply.IsReplay);
            Assert.All(replies.Except([first]), reply => AssertIsRepeatOf(first, reply));
            await PaymentServer.EventuallyAsync("it is final", async () =>
                !(await shop.PaymentAsync(id)).Text.Contains("\"PENDING\"", StringComparison.Ordinal));

            var again = (await shop.AskAsync(operation, id, amount, $"same-{operation}", waitSeconds: 0)).Expect(202);
            Assert.Equal((true, first.Text), (again.IsReplay, again.Text));
            (await shop.AskAsync(operation, id, amount + 1, $"same-{operation}"))
                .Refuses(422, "idempotency_key_reused");
        }

        (await shop.AskAsync("void", id, null, "same-capture")).Refuses(422, "idempotency_key_reused");
        Assert.Equal(["AUTHORIZE 1000", "CAPTURE 900", "REFUND 7"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task A_refusal_is_not_remembered(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"outage\":true");
        var id = (await shop.PayAsync(100, "\"capture\":false", waitSeconds: 0)).Id;
        (await shop.AskAsync("capture", id, 60, "later")).Refuses(409, "payment_pending");
        (await shop.AskAsync("refund", id, 60, "even-later")).Refuses(409, "payment_pending");

        await server.SetFaultsAsync();
        await server.DrainedAsync();
        Assert.False((await shop.AskAsync("capture", id, 60, "later")).Expect(200).IsReplay);
        (await shop.AskAsync("refund", id, 60, "even-later")).Expect(200);
        (await shop.PaymentAsync(id)).IsPayment("REFUNDED", 100, 60, 60);
    }

    // The same content as the first answer, or the advice to ask again.
    private static void AssertIsRepeatOf(Reply first, Reply reply)
    {
        if (reply.Status == 409)
        {
            reply.Refuses(409, "idempotency_key_in_use");
            Assert.NotNull(reply.Headers.RetryAfter);
            return;
        }

        Assert.Equal((202, true, first.Text), (reply.Status, reply.IsReplay, reply.Text));
    }
}
