using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Charges.Providers;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: every request of an order has one effect and one outcome, whatever happens to the provider, the server or the
// event; no money is taken that nobody knows of. Method: faults, restarts and events delivered again, on both
// databases.
public sealed class When_an_orders_request_meets_trouble(PostgreSqlServer postgreSql)
{
    [Theory, OnBothDatabases]
    public async Task Requests_delivered_again_change_nothing(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        var wallet = OrderDesk.Payment(shop.MerchantId, "u", "WALLET", (shop.MerchantId, 500), ("other", 100));
        var gateway = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 70));
        await desk.PayAsync(wallet);
        await desk.PayAsync(gateway);
        await desk.AppendAsync(OrderDesk.Refund(wallet, "other", 40));
        await desk.ResultsAsync(wallet, 2);
        for (var time = 0; time < 2; time++)
        {
            await OrderDesk.DeliverAllAgainAsync(server);
            await server.DrainedAsync();
        }

        shop = server.Again(shop);
        Assert.Equal((440, 0), await shop.WalletAsync("u"));
        Assert.Equal(2, (await desk.ResultsAsync(wallet)).Count);
        Assert.Single(await desk.ResultsAsync(gateway));
        Assert.Equal(["CHARGE 70"], await server.StatementOfAsync(gateway.PaymentId.ToString()));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: a repeat is recognized where both are recorded, and what it was believed to spend is there for others.
    [Theory, OnBothDatabases]
    public async Task A_request_that_comes_twice_at_once_is_carried_out_once(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        var orders = Enumerable.Range(0, 10)
            .Select(_ => OrderDesk.Payment(shop.MerchantId, "u", "WALLET", (shop.MerchantId, 100))).ToArray();
        await desk.AppendAsync([.. orders, .. orders, .. orders]);
        await server.DrainedAsync();
        Assert.Equal((0, 0), await shop.WalletAsync("u"));
        foreach (var order in orders)
        {
            Assert.Equal(PaymentState.Captured, Assert.Single(await desk.ResultsAsync(order)).Status);
        }

        var refund = OrderDesk.Refund(orders[0], shop.MerchantId, 60);
        await desk.AppendAsync(refund, refund, refund);
        await server.DrainedAsync();
        Assert.Equal((60, 0), await shop.WalletAsync("u"));
        Assert.Equal(2, (await desk.ResultsAsync(orders[0])).Count);
    }

    // Goal: the server may stop between the call and its record. Method: stops while calls are under way.
    [Theory, OnBothDatabases]
    public async Task A_stop_at_any_moment_loses_and_repeats_nothing(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Log:StopWithinMs=0");
        var desk = new OrderDesk(server);
        var orders = new List<OrderPayment>();
        for (var stop = 0; stop < 3; stop++)
        {
            await server.SetFaultsAsync("\"latencyMs\":60,\"timeoutAfterSuccessRatio\":0.2,\"errorRatio\":0.2");
            var next = Enumerable.Range(0, 40)
                .Select(n => OrderDesk.Payment("platform", $"u-{n}", "GATEWAY", ("a", 30), ("b", 40))).ToArray();
            await desk.AppendAsync(next);
            orders.AddRange(next);
            await server.RestartAsync();
        }

        await server.DrainedAsync();
        foreach (var order in orders)
        {
            (await desk.ShowAsync(order)).IsPayment("CAPTURED", 70, 70, 0);
        }

        var charges = await server.Operator.AllAsync("/v1/ops/provider/statement");
        Assert.Equal(orders.Count, charges.Count(c => c.GetProperty("status").GetString() == "APPROVED"));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: an outage that outlasts the order ends in a refusal and not in a charge. Method: an order that certainly
    // came after the start, so that nobody can have called for it: it fails while the provider is still away.
    [Theory, OnBothDatabases]
    public async Task An_order_that_expires_in_an_outage_is_declined_without_a_call(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Providers:Breaker:OpenMs=60000");
        var desk = new OrderDesk(server);
        await server.SetFaultsAsync("\"outage\":true");
        var order = OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30)) with
        {
            NotAfterMs = OrderDesk.NowMs + 700,
            RequestedAtMs = OrderDesk.NowMs + 600_000,
        };
        await desk.AppendAsync(order);
        var result = (await desk.ResultsAsync(order, 1))[0];
        Assert.Equal((PaymentState.Failed, "order_expired"), (result.Status, result.FailReason));
        Assert.Empty(await server.Operator.AllAsync("/v1/ops/provider/statement"));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: the same where the process before may have called: the provider is asked first, and no new call is made.
    [Theory, OnBothDatabases]
    public async Task After_a_restart_an_expired_order_is_asked_about_and_not_called(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var desk = new OrderDesk(server);
        await server.SetFaultsAsync("\"outage\":true");
        var order = OrderDesk.Payment("platform", "u", "GATEWAY", ("a",
            30)) with { NotAfterMs = OrderDesk.NowMs + 300 };
        var late = OrderDesk.Payment("platform", "v", "WALLET", ("a", 30)) with { NotAfterMs = 1 };
        await desk.AppendAsync(order, late);
        await PaymentServer.EventuallyAsync("it has expired", async () => OrderDesk.NowMs > order.NotAfterMs
            && (await server.Operator.GetAsync("/v1/ops/lag")).Number("lag") == 0);
        Assert.Equal("UNKNOWN", (await desk.ShowAsync(order)).Of("status"));
        await server.RestartAsync();
        foreach (var expired in new[] { order, late })
        {
            var result = (await desk.ResultsAsync(expired, 1))[0];
            Assert.Equal((PaymentState.Failed, "order_expired"), (result.Status, result.FailReason));
        }

        Assert.Empty(await server.StatementOfAsync(order.PaymentId.ToString()));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: a call of which the process before could not tell is found. Method: the call is made behind the server.
    [Theory, OnBothDatabases]
    public async Task A_call_that_was_made_before_a_crash_is_found_although_the_order_has_expired(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var desk = new OrderDesk(server);
        await server.SetFaultsAsync("\"outage\":true");
        var order = OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30)) with
        {
            RequestedAtMs = OrderDesk.NowMs + 600_000,
        };
        await desk.AppendAsync(order);
        await PaymentServer.EventuallyAsync("it is put off", async () =>
            (await server.Operator.GetAsync("/v1/ops/lag")) is var lag
                && lag.Number("due") == 1 && lag.Number("lag") == 0);
        (await server.Operator.SendAsync("POST", "/v1/ops/processing/pause")).Expect(204);
        Assert.Equal("REQUESTED", (await desk.ShowAsync(order)).Of("status"));
        await server.SetFaultsAsync();
        await server.Services.GetRequiredService<ProviderGates>().Simulated!.ExecuteAsync(
            new(order.PaymentId, order.PaymentId, ProviderAction.Charge, new(30, Currency.FromStored("KRW"))), default);
        await server.TamperAsync("update payment set not_after_ms = 1 where not_after_ms > 0 returning 1");

        await server.RestartAsync();
        Assert.Equal(PaymentState.Captured, (await desk.ResultsAsync(order, 1))[0].Status);
        Assert.Equal(["CHARGE 30"], await server.StatementOfAsync(order.PaymentId.ToString()));
    }

    [Theory, OnBothDatabases]
    public async Task A_charge_of_unknown_outcome_still_succeeds_after_its_order_has_expired(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var desk = new OrderDesk(server);
        await server.SetFaultsAsync("\"timeoutAfterSuccessRatio\":1,\"latencyMs\":100000");
        var order = OrderDesk.Payment("platform", "u", "GATEWAY", ("a",
            30)) with { NotAfterMs = OrderDesk.NowMs + 400 };
        await desk.AppendAsync(order);
        await PaymentServer.EventuallyAsync("it is unknown", async () =>
            (await server.Operator.PaymentAsync(order.PaymentId.ToString())) is { Status: 200 } shown
                && shown.Of("status") == "UNKNOWN" && OrderDesk.NowMs > order.NotAfterMs);
        await server.SetFaultsAsync();
        Assert.Equal(PaymentState.Captured, (await desk.ResultsAsync(order, 1))[0].Status);
        Assert.Equal(["CHARGE 30"], await server.StatementOfAsync(order.PaymentId.ToString()));
        Assert.Empty(await server.BrokenAsync());
    }

    [Theory, OnBothDatabases]
    public async Task A_request_that_cannot_be_is_a_dead_letter_and_discarding_it_releases_the_order(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        var good = OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30));
        await desk.PayAsync(good);
        OrderPayment[] bad =
        [
            OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30)) with { Amount = 31 },
            OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30)) with { Currency = "QQQ" },
            OrderDesk.Payment("platform", "u", "CASH", ("a", 30)),
            OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30), ("a", 30)),
            OrderDesk.Payment("platform", "u", "GATEWAY", ("a", 30), ("b", -10)),
            OrderDesk.Payment("platform", "u", "GATEWAY"),
        ];
        OrderRefund[] refunds =
        [
            OrderDesk.Refund(good, "b", 10), OrderDesk.Refund(good, "a", 31), OrderDesk.Refund(bad[0], "a", 10),
            OrderDesk.Refund(good, "a", 10) with { OrderId = bad[0].OrderId },
            OrderDesk.Refund(good, "a", 10) with { Currency = "EUR" },
        ];
        await desk.AppendAsync(bad);
        await desk.AppendAsync(refunds);
        await desk.AppendAsync(
            new NewEvent(PaymentEvents.Requests, "k", OrderEvents.PaymentRequested, "{\"paymentId\":"),
            new NewEvent(PaymentEvents.Requests, "k", OrderEvents.PaymentRequested, "null"),
            new NewEvent(PaymentEvents.Requests, "k", "order.payment-requested/2", "{}"));
        var letters = await desk.LettersAsync(bad.Length + refunds.Length + 3);
        Assert.Empty(await server.BrokenAsync());

        foreach (var (id, _) in letters)
        {
            await CloseAsync(server, id, "discard");
        }

        foreach (var order in bad)
        {
            var result = (await desk.ResultsAsync(order, 1))[0];
            Assert.Equal((PaymentState.Failed, "discarded", null), (result.Status, result.FailReason,
                result.OperationId));
        }

        var ofGood = await desk.ResultsAsync(good, 4); // Its payment, and the refunds of it that name it.
        Assert.All(ofGood.Skip(1), r => Assert.Equal(
            (OperationState.Failed, "discarded"), (r.OperationStatus, r.FailReason)));
        (await desk.ShowAsync(good)).IsPayment("CAPTURED", 30, 30, 0);
        Assert.Single(await server.Operator.AllAsync("/v1/ops/provider/statement"));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: a request that failed when its answer was recorded may have been charged, so closing its letter asks the
    // provider. Method: the posting is taken until the letter is closed; a wallet's was certainly not charged.
    [Theory]
    [InlineData(Stored.InSqlite, "replay")]
    [InlineData(Stored.InSqlite, "discard")]
    [InlineData(Stored.InPostgreSql, "replay")]
    [InlineData(Stored.InPostgreSql, "discard")]
    public async Task A_charge_behind_a_closed_letter_is_kept_or_was_never_made(Stored stored, string close)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql, "Log:AttemptsMax=1");
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        (await shop.PayAsync(1)).Expect(200); // Opens an account.
        var gateway = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 30));
        var wallet = OrderDesk.Payment(shop.MerchantId, "v", "WALLET", (shop.MerchantId, 30));
        (await shop.TopUpAsync("v", 100)).Expect(200);
        foreach (var order in new[] { gateway, wallet })
        {
            var id = server.Literal(order.PaymentId.ToString());
            await server.TamperAsync("insert into ledger_entry (payment_id, event_id, line, account_id, amount, at_ms)"
                + $" values ({id}, {id}, 0, 1, 30, 7) returning 1");
        }

        await desk.AppendAsync(gateway, wallet);
        var letters = await desk.LettersAsync(2);
        await server.TamperAsync("delete from ledger_entry where at_ms = 7 returning 1");
        Assert.Empty(await server.BrokenAsync());
        foreach (var (id, _) in letters)
        {
            await CloseAsync(server, id, close);
        }

        await server.DrainedAsync();
        Assert.Equal(PaymentState.Captured, (await desk.ResultsAsync(gateway, 1))[0].Status);
        Assert.Equal(["CHARGE 30"], await server.StatementOfAsync(gateway.PaymentId.ToString()));
        var result = (await desk.ResultsAsync(wallet, 1))[0];
        Assert.Equal(
            close == "replay" ? (PaymentState.Captured, null) : (PaymentState.Failed, "discarded"),
            (result.Status, result.FailReason));
        Assert.Empty(await server.BrokenAsync());
    }

    // Goal: what the provider did is not lost because another payment has the order's key. Method: the key, used
    // before.
    [Theory, OnBothDatabases]
    public async Task A_payment_whose_key_is_taken_is_stored_all_the_same(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(stored, postgreSql);
        var (desk, shop) = (new OrderDesk(server), await server.OpenShopAsync());
        var order = OrderDesk.Payment(shop.MerchantId, "u", "GATEWAY", (shop.MerchantId, 30));
        (await shop.PayAsync(5, key: order.IdempotencyKey)).Expect(200);
        Assert.Equal(PaymentState.Captured, (await desk.PayAsync(order)).Status);
        (await shop.PayAsync(5, key: order.IdempotencyKey)).Expect(200).IsPayment("CAPTURED", 5, 5, 0);
        Assert.Empty(await server.BrokenAsync());
    }

    private static async Task CloseAsync(PaymentServer server, string letter, string how) =>
        (await server.Operator.SendAsync("POST", $"/v1/ops/dead-letters/{letter}/{how}")).Expect(200);
}
