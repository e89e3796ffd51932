using System.Text.Json;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: an event that cannot be handled is shown to the operator and holds up nobody; what it asked for still gets
// its answer. Method: events planted in the log, and postings that collide.
public sealed class When_an_event_cannot_be_handled(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task It_is_a_dead_letter_and_its_partition_goes_on(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var shop = await server.OpenShopAsync();
        var paid = (await shop.PayAsync(10)).Id;
        var refund = (await shop.AskAsync("refund", paid, 1)).Id;
        var key = $"{shop.MerchantId}/u";
        await PlantAsync(
            server,
            new(PaymentEvents.Requests, key, "payment.requested/1", "{\"paymentId\":"),
            new(PaymentEvents.Requests, key, "payment.requested/2", $$"""{"paymentId":"{{paid}}"}"""),
            new(PaymentEvents.Requests, key, "payment.requested/1", "{}"),
            new(PaymentEvents.Requests, key, "payment.requested/1", "null"),
            new(PaymentEvents.Requests, key, "payment.requested/1", $$"""{"paymentId":"{{NoPayment}}"}"""),
            new(PaymentEvents.Requests, key, "payment.operation-requested/1", $$"""{"paymentId":"{{paid}}"}"""),
            new(PaymentEvents.Requests, key, "payment.operation-requested/1",
                $$"""{"paymentId":"{{NoPayment}}","operationId":"{{refund}}"}"""));

        (await shop.PayAsync(20, "\"userId\":\"u\"")).Expect(200).IsPayment("CAPTURED", 20, 20, 0);
        await server.DrainedAsync();
        var letters = await LettersAsync(server, 3);
        Assert.Equal(7, letters.Count);
        Assert.All(letters, letter => Assert.Equal(
            ("charges", "payment-requests", key, "OPEN"),
            (letter.GetProperty("group").GetString(), letter.GetProperty("topic").GetString(),
                letter.GetProperty("key").GetString(), letter.GetProperty("state").GetString())));
        Assert.All(letters, letter => Assert.NotEqual("", letter.GetProperty("error").GetString()));
    }

    [Theory, OnBothDatabases]
    public async Task It_can_be_sent_again_or_given_up_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        await PlantAsync(
            server,
            new(PaymentEvents.Requests, "a", "payment.requested/9", "{}"),
            new(PaymentEvents.Requests, "a", "payment.requested/9", "{}"));
        await server.DrainedAsync();
        var ids = (await LettersAsync(server)).ConvertAll(l => l.GetProperty("id").GetString());

        Assert.Equal("REPLAYED", (await CloseAsync(server, ids[0], "replay")).Expect(200).Of("state"));
        (await CloseAsync(server, ids[0], "replay")).Refuses(409, "dead_letter_not_open");
        Assert.Equal("DISCARDED", (await CloseAsync(server, ids[1], "discard")).Expect(200).Of("state"));
        (await CloseAsync(server, ids[1], "replay")).Refuses(409, "dead_letter_not_open");
        (await CloseAsync(server, NoPayment, "discard")).Refuses(409, "dead_letter_not_open");
        (await CloseAsync(server, "seven", "discard")).Refuses(409, "dead_letter_not_open");

        await server.DrainedAsync();
        var open = Assert.Single(await LettersAsync(server));
        Assert.DoesNotContain(open.GetProperty("id").GetString(), ids);
        (await server.Operator.GetAsync("/v1/ops/dead-letters?state=LOST")).Refuses(400, "invalid_parameter");
    }

    // Goal: an operator who follows has_more sees every letter. Method: one more than the longest page.
    [Theory, OnBothDatabases]
    public async Task Letters_behind_a_full_page_are_told_of(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var bad = new NewEvent(PaymentEvents.Requests, "a", "payment.requested/1", "{}");
        await PlantAsync(server, [.. Enumerable.Repeat(bad, 201)]);
        await server.DrainedAsync();
        var letters = await LettersAsync(server);
        Assert.Equal(201, letters.Select(letter => letter.GetProperty("id").GetString()).Distinct().Count());
    }

    // Goal: giving up a letter about a real payment does not leave the payment pending. Method: a posting that is
    // there already makes the answer impossible to record until it is removed.
    [Theory]
    [InlineData(Stored.InSqlite, "replay")]
    [InlineData(Stored.InSqlite, "discard")]
    [InlineData(Stored.InPostgreSql, "replay")]
    [InlineData(Stored.InPostgreSql, "discard")]
    public async Task A_payment_behind_a_closed_letter_still_becomes_final(Stored stored, string close)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Log:AttemptsMax=1");
        var shop = await server.OpenShopAsync();
        var id = await PayInCollisionAsync(server, shop);
        await PaymentServer.EventuallyAsync(
            "it is a letter", async () => (await LettersAsync(server)).Count == 1);
        (await shop.PaymentAsync(id)).IsPayment("REQUESTED", 0, 0, 0);
        Assert.DoesNotContain(await server.BrokenAsync(), b => b.StartsWith("accepted", StringComparison.Ordinal));

        await server.TamperAsync("delete from ledger_entry where at_ms = 7 returning 1");
        var letter = (await LettersAsync(server))[0].GetProperty("id").GetString();
        (await CloseAsync(server, letter, close)).Expect(200);
        await server.DrainedAsync();
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 30, 30, 0);
        Assert.Equal(["CHARGE 30"], await server.StatementOfAsync(id));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: what was put off and cannot be recorded holds up no other payment. Method: the same collision, with the
    // letter given up before it is removed, and an outage so that others are put off too.
    [Theory, OnBothDatabases]
    public async Task A_payment_that_cannot_be_recorded_holds_up_no_other_that_was_put_off(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Log:AttemptsMax=1");
        var shop = await server.OpenShopAsync();
        var stuck = await PayInCollisionAsync(server, shop);
        await PaymentServer.EventuallyAsync(
            "it is a letter", async () => (await LettersAsync(server)).Count == 1);
        var letter = (await LettersAsync(server))[0].GetProperty("id").GetString();
        (await CloseAsync(server, letter, "discard")).Expect(200);

        await server.SetFaultsAsync("\"outage\":true");
        var others = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => shop.PayAsync(5, waitSeconds: 0)));
        await server.SetFaultsAsync();
        foreach (var other in others)
        {
            await PaymentServer.EventuallyAsync(
                "it is captured", async () => (await shop.PaymentAsync(other.Id)).Of("status") == "CAPTURED");
        }

        (await shop.PaymentAsync(stuck)).IsPayment("REQUESTED", 0, 0, 0);
        await server.TamperAsync("delete from ledger_entry where at_ms = 7 returning 1");
        await server.DrainedAsync();
        (await shop.PaymentAsync(stuck)).IsPayment("CAPTURED", 30, 30, 0);
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: a total never runs over; the payment waits, and those of others go on. Method: an account that has room for
    // less than the payment.
    [Theory, OnBothDatabases]
    public async Task A_payment_that_an_account_has_no_room_for_waits_alone(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Log:AttemptsMax=1");
        var (shop, other) = (await server.OpenShopAsync(), await server.OpenShopAsync());
        (await shop.PayAsync(1)).Expect(200); // Opens the accounts.
        await server.TamperAsync(Fill('+'));
        var id = (await shop.PayAsync(30, waitSeconds: 0)).Id;
        await PaymentServer.EventuallyAsync(
            "it is a letter", async () => (await LettersAsync(server)).Count == 1);
        (await shop.PaymentAsync(id)).IsPayment("REQUESTED", 0, 0, 0);
        (await other.PayAsync(30)).Expect(200).IsPayment("CAPTURED", 30, 30, 0);

        await server.TamperAsync(Fill('-'));
        var letter = (await LettersAsync(server))[0].GetProperty("id").GetString();
        (await CloseAsync(server, letter, "replay")).Expect(200);
        await server.DrainedAsync();
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 30, 30, 0);
        Assert.Empty(await server.BrokenAsync());

        string Fill(char sign) => $"""
            update ledger_account set credit_total = credit_total {sign} 8999999999999999980
            where kind = 'MerchantPayable' and owner = '{shop.MerchantId}' returning 1
            """;
    }

    private const string NoPayment = "0198c0de-0000-7000-8000-000000000000";

    /// <summary>A payment whose first posting is taken before its answer can be recorded.</summary>
    private static async Task<string> PayInCollisionAsync(PaymentServer server, Shop shop)
    {
        (await shop.PayAsync(1)).Expect(200); // Opens the accounts.
        await server.SetFaultsAsync("\"latencyMs\":90");
        var id = (await shop.PayAsync(30, waitSeconds: 0)).Id;
        await server.TamperAsync($"""
            insert into ledger_entry (payment_id, event_id, line, account_id, amount, at_ms)
            select p.id, p.id, 0, 1, 30, 7 from payment p where p.id = {server.Literal(id)} returning 1
            """);
        await server.SetFaultsAsync();
        return id;
    }

    private static Task<List<JsonElement>> LettersAsync(PaymentServer server, int limit = 200) =>
        server.Operator.AllAsync("/v1/ops/dead-letters", limit);

    private static Task<Reply> CloseAsync(PaymentServer server, string? letter, string how) =>
        server.Operator.SendAsync("POST", $"/v1/ops/dead-letters/{letter}/{how}");

    private static async Task PlantAsync(PaymentServer server, params NewEvent[] events)
    {
        var log = server.Services.GetRequiredService<IEventLog>();
        await server.Services.GetRequiredService<Database>().WriteAsync(async tx =>
        {
            await log.AppendAsync(tx, events);
            return 0;
        });
    }
}
