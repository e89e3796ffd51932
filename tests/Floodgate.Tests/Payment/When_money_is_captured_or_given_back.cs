using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: what is asked of a payment after its authorization happens once, at the provider too, or is refused with a
// reason. Method: through the front door, on both databases; the provider's statement is the witness.
public sealed class When_money_is_captured_or_given_back(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task A_capture_without_an_amount_takes_all(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.AuthorizeAsync(500)).Id;
        var capture = (await shop.AskAsync("capture", id)).Expect(200);

        Assert.Equal(("CAPTURE", "SUCCEEDED", "SUCCESS"),
            (capture.Of("kind"), capture.Of("status"), capture.Of("intakeStatus")));
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 500, 500, 0);
        Assert.Equal(["AUTHORIZE 500", "CAPTURE 500"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task A_part_is_captured_once_and_only_that_part_can_be_refunded(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.AuthorizeAsync(500)).Id;
        (await shop.AskAsync("capture", id, 501)).Refuses(422, "amount_above_authorized");
        (await shop.AskAsync("capture", id, 300)).Expect(200);

        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 500, 300, 0);
        (await shop.AskAsync("capture", id, 200)).Refuses(409, "payment_not_authorized");
        (await shop.AskAsync("void", id)).Refuses(409, "payment_not_authorized");
        (await shop.AskAsync("refund", id, 301)).Refuses(422, "amount_above_refundable");
        (await shop.AskAsync("refund", id)).Expect(200);
        (await shop.PaymentAsync(id)).IsPayment("REFUNDED", 500, 300, 300);
        Assert.Equal(["AUTHORIZE 500", "CAPTURE 300", "REFUND 300"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task A_void_gives_the_authorization_up_for_good(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.AuthorizeAsync(500)).Id;
        Assert.Equal("VOID", (await shop.AskAsync("void", id)).Expect(200).Of("kind"));

        (await shop.PaymentAsync(id)).IsPayment("VOIDED", 500, 0, 0);
        (await shop.AskAsync("capture", id)).Refuses(409, "payment_not_authorized");
        (await shop.AskAsync("void", id)).Refuses(409, "payment_not_authorized");
        (await shop.AskAsync("refund", id)).Refuses(409, "payment_not_captured");
        Assert.Equal(["AUTHORIZE 500", "VOID 500"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task Refunds_may_come_in_parts_until_nothing_is_left(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(100)).Id;
        foreach (var (refund, refunded) in new[] { (30, 30), (30, 60), (30, 90) })
        {
            (await shop.AskAsync("refund", id, refund)).Expect(200);
            (await shop.PaymentAsync(id)).IsPayment("PARTIALLY_REFUNDED", 100, 100, refunded);
        }

        (await shop.AskAsync("refund", id, 11)).Refuses(422, "amount_above_refundable");
        (await shop.AskAsync("refund", id)).Expect(200);
        (await shop.AskAsync("refund", id)).Refuses(422, "amount_above_refundable");
        (await shop.AskAsync("refund", id, 1)).Refuses(422, "amount_above_refundable");

        var payment = (await shop.PaymentAsync(id)).IsPayment("REFUNDED", 100, 100, 100);
        Assert.Equal([30L, 30, 30, 10], payment.Json.GetProperty("operations").EnumerateArray()
            .Select(o => o.GetProperty("amount").GetProperty("amount").GetInt64()));
        Assert.Equal(
            ["CHARGE 100", "REFUND 30", "REFUND 30", "REFUND 30", "REFUND 10"], await server.StatementOfAsync(id));
    }

    // Goal: a waiter gets its own operation however many there are. Method: one more than a payment shows.
    [Theory, OnBothDatabases]
    public async Task The_thousand_and_first_refund_is_waited_for_like_the_first(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(1_001)).Id;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 1_000),
            new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (_, _) => (await shop.AskAsync("refund", id, 1, waitSeconds: 0)).Expect(202));

        Assert.Equal("SUCCEEDED", (await shop.AskAsync("refund", id)).Expect(200).Of("status"));
        await PaymentServer.EventuallyAsync(
            "all is refunded", async () => (await shop.PaymentAsync(id)).Of("status") == "REFUNDED");
        Assert.Equal(1_002, (await server.StatementOfAsync(id)).Count);
    }
}
