using Floodgate.Payment.Charges;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: no number of requests at once takes or gives back more than there is. Method: as many as the money allows
// twice over, all at once, on both databases; the provider's statement is the witness.
public sealed class When_operations_meet(PostgreSqlServer postgreSql, CalmServers calm)
{
    [Theory, OnBothDatabases]
    public async Task Of_a_hundred_refunds_at_once_those_that_fit_succeed(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(100)).Id;
        (await shop.AskAsync("refund", id, 101)).Refuses(422, "amount_above_refundable");
        var replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => shop.AskAsync("refund", id, 2)));

        Assert.Equal(50, replies.Count(reply => reply.Status == 200 && reply.Of("status") == "SUCCEEDED"));
        Assert.Equal(50, replies.Count(reply => reply.Code == "amount_above_refundable"));
        (await shop.PaymentAsync(id)).IsPayment("REFUNDED", 100, 100, 100);
        Assert.Equal(50, (await server.StatementOfAsync(id)).Count(line => line == "REFUND 2"));
    }

    // Goal: the same while the provider answers none of them, so that all are reserved at once.
    [Theory, OnBothDatabases]
    public async Task Refunds_that_wait_for_the_provider_have_reserved_their_amount(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var id = (await shop.PayAsync(100)).Id;
        await server.SetFaultsAsync("\"outage\":true");
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(_ => shop.AskAsync("refund", id, 2, waitSeconds: 0)));
        Assert.Equal(50, replies.Count(reply => reply.Status == 202));
        Assert.Equal(50, replies.Count(reply => reply.Code == "amount_above_refundable"));
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 100, 100, 0);

        await server.SetFaultsAsync();
        await server.DrainedAsync();
        (await shop.PaymentAsync(id)).IsPayment("REFUNDED", 100, 100, 100);
        Assert.Equal(51, (await server.StatementOfAsync(id)).Count);
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task Of_a_capture_and_a_void_at_once_exactly_one_wins(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await Parallel.ForEachAsync(Enumerable.Range(0, 20), async (_, _) =>
        {
            var id = (await shop.AuthorizeAsync(50)).Id;
            var replies = await Task.WhenAll(shop.AskAsync("capture", id), shop.AskAsync("void", id));
            var won = Assert.Single(replies, reply => reply.Status == 200);
            AssertCameTooLate(Assert.Single(replies, reply => reply.Status != 200));
            Assert.Equal(
                won.Of("kind") == "VOID" ? "VOIDED" : "CAPTURED", (await shop.PaymentAsync(id)).Of("status"));
            Assert.Equal(2, (await server.StatementOfAsync(id)).Count);
        });
    }

    [Theory, OnBothDatabases]
    public async Task Of_two_captures_at_once_exactly_one_wins(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        await Parallel.ForEachAsync(Enumerable.Range(0, 20), async (_, _) =>
        {
            var id = (await shop.AuthorizeAsync(50)).Id;
            var replies = await Task.WhenAll(shop.AskAsync("capture", id, 20), shop.AskAsync("capture", id, 30));
            var won = Assert.Single(replies, reply => reply.Status == 200);
            AssertCameTooLate(Assert.Single(replies, reply => reply.Status != 200));
            var taken = won.Json.GetProperty("amount").GetProperty("amount").GetInt64();
            (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 50, taken, 0);
            Assert.Equal(["AUTHORIZE 50", $"CAPTURE {taken}"], await server.StatementOfAsync(id));
        });
    }

    // Goal: a key used on two nodes at once, for two payments, moves money once. Method: two books on one database,
    // both asked at the same moment, many times.
    [Theory, OnBothDatabases]
    public async Task Of_one_key_on_two_nodes_exactly_one_request_is_taken(Stored stored)
    {
        var server = await calm.OnAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var (left, right) = ((await shop.PayAsync(100)).Id, (await shop.PayAsync(100)).Id);
        await using var there = ActivatorUtilities.CreateInstance<PaymentBook>(server.Services);
        var here = server.Services.GetRequiredService<PaymentBook>();
        for (var n = 0; n < 50; n++)
        {
            OperationRequest Refund(string id) => new(
                shop.MerchantId, $"meet-{n}", Guid.Parse(id), OperationKind.Refund,
                new Money(1, Currency.FromStored("KRW")));
            var asked = await Task.WhenAll(
                Task.Run(() => here.AskAsync(Refund(left)).AsTask()),
                Task.Run(() => there.AskAsync(Refund(right)).AsTask()));
            Assert.Equal(
                [OperationOutcome.Accepted, OperationOutcome.KeyReused],
                asked.Select(a => a.Outcome).OrderBy(outcome => outcome));
        }

        await server.DrainedAsync();
        Assert.Equal(52, (await server.StatementOfAsync(left)).Count + (await server.StatementOfAsync(right)).Count);
    }

    private static void AssertCameTooLate(Reply reply) => reply.Refuses(
        409, reply.Code == "operation_pending" ? "operation_pending" : "payment_not_authorized");
}
