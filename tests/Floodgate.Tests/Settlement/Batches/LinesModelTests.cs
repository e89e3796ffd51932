using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Settlement.Batches;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: the lines of a payment are its parts, split exactly over classes, however often its events are told; refunds
// take from each class what is left of it and never more. Method: random payments and refunds; FsCheck prints the seed.
public sealed class LinesModelTests
{
    private static readonly Currency Krw = Currency.FromStored("KRW");
    private static readonly Guid Payment = new(1, 0, 0, new byte[8]);

    private sealed record Story(int[][] Parts, (int Part, int Amount)[] Refunds);

    [Fact]
    public void Lines_are_the_parts_and_refunds_are_taken_from_them() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2_000),
        Prop.ForAll(Stories().ToArbitrary(), story =>
        {
            Play(story);
            return true;
        }));

    [Fact]
    public void A_refund_is_not_settled_before_its_capture()
    {
        var lines = new LinesOfPayment([]);
        lines.Capture(Fact(0, ("m0", 100)), day: 9, AccountOf, _ => [("a", 1)]);
        var refund = Assert.Single(lines.Refund(Fact(1, ("m0", 40)), day: 7, AccountOf));
        Assert.Equal((9, 9, 100, 0), (refund.Day, refund.OriginDay, refund.OriginAmount, refund.RefundedBefore));
    }

    [Fact]
    public void More_than_was_captured_is_never_given_back()
    {
        var lines = new LinesOfPayment([]);
        lines.Capture(Fact(0, ("m0", 100), ("m1", 100)), 1, AccountOf, _ => [("a", 1)]);
        Assert.Throws<InvariantViolatedException>(() => lines.Refund(Fact(1, ("m0", 101)), 1, AccountOf));
    }

    private static void Play(Story story)
    {
        var capture = Fact(0, [.. story.Parts.Select((classes, i) => ($"m{i}", (long)classes.Sum()))]);
        var all = new List<Line>();
        var lines = new LinesOfPayment([]);
        all.AddRange(lines.Capture(capture, 5, AccountOf, ClassesOf));
        Assert.Empty(lines.Capture(capture, 6, AccountOf, _ => [("other", 1)]));
        Assert.Equal(
            story.Parts.SelectMany((classes, i) => classes.Select((amount, c) => ((long)i + 1, $"c{c}", (long)amount))),
            all.Select(l => (l.AccountId, l.Class, l.Amount)));

        foreach (var (refund, n) in story.Refunds.Select((r, n) => (r, n + 1)))
        {
            var part = refund.Part % story.Parts.Length;
            var left = LeftOf(part);
            if (left == 0)
            {
                continue;
            }

            var fact = Fact(n, ($"m{part}", Math.Min(refund.Amount, left)));
            var before = all.ToList();
            all.AddRange(lines.Refund(fact, 6, AccountOf));
            Assert.Empty(lines.Refund(fact, 7, AccountOf));
            Assert.Equal(fact.Parts[0].Amount, all.Except(before).Sum(l => l.Amount));

            // Read back from what is stored, in any order, it goes on the same.
            lines = new LinesOfPayment(all.OrderBy(l => (l.Amount * 31) % 17));
            Assert.True(lines.Knows(fact.EventId));
        }

        Assert.Equal(all.Count, all.Select(l => (l.EventId, l.Number)).Distinct().Count());
        foreach (var refunds in all.Where(l => l.IsRefund).GroupBy(l => (l.AccountId, l.Class)))
        {
            var before = 0L;
            foreach (var line in refunds)
            {
                Assert.Equal(before, line.RefundedBefore);
                before += line.Amount;
                Assert.True(before <= line.OriginAmount);
            }
        }

        IReadOnlyList<(string, long)> ClassesOf(string merchant) =>
            [.. story.Parts[merchant[1] - '0'].Select((amount, c) => ($"c{c}", (long)amount))];

        long LeftOf(int part) => all.Where(l => l.AccountId == part + 1)
            .Sum(l => l.IsRefund ? -l.Amount : l.Amount);
    }

    private static Gen<Story> Stories() =>
        from parts in Gen.Choose(1, 90).NonEmptyListOf().NonEmptyListOf()
        from refunds in (
            from part in Gen.Choose(0, 5) from amount in Gen.Choose(1, 120) select (part, amount)).ArrayOf()
        select new Story([.. parts.Take(4).Select(p => p.Take(4).ToArray())], refunds);

    private static long AccountOf(string merchant) => merchant[1] - '0' + 1;

    private static PaymentFact Fact(int number, params (string MerchantId, long Amount)[] parts) => new(
        Payment, new(number, 0, 1, new byte[8]), null, PaymentPurpose.Sale, Krw,
        [.. parts.Select(p => new OrderPart(p.MerchantId, p.Amount))], number);
}
