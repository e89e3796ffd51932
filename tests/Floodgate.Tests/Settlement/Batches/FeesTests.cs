using Floodgate.Settlement.Batches;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: what a line costs is exact, and what a refund returns of it adds up. Method: a table of cases worked out by
// hand, and random sequences of refunds; FsCheck prints the seed.
public sealed class FeesTests
{
    [Theory]
    [InlineData(1_001, 250, 0, 0, Rate.NoMax, 25)] // 25.025.
    [InlineData(20, 250, 0, 0, Rate.NoMax, 0)] // 0.5 goes to the even 0,
    [InlineData(60, 250, 0, 0, Rate.NoMax, 2)] // 1.5 to the even 2.
    [InlineData(100, 250, 0, 0, Rate.NoMax, 2)] // 2.5 to the even 2.
    [InlineData(1_000, 250, 30, 0, Rate.NoMax, 55)] // The fixed part on top.
    [InlineData(1_000, 0, 0, 7, Rate.NoMax, 7)] // The least.
    [InlineData(1_000, 5_000, 0, 0, 99, 99)] // The most.
    [InlineData(10, 0, 0, 50, Rate.NoMax, 10)] // Never more than the line.
    [InlineData(1_000_000_000_000, 10_000, 0, 0, Rate.NoMax, 1_000_000_000_000)]
    [InlineData(999_999_999_999, 9_999, 0, 0, Rate.NoMax, 999_899_999_999)] // ...998.9999.
    public void A_line_costs_what_was_worked_out_by_hand(
        long amount, int basisPoints, long fixedPart, long least, long most, long fee) =>
        Assert.Equal(fee, new Rate(basisPoints, fixedPart, least, most).FeeOf(amount));

    [Fact]
    public void Refunds_of_any_sizes_give_back_exactly_the_fee_and_are_never_off_by_more_than_a_half() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3_000),
        Prop.ForAll(
            Gen.Choose(1, 1_000_000).ToArbitrary(),
            Gen.Choose(0, 10_000).ToArbitrary(),
            Gen.Choose(1, 50_000).NonEmptyListOf().ToArbitrary(),
            (captured, basisPoints, sizes) =>
            {
                var fee = new Rate(basisPoints, 0, 0, Rate.NoMax).FeeOf(captured);
                var (refunded, returned) = (0L, 0L);
                for (var i = 0; refunded < captured; i++)
                {
                    var refund = Math.Min(sizes[i % sizes.Count], captured - refunded);
                    var part = Fees.ReturnedBy(fee, captured, refunded, refund);
                    Assert.InRange(part, 0, refund);
                    (refunded, returned) = (refunded + refund, returned + part);
                    var exact = (Int128)fee * refunded;
                    Assert.InRange(Int128.Abs(((Int128)returned * captured) - exact) * 2, 0, captured);
                }

                Assert.Equal(fee, returned);
                return true;
            }));

    [Fact]
    public void A_split_adds_up_and_gives_no_weight_more_than_it_has() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3_000),
        Prop.ForAll(
            Gen.Choose(1, 1_000_000_000).NonEmptyListOf().ToArbitrary(),
            Gen.Choose(0, 10_000).ToArbitrary(),
            (weights, share) =>
            {
                var longs = weights.Select(w => (long)w).ToList();
                var amount = longs.Sum() * share / 10_000;
                var parts = Fees.Split(amount, longs);
                Assert.Equal(amount, parts.Sum());
                Assert.All(parts.Zip(longs), p => Assert.InRange(p.First, 0, p.Second));
                return true;
            }));

    [Fact]
    public void A_split_by_its_own_parts_is_these_parts() =>
        Assert.Equal([600, 0, 401], Fees.Split(1_001, [600, 0, 401]));
}
