using Floodgate.Load.Audit;
using Floodgate.Load.Settle;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: the load tool knows by itself what a day must come to, and sees every payout that is not that. Method: fees
/// against a table worked out by hand; payouts made of a day it generated, then spoiled.
/// </summary>
public sealed class SettleTests
{
    private const long Day = 739_940;
    private const int Lines = 3_000;

    [Theory]
    [InlineData(500, 0, 0, null, 10_000, 500)]
    [InlineData(500, 0, 0, null, 10, 0)] // 0.5 goes to the even 0,
    [InlineData(500, 0, 0, null, 30, 2)] // 1.5 to the even 2,
    [InlineData(500, 0, 0, null, 50, 2)] // 2.5 to the even 2,
    [InlineData(500, 0, 0, null, 51, 3)] // and 2.55 is nearer to 3.
    [InlineData(0, 0, 0, null, 10_000, 0)]
    [InlineData(10_000, 0, 0, null, 777, 777)]
    [InlineData(275, 100, 250, 9_000L, 5_455, 250)] // 150.0125 + 100, raised by nothing: the least is just met.
    [InlineData(275, 100, 250, 9_000L, 1_000, 250)]
    [InlineData(275, 100, 250, 9_000L, 1_000_000, 9_000)]
    [InlineData(275, 100, 250, 9_000L, 200, 200)] // Never more than the line.
    [InlineData(9_999, 0, 0, null, 1_000_000_000_000, 999_900_000_000)]
    public void A_fee_is_what_the_policy_says(int points, long plus, long least, long? most, long amount, long fee) =>
        Assert.Equal(fee, new FeeTerms(points) { Fixed = plus, Min = least, Max = most }.FeeOf(amount, 0));

    [Theory]
    [InlineData(0, 300)]
    [InlineData(999, 300)]
    [InlineData(1_000, 200)]
    [InlineData(4_999, 200)]
    [InlineData(5_000, 100)]
    public void The_last_tier_that_the_volume_reaches_counts(long volume, long fee) =>
        Assert.Equal(fee, new FeeTerms(300) { Tiers = [new(1_000, 200), new(5_000, 100)] }.FeeOf(10_000, volume));

    [Theory]
    [InlineData(5, 10, 0, 10, 5)]
    [InlineData(5, 10, 0, 1, 0)] // 0.5 goes to 0,
    [InlineData(5, 10, 1, 1, 1)] // 1.0 of two tenths, of which 0 was given back,
    [InlineData(5, 10, 2, 1, 1)] // 1.5 goes to 2,
    [InlineData(5, 10, 4, 1, 0)] // and 2.5 to 2, which was given back with 4 tenths.
    [InlineData(999_900_000_000, 1_000_000_000_000, 1, 999_999_999_999, 999_899_999_999)]
    public void A_refund_gives_back_its_share_of_all_refunds(
        long fee, long captured, long before, long amount, long returned) =>
        Assert.Equal(returned, FeeTerms.Returned(fee, captured, before, amount));

    [Fact]
    public void Lines_are_the_same_twice_and_are_what_the_server_would_write()
    {
        var market = new SettleMarket("testrun1", 50);
        var lines = market.LinesOf(Day, Lines).ToList();

        Assert.Equal(lines, new SettleMarket("testrun1", 50).LinesOf(Day, Lines));
        Assert.NotEqual(lines, new SettleMarket("testrun2", 50).LinesOf(Day, Lines));
        Assert.Equal(Lines, lines.Count);
        var keys = lines.ConvertAll(line => (Convert.ToHexString(line.EventId.ToByteArray(true)), line.Number));
        Assert.Equal(keys.Distinct().Order(), keys);
        Assert.InRange(lines.Count(line => line.IsRefund), Lines / 50, Lines / 15);
        var captured = lines.Where(line => !line.IsRefund).ToDictionary(line => (line.PaymentId, line.Class));
        foreach (var refunds in lines.Where(l => l.IsRefund).GroupBy(l => (l.PaymentId, l.Class)))
        {
            var origin = captured[refunds.Key];
            Assert.All(refunds, r => Assert.Equal((origin.Merchant, origin.Amount), (r.Merchant, r.OriginAmount)));
            Assert.Equal(refunds.Max(r => r.RefundedBefore + r.Amount), refunds.Sum(r => r.Amount));
            Assert.True(refunds.Sum(r => r.Amount) <= origin.Amount, "no more is given back than was captured");
        }

        // Of 50 merchants by Zipf's law the first has 1 / 4.5 of the lines.
        Assert.InRange(lines.Count(line => line.Merchant == 0), Lines / 6, Lines / 3);
    }

    [Fact]
    public void A_day_that_is_right_is_found_right()
    {
        var (market, expected, payouts) = Settled();
        Assert.True(Judge(market, expected, payouts).Holds);
    }

    [Theory]
    [InlineData("fee is")]
    [InlineData("amount is")]
    [InlineData("refunds is")]
    [InlineData("carriedIn is")]
    [InlineData("is paid in")]
    [InlineData("has 0 payouts")]
    [InlineData("has 2 payouts")]
    [InlineData("is nobody")]
    public void A_wrong_payout_is_found(string fault)
    {
        var (market, expected, payouts) = Settled();
        var one = payouts[7];
        payouts[7] = fault switch
        {
            "fee is" => one with { Fee = one.Fee + 1 },
            "amount is" => one with { Amount = one.Amount - 1 },
            "refunds is" => one with { Refunds = one.Refunds + 1 },
            "carriedIn is" => one with { CarriedIn = -1 },
            "is paid in" => one with { Currency = "EUR" },
            _ => one,
        };
        IEnumerable<WirePayout> spoiled = fault switch
        {
            "has 0 payouts" => payouts.Skip(1),
            "has 2 payouts" => payouts.Append(one),
            "is nobody" => payouts.Append(one with { MerchantId = "settle-other" }),
            _ => payouts,
        };

        var check = Judge(market, expected, spoiled);

        Assert.Equal(1, check.Broken);
        Assert.Contains(fault, check.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0)] // Right.
    [InlineData(1, 1)] // The fee of a line is one too much.
    [InlineData(2, 1)] // The last line is missing.
    [InlineData(3, 1)] // There is one too many.
    public async Task A_wrong_statement_is_found(int wrong, int broken)
    {
        var (market, expected, _) = Settled();
        var own = market.LinesOf(Day, Lines).Where(line => line.Merchant == 4)
            .Select(line => (line, expected.FeeOf(line))).ToList();
        var told = own.ConvertAll(pair => new WirePayoutLine(
            $"{pair.line.EventId}.{pair.line.Number}", pair.line.IsRefund ? "REFUND" : "CAPTURE", pair.line.PaymentId,
            pair.line.EventId, pair.line.Number, market.Classes[pair.line.Class],
            pair.line.IsRefund ? -pair.line.Amount : pair.line.Amount, pair.Item2,
            (pair.line.IsRefund ? -pair.line.Amount : pair.line.Amount) - pair.Item2));
        told = wrong switch
        {
            1 => [told[0] with { Fee = told[0].Fee + 1 }, .. told[1..]],
            2 => told[..^1],
            3 => [.. told, told[0]],
            _ => told,
        };

        var findings = new Findings();
        await PayoutChecks.LookAsync(market, own, told.ToAsyncEnumerable(), findings);

        var check = findings.Check("statement");
        Assert.True(check.Checked >= own.Count, "every line was looked at");
        Assert.Equal(broken, check.Broken);
    }

    [Fact]
    public void The_volume_of_a_month_grows_from_day_to_day()
    {
        var market = new SettleMarket("testrun1", 2_000);
        var line = market.LinesOf(Day + 1, 20_000).Where(l => l is { Merchant: 0, Class: 0, IsRefund: false })
            .MaxBy(l => l.Amount);
        var alone = new ExpectedBook(market).Next(Day + 1, 20_000);
        var book = new ExpectedBook(market);
        book.Next(Day, 200_000);

        var fee = book.Next(Day + 1, 20_000).FeeOf(line);

        Assert.True(fee < alone.FeeOf(line), "a higher tier was reached the day before");
    }

    private static AuditCheck Judge(SettleMarket market, ExpectedDay expected, IEnumerable<WirePayout> payouts)
    {
        var findings = new Findings();
        PayoutChecks.Look(market, expected, payouts, findings);
        return findings.Check("payouts");
    }

    private static (SettleMarket Market, ExpectedDay Expected, List<WirePayout> Payouts) Settled()
    {
        var market = new SettleMarket("testrun1", 20);
        var expected = new ExpectedBook(market).Next(Day, Lines);
        var payouts = expected.Payouts.Select((p, i) => new WirePayout(
            Guid.Empty, market.NameOf(i), "2026-11-22", SettleMarket.CurrencyOf(i), p.Captures, p.Refunds, p.Captured,
            p.Refunded, p.Fee, p.FeeReturned, 0, p.Captured - p.Refunded - p.Fee + p.FeeReturned, 0));
        return (market, expected, payouts.ToList());
    }
}
