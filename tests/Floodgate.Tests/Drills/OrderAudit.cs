using System.Text.Json;

namespace Floodgate.Tests.Drills;

/// <summary>
/// Compares what buyers were told with what the API shows, with the provider's own statement and with the stock. It
/// shares nothing with the server but its public routes.
/// </summary>
internal sealed class OrderAudit(ServerApi api, string saleId)
{
    private static readonly string[] Over = ["CONFIRMED", "PAYMENT_FAILED", "EXPIRED", "CANCELLED"];

    /// <summary>True once nothing is on its way any more.</summary>
    public async Task<bool> IsQuietAsync()
    {
        if (await api.BacklogAsync() > 0)
        {
            return false;
        }

        var orders = await api.ListAsync("/v1/orders?limit=1000");
        return orders.TrueForAll(o => Over.Contains(Text(o, "status")) && o.GetProperty("refunding").GetInt64() == 0);
    }

    /// <summary>One sentence for each broken promise; empty when all were kept.</summary>
    public async Task<List<string>> FindingsAsync(IReadOnlyCollection<WantedOrder> wanted)
    {
        var statement = (await api.ListAsync("/v1/ops/provider/statement?limit=1000"))
            .Where(line => Text(line, "status") == "APPROVED").ToLookup(line => Text(line, "paymentId"));
        var orders = (await api.ListAsync("/v1/orders?limit=1000")).ToDictionary(o => o.GetProperty("id").GetGuid());
        var payments = (await api.ListAsync("/v1/payments?limit=1000")).ToDictionary(p => Text(p, "id"));
        var checks = (await api.GetAsAdminAsync("/v1/ops/invariants")).Json.GetProperty("checks").EnumerateArray();
        var letters = await api.ListAsync("/v1/ops/dead-letters?limit=200");
        return
        [
            .. OfAnswers(wanted, orders),
            .. orders.Values.SelectMany(o => OfMoney(o, payments, statement)),
            .. await OfStockAsync([.. orders.Values]),
            .. checks.Where(c => !c.GetProperty("holds").GetBoolean()).Select(check => $"invariant {check}"),
            .. letters.Select(letter => $"dead letter {letter}"),
        ];
    }

    private static IEnumerable<string> OfAnswers(
        IReadOnlyCollection<WantedOrder> wanted, Dictionary<Guid, JsonElement> orders)
    {
        foreach (var order in wanted)
        {
            if (order.Told.Distinct().Count() > 1)
            {
                yield return $"{order.Key} was told several ids: {string.Join(", ", order.Told.Distinct())}";
            }

            if (order.Told.TryPeek(out var id) && !orders.ContainsKey(id))
            {
                yield return $"{order.Key} was told {id}, which is not there";
            }
        }

        foreach (var user in orders.Values.GroupBy(o => Text(o, "userId")))
        {
            var told = wanted.Where(o => o.User == user.Key).SelectMany(o => o.Told).ToHashSet();
            var untold = wanted.Count(o => o.User == user.Key && o.Told.IsEmpty);
            if (user.Count(o => !told.Contains(o.GetProperty("id").GetGuid())) > untold)
            {
                yield return $"{user.Key} has more orders than were wanted";
            }
        }
    }

    private static IEnumerable<string> OfMoney(
        JsonElement order, Dictionary<string, JsonElement> payments, ILookup<string, JsonElement> statement)
    {
        var (status, id) = (Text(order, "status"), order.GetProperty("paymentId").GetString());
        var (amount, refunded) = (MinorOf(order, "amount"), MinorOf(order, "refunded"));
        if (id is null || !payments.TryGetValue(id, out var payment))
        {
            if (status == "CONFIRMED" || refunded > 0 || (id is not null && statement[id].Any()))
            {
                yield return $"{order} has no payment";
            }

            yield break;
        }

        var captured = payment.GetProperty("captured").GetInt64();
        var kept = captured - payment.GetProperty("refunded").GetInt64();
        var sold = order.GetProperty("lines").EnumerateArray()
            .Where(line => Text(line, "status") == "SOLD").Sum(line => line.GetProperty("amount").GetInt64());
        if (kept != sold || (captured > 0 && (captured != amount || captured - kept != refunded)))
        {
            yield return $"{order} and its payment have other money: {payment}";
        }

        var charges = statement[id].Where(l => Text(l, "kind") == "CHARGE").Select(l => MinorOf(l, "amount")).ToList();
        var refunds = statement[id].Where(l => Text(l, "kind") == "REFUND").Sum(l => MinorOf(l, "amount"));
        var isGateway = Text(payment, "method") == "GATEWAY";
        if (charges.Count > 1 || charges.Sum() != (isGateway ? captured : 0) || refunds != (isGateway ? refunded : 0))
        {
            yield return $"the provider has other money than {payment}: {charges.Sum()} and {refunds} back";
        }
    }

    private async Task<List<string>> OfStockAsync(List<JsonElement> orders)
    {
        var findings = new List<string>();
        var shown = (await api.GetAsync($"/v1/sales/{saleId}/availability")).Json.GetProperty("products");
        foreach (var product in shown.EnumerateArray())
        {
            var sold = orders.SelectMany(o => o.GetProperty("lines").EnumerateArray())
                .Where(l => Text(l, "status") == "SOLD" && Text(l, "productId") == Text(product, "productId")).ToList();
            var seats = sold.SelectMany(l => l.GetProperty("seats").EnumerateArray()).Select(s =>
                s.GetString()).ToList();
            var units = sold.Sum(l => l.GetProperty("quantity").GetInt64());
            if (product.GetProperty("held").GetInt64() != 0 || product.GetProperty("sold").GetInt64() != units
                || product.GetProperty("available").GetInt64() + units != product.GetProperty("capacity").GetInt64())
            {
                findings.Add($"{product} is not what its orders say: {units} sold");
            }

            if (seats.Distinct().Count() < seats.Count)
            {
                findings.Add($"{product} has a seat that is sold twice");
            }
        }

        return findings;
    }

    private static long MinorOf(JsonElement json, string name) =>
        json.GetProperty(name).GetProperty("amount").GetInt64();

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
