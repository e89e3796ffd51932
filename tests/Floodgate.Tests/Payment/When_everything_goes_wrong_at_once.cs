using System.Globalization;
using System.Text.Json;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment;

// Goal: under all faults at once the books, the payments and the provider's statement end up telling the same story.
// Method: random payments and operations, sent at once and partly repeated, while faults change and the server stops
// in the middle; every failure names its seed.
public sealed class When_everything_goes_wrong_at_once(PostgreSqlServer postgreSql)
{
    private const int Payments = 200;

    [Theory, OnBothDatabases]
    public async Task Payments_books_and_statement_agree_when_it_is_over(Stored stored)
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        await using var server = await PaymentServer.StartAsync(
            stored, postgreSql, "Log:StopWithinMs=0");
        var shop = await server.OpenShopAsync();
        (await shop.TopUpAsync("u", 3_000)).Expect(200);

        await server.SetFaultsAsync(Faults(random));
        await PayAsync(shop, random);
        await server.RestartAsync();
        shop = server.Again(shop);
        await server.SetFaultsAsync(Faults(random));
        await OperateAsync(shop, random);
        await server.SetFaultsAsync("\"outage\":true");
        await OperateAsync(shop, random);
        await server.RestartAsync();
        shop = server.Again(shop);
        await server.SetFaultsAsync(Faults(random));
        await OperateAsync(shop, random);
        await server.SetFaultsAsync();
        await server.DrainedAsync();

        Assert.True(await server.BrokenAsync() is [], $"seed {seed}: {string.Join("; ", await server.BrokenAsync())}");
        Assert.Empty(await server.Operator.AllAsync("/v1/ops/dead-letters", 200));
        await AssertStatementAgreesAsync(server, shop, $"seed {seed}");
    }

    private static string Faults(Random random) => string.Create(
        CultureInfo.InvariantCulture,
        $"\"latencyMs\":{random.Next(1, 30)},\"latencySpreadMs\":1,\"peakLatencyMs\":200,\"peakRatio\":0.05,") +
        "\"declineRatio\":0.1,\"errorRatio\":0.15,\"timeoutAfterSuccessRatio\":0.15";

    private static async Task PayAsync(Shop shop, Random random)
    {
        var payments = Enumerable.Range(0, Payments).Select(n =>
        {
            var wallet = random.Next(3) == 0 ? ",\"method\":\"WALLET\",\"userId\":\"u\"" : "";
            return (
                Amount: random.Next(1, 100),
                More: $"\"capture\":{(random.Next(2) == 0 ? "true" : "false")}{wallet}",
                Key: $"pay-{n}", Times: random.Next(1, 3));
        }).ToList();
        await Task.WhenAll(payments.SelectMany(p => Enumerable.Range(0, p.Times).Select(async _ =>
        {
            var reply = await shop.PayAsync(p.Amount, p.More, p.Key, waitSeconds: 0);
            Assert.True(reply.Status == 202 || reply.Code == "idempotency_key_in_use", reply.Text);
        })));
    }

    private static async Task OperateAsync(Shop shop, Random random)
    {
        string[] kinds = ["capture", "void", "refund", "refund"];
        var asked = (await shop.AllAsync("/v1/payments")).SelectMany(payment =>
        {
            var kind = kinds[random.Next(kinds.Length)];
            long? amount = kind == "void" || random.Next(4) == 0 ? null : random.Next(1, 60);
            var (id, key) = (payment.GetProperty("id").GetString()!, shop.NewKey());
            return Enumerable.Range(0, random.Next(1, 3)).Select(_ => (id, kind, amount, key));
        }).ToList();
        await Task.WhenAll(asked.Select(async a =>
        {
            var reply = await shop.AskAsync(a.kind, a.id, a.amount, a.key, waitSeconds: 0);
            Assert.True(reply.Status is 202 or 409 or 422, reply.Text);
        }));
    }

    /// <summary>The approved lines of the statement, summed for each payment, are what the payment says.</summary>
    private static async Task AssertStatementAgreesAsync(PaymentServer server, Shop shop, string seed)
    {
        var lines = (await server.Operator.AllAsync("/v1/ops/provider/statement"))
            .Where(line => line.GetProperty("status").GetString() == "APPROVED")
            .ToLookup(line => line.GetProperty("paymentId").GetString());
        var payments = await shop.AllAsync("/v1/payments");
        Assert.Equal(Payments + 1, payments.Count);
        foreach (var payment in payments)
        {
            var own = lines[payment.GetProperty("id").GetString()].ToList();
            if (payment.GetProperty("method").GetString() == "WALLET")
            {
                Assert.Empty(own);
                continue;
            }

            var told = (Sum(own, "AUTHORIZE", "CHARGE"), Sum(own, "CHARGE", "CAPTURE"), Sum(own, "REFUND"));
            var stored = (Number(payment, "authorized"), Number(payment, "captured"), Number(payment, "refunded"));
            Assert.True(told == stored, $"{seed}: the provider says {told}: {payment}");
            var isVoided = own.Exists(line => line.GetProperty("kind").GetString() == "VOID");
            Assert.True(isVoided == (payment.GetProperty("status").GetString() == "VOIDED"), $"{seed}: {payment}");
        }
    }

    private static long Number(JsonElement payment, string name) => payment.GetProperty(name).GetInt64();

    private static long Sum(List<JsonElement> lines, params string[] kinds) => lines
        .Where(line => kinds.Contains(line.GetProperty("kind").GetString()))
        .Sum(line => line.GetProperty("amount").GetProperty("amount").GetInt64());
}
