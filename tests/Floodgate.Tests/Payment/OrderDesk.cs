using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;
using Microsoft.Extensions.DependencyInjection;

namespace Floodgate.Tests.Payment;

/// <summary>Stands for Orders: writes its requests to the log of a server, and reads the results.</summary>
internal sealed class OrderDesk(PaymentServer server)
{
    private static readonly Statement SelectResults = new(
        """
        select e.payload from log_event e where e.type = 'payment.result/1' and e.key = (select rows.key from {rows})
        order by e.partition_id, e.at_offset
        """,
        Column.Text("key"));

    private static readonly Ids Ids = new(TimeProvider.System);

    public static long NowMs => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A payment of an order of a merchant's customer; it may be called for five minutes.</summary>
    public static OrderPayment Payment(
        string realm, string user, string method, params (string Merchant, long Amount)[] parts)
    {
        var order = Ids.Next();
        return new(
            Ids.Next(), order, realm, user, parts.Sum(p => p.Amount), "KRW", method, $"order-{order}",
            [.. parts.Select(p => new OrderPart(p.Merchant, p.Amount))], NowMs + 300_000, NowMs);
    }

    public static OrderRefund Refund(OrderPayment payment, string merchant, long amount)
    {
        var id = Ids.Next();
        return new(
            id, payment.PaymentId, payment.OrderId, payment.MerchantId, payment.UserId, merchant, amount,
            payment.Currency, $"refund-{id}", "cancelled", NowMs);
    }

    public Task AppendAsync(params OrderPayment[] payments) =>
        AppendAsync([.. payments.Select(OrderEvents.Of)]);

    public Task AppendAsync(params OrderRefund[] refunds) => AppendAsync([.. refunds.Select(OrderEvents.Of)]);

    public async Task AppendAsync(params NewEvent[] events)
    {
        var log = server.Services.GetRequiredService<IEventLog>();
        await server.Services.GetRequiredService<Database>().WriteAsync(async tx =>
        {
            await log.AppendAsync(tx, events);
            return 0;
        });
    }

    /// <summary>The payment as an operator sees it.</summary>
    public async Task<Reply> ShowAsync(OrderPayment payment) =>
        (await server.Operator.PaymentAsync(payment.PaymentId.ToString())).Expect(200);

    /// <summary>Pays and waits for the result.</summary>
    public async Task<PaymentResult> PayAsync(OrderPayment payment)
    {
        await AppendAsync(payment);
        return (await ResultsAsync(payment, 1))[0];
    }

    /// <summary>All results of the order, as soon as there are so many.</summary>
    public async Task<List<PaymentResult>> ResultsAsync(OrderPayment payment, int count)
    {
        List<PaymentResult> results = [];
        await PaymentServer.EventuallyAsync(
            $"order {payment.OrderId} has {count} results",
            async () => (results = await ResultsAsync(payment)).Count >= count);
        return results;
    }

    public async Task<List<PaymentResult>> ResultsAsync(OrderPayment payment) => await server.Services
        .GetRequiredService<Database>().ReadAsync(tx => tx.QueryAsync(
            SelectResults,
            Rows.One($"{payment.MerchantId}/{payment.OrderId}").Text(k => k),
            r => PaymentEvents.ReadResult(r.Text(0))));

    /// <summary>Delivers every request again, to a server that starts on what is stored.</summary>
    public static async Task DeliverAllAgainAsync(PaymentServer server, params string[] settings)
    {
        await server.TamperAsync(
            "update log_group_offset set next_offset = 0 where group_name = 'charges' returning 1");
        await server.RestartAsync(settings);
    }

    /// <summary>The open dead letters, each with its error.</summary>
    public async Task<List<(string Id, string Error)>> LettersAsync(int count)
    {
        List<(string, string)> letters = [];
        await PaymentServer.EventuallyAsync($"there are {count} dead letters", async () =>
        {
            letters = (await server.Operator.AllAsync("/v1/ops/dead-letters", 200)).ConvertAll(
                l => (l.GetProperty("id").GetString()!, l.GetProperty("error").GetString()!));
            return letters.Count == count;
        });
        return letters;
    }

    /// <summary>The balance of an account in the ledger: credits minus debits.</summary>
    public async Task<long> BalanceAsync(string owner, string kind)
    {
        var accounts = (await server.Operator.GetAsync($"/v1/ledger/accounts?owner={owner}")).Expect(200).Json
            .GetProperty("data").EnumerateArray();
        return accounts.Where(a => a.GetProperty("kind").GetString() == kind)
            .Sum(a => a.GetProperty("balance").GetInt64());
    }
}
