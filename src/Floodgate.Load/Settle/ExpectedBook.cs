namespace Floodgate.Load.Settle;

/// <summary>What a day must come to for one merchant, in minor units.</summary>
internal sealed class ExpectedPayout
{
    public long Captures { get; set; }

    public long Refunds { get; set; }

    public long Captured { get; set; }

    public long Refunded { get; set; }

    public long Fee { get; set; }

    public long FeeReturned { get; set; }

    /// <summary>Owed since the day before: zero or less.</summary>
    public long CarriedIn { get; set; }

    /// <summary>What is left for the merchant, or owed.</summary>
    public long Left => Captured - Fee - Refunded + FeeReturned + CarriedIn;

    /// <summary>True when the day has lines of the merchant.</summary>
    public bool HasLines => Captures + Refunds > 0;
}

/// <summary>A day as it must come out: the payout of each merchant, and the fee of each line.</summary>
internal sealed class ExpectedDay(SettleMarket market, long day, long[] volumes)
{
    private readonly FeeTerms[] terms =
    [
        .. Enumerable.Range(0, market.Merchants * market.Classes.Count)
            .Select(i => market.TermsOf(i / market.Classes.Count, i % market.Classes.Count)),
    ];

    private readonly int classes = market.Classes.Count;

    /// <summary>The day's number.</summary>
    public long Day => day;

    /// <summary>By the merchant's number.</summary>
    public ExpectedPayout[] Payouts { get; } =
        [.. Enumerable.Range(0, market.Merchants).Select(_ => new ExpectedPayout())];

    /// <summary>The fee of a line: less than zero when it is given back.</summary>
    public long FeeOf(in SettleLine line)
    {
        var fee = terms[(line.Merchant * classes) + line.Class].FeeOf(line.OriginAmount, volumes[line.Merchant]);
        return line.IsRefund
            ? -FeeTerms.Returned(fee, line.OriginAmount, line.RefundedBefore, line.Amount)
            : fee;
    }
}

/// <summary>
/// Computes days one after the other: what a merchant owes goes from day to day, and the volume of a month from its
/// first day on.
/// </summary>
internal sealed class ExpectedBook(SettleMarket market)
{
    private readonly long[] carried = new long[market.Merchants];
    private long[] volumes = new long[market.Merchants];
    private (int Year, int Month) month;

    /// <summary>The next day, which has so many lines.</summary>
    public ExpectedDay Next(long day, int count)
    {
        var date = DateOnly.FromDayNumber((int)day);
        volumes = month == (date.Year, date.Month) ? [.. volumes] : new long[market.Merchants];
        month = (date.Year, date.Month);
        foreach (var line in market.LinesOf(day, count).Where(line => !line.IsRefund))
        {
            volumes[line.Merchant] += line.Amount;
        }

        var expected = new ExpectedDay(market, day, volumes);
        foreach (var line in market.LinesOf(day, count))
        {
            Add(expected.Payouts[line.Merchant], line, expected.FeeOf(line));
        }

        for (var i = 0; i < carried.Length; i++)
        {
            var payout = expected.Payouts[i];
            payout.CarriedIn = payout.HasLines ? carried[i] : 0;
            carried[i] = payout.HasLines ? Math.Min(payout.Left, 0) : carried[i];
        }

        return expected;
    }

    private static void Add(ExpectedPayout payout, in SettleLine line, long fee)
    {
        if (line.IsRefund)
        {
            payout.Refunds++;
            payout.Refunded += line.Amount;
            payout.FeeReturned -= fee;
        }
        else
        {
            payout.Captures++;
            payout.Captured += line.Amount;
            payout.Fee += fee;
        }
    }
}
