using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: whatever the provider does, every accepted payment becomes final and none is charged twice.
// Method: faults of the simulated provider, set at run time; its statement is the witness.
public sealed class When_the_provider_is_in_trouble(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task A_time_out_after_the_charge_is_unknown_and_then_captured_once(Stored stored)
    {
        await using var server = await StartAsync(stored);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"timeoutAfterSuccessRatio\":1,\"latencyMs\":100000");
        var id = (await shop.PayAsync(100, waitSeconds: 0)).Expect(202).Id;
        await PaymentServer.EventuallyAsync(
            "it is unknown", async () => (await shop.PaymentAsync(id)).Of("status") == "UNKNOWN");
        (await shop.AskAsync("refund", id)).Refuses(409, "payment_pending");

        // The charge was made; from now on only the question by id is answered.
        await server.SetFaultsAsync("\"timeoutAfterSuccessRatio\":1");
        await server.DrainedAsync();
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 100, 100, 0);
        Assert.Equal(["CHARGE 100"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task Operations_that_time_out_after_their_effect_happen_once(Stored stored)
    {
        await using var server = await StartAsync(stored);
        var shop = await server.OpenShopAsync();
        var (kept, voided) = ((await shop.AuthorizeAsync(100)).Id, (await shop.AuthorizeAsync(100)).Id);
        await server.SetFaultsAsync("\"timeoutAfterSuccessRatio\":1");
        var replies = await Task.WhenAll(shop.AskAsync("capture", kept, 80), shop.AskAsync("void", voided));
        Assert.All(replies, reply => Assert.Equal("SUCCEEDED", reply.Expect(200).Of("status")));
        (await shop.AskAsync("refund", kept, 30)).Expect(200);

        (await shop.PaymentAsync(kept)).IsPayment("PARTIALLY_REFUNDED", 100, 80, 30);
        (await shop.PaymentAsync(voided)).IsPayment("VOIDED", 100, 0, 0);
        Assert.Equal(["AUTHORIZE 100", "CAPTURE 80", "REFUND 30"], await server.StatementOfAsync(kept));
        Assert.Equal(["AUTHORIZE 100", "VOID 100"], await server.StatementOfAsync(voided));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: "never seen" leads to one charge. Method: a payment that is waiting is made unknown behind the server.
    [Theory, OnBothDatabases]
    public async Task An_unknown_payment_that_the_provider_never_saw_is_asked_for_again_once(Stored stored)
    {
        await using var server = await StartAsync(stored);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"outage\":true");
        var id = (await shop.PayAsync(100, waitSeconds: 0)).Id;
        await PaymentServer.EventuallyAsync("it is put off", async () =>
            (await server.Operator.GetAsync("/v1/ops/lag")) is var lag
                && lag.Number("due") == 1 && lag.Number("lag") == 0);
        await server.TamperAsync($"update payment set state = 'UNKNOWN' where id = {server.Literal(id)} returning 1");

        await server.SetFaultsAsync();
        await server.DrainedAsync();
        (await shop.PaymentAsync(id)).IsPayment("CAPTURED", 100, 100, 0);
        Assert.Equal(["CHARGE 100"], await server.StatementOfAsync(id));
    }

    [Theory, OnBothDatabases]
    public async Task In_an_outage_intake_goes_on_and_afterwards_all_is_charged_once(Stored stored)
    {
        await using var server = await StartAsync(stored);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"outage\":true");
        var accepted = await Task.WhenAll(Enumerable.Range(1, 200).Select(n => shop.PayAsync(n, waitSeconds: 0)));
        Assert.All(accepted, reply => reply.Expect(202));
        await PaymentServer.EventuallyAsync("all wait in their table", async () =>
            (await server.Operator.GetAsync("/v1/ops/lag")) is var lag
                && lag.Number("due") == 200 && lag.Number("lag") == 0);
        var open = await server.BreakerAsync();
        Assert.NotEqual("CLOSED", open.GetProperty("state").GetString());
        Assert.True(open.GetProperty("openedCount").GetInt32() > 0);
        Assert.Empty(await server.BrokenAsync());

        await server.SetFaultsAsync();
        await server.DrainedAsync();
        Assert.Equal("CLOSED", (await server.BreakerAsync()).GetProperty("state").GetString());
        await AssertChargedOnceAsync(server, shop, 200);
    }

    [Theory, OnBothDatabases]
    public async Task Declined_is_final_and_says_so(Stored stored)
    {
        await using var server = await StartAsync(stored);
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"declineRatio\":1");
        var payments = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => shop.PayAsync(100)));
        Assert.All(payments, p => p.Expect(200).IsPayment("FAILED", 0, 0, 0));
        Assert.All(payments, p =>
            Assert.Equal(("card_declined", "FAILED"), (p.Of("failReason"), p.Of("intakeStatus"))));
        (await shop.AskAsync("refund", payments[0].Id)).Refuses(409, "payment_not_captured");
        Assert.Empty(await server.StatementOfAsync(payments[0].Id));
        Assert.Equal(0, (await server.BreakerAsync()).GetProperty("openedCount").GetInt32());
        Assert.Equal(0, (await shop.GetAsync("/v1/ledger/accounts")).Json.GetProperty("data").GetArrayLength());
    }

    [Theory, OnBothDatabases]
    public async Task A_slow_provider_opens_the_breaker_and_loses_nothing(Stored stored)
    {
        await using var server = await StartAsync(stored, "Providers:Breaker:SlowMs=20");
        var shop = await server.OpenShopAsync();
        await server.SetFaultsAsync("\"latencyMs\":60");
        await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => shop.PayAsync(100, waitSeconds: 0)));
        await PaymentServer.EventuallyAsync(
            "it opens", async () => (await server.BreakerAsync()).GetProperty("openedCount").GetInt32() > 0);

        await server.SetFaultsAsync();
        await server.DrainedAsync();
        await AssertChargedOnceAsync(server, shop, 30);
    }

    // Goal: a stop at any moment loses and repeats nothing. Method: stop three times while calls are under way.
    [Theory, OnBothDatabases]
    public async Task A_stopped_worker_finishes_everything_after_its_start(Stored stored)
    {
        await using var server = await StartAsync(stored, "Log:StopWithinMs=0");
        var shop = await server.OpenShopAsync();
        var paid = (await shop.PayAsync(1_000)).Expect(200).Id;
        for (var stop = 0; stop < 3; stop++)
        {
            await server.SetFaultsAsync("\"latencyMs\":60,\"timeoutAfterSuccessRatio\":0.2,\"errorRatio\":0.1");
            await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => shop.PayAsync(100, waitSeconds: 0)));
            await shop.AskAsync("refund", paid, 10, waitSeconds: 0);
            await server.RestartAsync();
            shop = server.Again(shop);
        }

        await server.DrainedAsync();
        (await shop.PaymentAsync(paid)).IsPayment("PARTIALLY_REFUNDED", 1_000, 1_000, 30);
        await AssertChargedOnceAsync(server, shop, 151);
    }

    private Task<PaymentServer> StartAsync(Stored stored, params string[] settings) =>
        PaymentServer.StartAsync(stored, postgreSql, settings);

    private static async Task AssertChargedOnceAsync(PaymentServer server, Shop shop, int count)
    {
        var payments = await shop.AllAsync("/v1/payments");
        Assert.All(payments, p => Assert.Equal(p.GetProperty("amount").GetProperty("amount").GetInt64(),
            p.GetProperty("captured").GetInt64()));
        var charges = (await server.Operator.AllAsync("/v1/ops/provider/statement"))
            .Where(line => line.GetProperty("kind").GetString() == "CHARGE").Select(PaymentOf).ToList();
        Assert.Equal(count, payments.Count);
        Assert.Equal(payments.Select(IdOf).Order(), charges.Order());
        Assert.Empty(await server.BrokenAsync());
    }

    private static string? IdOf(JsonElement payment) => payment.GetProperty("id").GetString();

    private static string? PaymentOf(JsonElement line) => line.GetProperty("paymentId").GetString();
}
