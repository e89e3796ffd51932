using Floodgate.Load.Audit;

namespace Floodgate.Load.Settle;

/// <summary>Compares what the server says of a day with what the day must come to. Pure.</summary>
internal static class PayoutChecks
{
    /// <summary>
    /// Looks at the payouts of a day: each merchant with lines has exactly one, with every sum to the last minor unit.
    /// </summary>
    /// <param name="market">Who the merchants are.</param>
    /// <param name="expected">The day.</param>
    /// <param name="listed">Payouts of that day, of these merchants.</param>
    /// <param name="findings">Takes what was found.</param>
    public static void Look(
        SettleMarket market, ExpectedDay expected, IEnumerable<WirePayout> listed, Findings findings)
    {
        var byName = listed.ToLookup(payout => payout.MerchantId);
        var known = new HashSet<string>();
        for (var i = 0; i < market.Merchants; i++)
        {
            var name = market.NameOf(i);
            known.Add(name);
            var payouts = byName[name].ToList();
            if (!expected.Payouts[i].HasLines && payouts.Count == 0)
            {
                continue;
            }

            findings.Look(
                !expected.Payouts[i].HasLines ? "has a payout and no lines"
                    : payouts.Count != 1 ? $"has {payouts.Count} payouts"
                    : FaultOf(expected.Payouts[i], payouts[0], SettleMarket.CurrencyOf(i)),
                $"{name} on day {DateOnly.FromDayNumber((int)expected.Day):yyyy-MM-dd}");
        }

        foreach (var unknown in byName.Where(group => !known.Contains(group.Key)))
        {
            findings.Look("is paid and is nobody", unknown.Key);
        }
    }

    /// <summary>Looks at a payout's statement: each line, in its order, with its fee, and nothing else.</summary>
    public static async Task LookAsync(
        SettleMarket market,
        IEnumerable<(SettleLine Line, long Fee)> expected,
        IAsyncEnumerable<WirePayoutLine> listed,
        Findings findings)
    {
        using var left = expected.GetEnumerator();
        await foreach (var line in listed)
        {
            findings.Look(
                left.MoveNext() ? FaultOf(left.Current.Line, left.Current.Fee, line, market) : "is one too many",
                $"line {line.Cursor}");
        }

        while (left.MoveNext())
        {
            findings.Look("is missing", $"line {left.Current.Line.EventId}.{left.Current.Line.Number}");
        }
    }

    private static string? FaultOf(ExpectedPayout expected, WirePayout payout, string currency)
    {
        (string Name, long Right, long Told)[] sums =
        [
            ("captures", expected.Captures, payout.Captures),
            ("refunds", expected.Refunds, payout.Refunds),
            ("captured", expected.Captured, payout.Captured),
            ("refunded", expected.Refunded, payout.Refunded),
            ("fee", expected.Fee, payout.Fee),
            ("feeReturned", expected.FeeReturned, payout.FeeReturned),
            ("carriedIn", expected.CarriedIn, payout.CarriedIn),
            ("amount", Math.Max(expected.Left, 0), payout.Amount),
            ("carriedOut", Math.Min(expected.Left, 0), payout.CarriedOut),
        ];
        var wrong = sums.Where(sum => sum.Right != sum.Told).ToList();
        return wrong.Count > 0 ? $"{wrong[0].Name} is {wrong[0].Told}, right is {wrong[0].Right}"
            : payout.Currency != currency ? $"is paid in {payout.Currency}, right is {currency}"
            : null;
    }

    private static string? FaultOf(in SettleLine line, long fee, WirePayoutLine told, SettleMarket market)
    {
        var amount = line.IsRefund ? -line.Amount : line.Amount;
        var right = (line.EventId, (long)line.Number, line.PaymentId, market.Classes[line.Class],
            line.IsRefund ? "REFUND" : "CAPTURE", amount, fee, amount - fee);
        var found = (told.EventId, told.Line, told.PaymentId, told.Class, told.Kind, told.Amount, told.Fee, told.Net);
        return right == found ? null : $"is {found}, right is {right}";
    }
}
