using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: an error in the books is seen, and clean books are not accused. Method: payments in every state, and one error
// of each kind planted behind the server, in a transaction that is rolled back.
public sealed class When_the_books_are_wrong(PostgreSqlServer postgreSql)
{
    private static readonly (string Sql, string[] Fails)[] Errors =
    [
        ("update ledger_account set debit_total = debit_total + 1 where kind = 'ProviderClearing' returning 1",
            ["debits-equal-credits", "accounts-equal-entries"]),
        ("delete from ledger_entry where amount = 61 returning 1",
            ["accounts-equal-entries", "captured-payments-have-postings"]),
        ("update payment set captured = 0 where captured = 61 returning 1", ["captured-payments-have-postings"]),
        ("update payment set state = 'CAPTURED', authorized = 67, captured = 67 where amount = 67 returning 1",
            ["captured-payments-have-postings"]),
        ("update payment set refunded = 5 where refunded = 3 returning 1", ["captured-payments-have-postings"]),
        ("update payment set state = 'VOIDED' where amount = 31 returning 1", ["captured-payments-have-postings"]),
        ("update payment set parts = replace(parts, '\"amount\":40', '\"amount\":41') where amount = 43 returning 1",
            ["parts-have-postings"]),
        ("update payment set parts = replace(replace(parts, '\"amount\":40', '\"amount\":39'), '\"amount\":3,', "
            + "'\"amount\":4,') where amount = 43 returning 1",
            ["parts-have-postings"]),
        ("update payment set parts = replace(parts, '\"refunded\":2', '\"refunded\":1') where amount = 43 returning 1",
            ["parts-have-postings"]),
        ("update ledger_account set owner = 'somebody' where owner = 'part-a' and kind = 'MerchantRefunds' returning 1",
            ["parts-have-postings"]),
        ("delete from payment where amount = 43 returning 1", ["accepted-requests-are-in-the-log"]),
        ("delete from log_dead_letter returning 1", ["accepted-requests-are-in-the-log"]),
        ("insert into log_event (partition_id, at_offset, key, type, payload, at_ms)"
            + " select partition_id, at_offset + 1000, key, type, payload, at_ms from log_event"
            + " where partition_id between 1000 and 1999 and at_offset = 0 returning 1",
            ["accepted-is-final-or-in-flight"]),
        ("update log_partition set next_offset = next_offset + 1 where id = 1000 returning 1",
            ["accepted-requests-are-in-the-log", "accepted-is-final-or-in-flight"]),
        ("delete from charge_due returning 1", ["accepted-is-final-or-in-flight"]),
    ];

    [Theory, OnBothDatabases]
    public async Task Each_planted_error_fails_its_checks_and_no_others(Stored stored)
    {
        await using var server = await PaymentServer.StartAsync(
            stored, postgreSql, "Charges:RetryDelayMsFirst=60000", "Charges:RetryDelayMsMax=60000");
        await FillAsync(server);
        foreach (var (sql, fails) in Errors)
        {
            Assert.Equal((sql, string.Join(", ", fails)), (sql, string.Join(", ", await FailedByAsync(server, sql))));
        }

        Assert.Empty(await server.BrokenAsync());
        await server.TamperAsync(Errors[0].Sql);
        Assert.Equal(Errors[0].Fails, (await server.BrokenAsync()).Select(broken => broken.Split(':')[0]));
    }

    /// <summary>The checks that fail within a transaction that plants the error and is then rolled back.</summary>
    private static async Task<IReadOnlyList<string>> FailedByAsync(PaymentServer server, string sql)
    {
        var checks = server.Services.GetRequiredService<PaymentChecks>();
        IReadOnlyList<InvariantCheck> found = [];
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Services
            .GetRequiredService<Database>()
            .WriteAsync<int>(async tx =>
            {
                Assert.NotEmpty(await tx.QueryAsync(new Statement(sql), Rows.None, _ => 0));
                found = await checks.CheckAsync(tx);
                throw new InvalidOperationException("Any exception rolls back.");
            }));
        return [.. found.Where(check => !check.Holds).Select(check => check.Name)];
    }

    /// <summary>
    /// Payments in every state: captured, refunded in part, held, voided, failed, and one that waits.
    /// </summary>
    private static async Task FillAsync(PaymentServer server)
    {
        var shop = await server.OpenShopAsync();
        (await shop.PayAsync(61)).Expect(200);
        (await shop.TopUpAsync("u", 1_000)).Expect(200);
        (await shop.PayAsync(31, "\"method\":\"WALLET\",\"userId\":\"u\",\"capture\":false")).Expect(200);
        (await shop.PayAsync(2_000, "\"method\":\"WALLET\",\"userId\":\"u\"")).Expect(200);
        var refunded = (await shop.PayAsync(20, "\"method\":\"WALLET\",\"userId\":\"u\"")).Id;
        (await shop.AskAsync("refund", refunded, 3)).Expect(200);
        (await shop.AskAsync("void", (await shop.AuthorizeAsync(67)).Id)).Expect(200);
        var desk = new OrderDesk(server);
        var order = OrderDesk.Payment("platform", "u", "GATEWAY", ("part-a", 40), ("part-b", 3));
        await desk.PayAsync(order);
        await desk.AppendAsync(OrderDesk.Refund(order, "part-a", 2));
        await desk.ResultsAsync(order, 2);
        await desk.AppendAsync(OrderDesk.Payment("platform", "u", "GATEWAY", ("part-a", 40)) with { Amount = 41 });
        await desk.LettersAsync(1);
        await server.SetFaultsAsync("\"outage\":true");
        await shop.PayAsync(9, waitSeconds: 0);
        await PaymentServer.EventuallyAsync("the last one is put off", async () =>
            (await server.Operator.GetAsync("/v1/ops/lag")) is var lag
                && lag.Number("due") == 1 && lag.Number("lag") == 0);
    }
}
