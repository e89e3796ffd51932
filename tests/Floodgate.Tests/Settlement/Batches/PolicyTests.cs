using Floodgate.Settlement.Batches;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: one policy is for each line, the closest, and what would be ambiguous or absurd is refused. Method: tables.
public sealed class PolicyTests
{
    private static readonly DateOnly Day = new(2026, 11, 25);
    private static readonly PolicyTerms Plain = new(100, 0, 0, null, []);

    [Fact]
    public void The_closest_policy_is_chosen()
    {
        CommissionPolicy[] all =
        [
            Of(new(null, null, null)), Of(new(null, null, "KRW")), Of(new(null, "vip", null)), Of(new("m", null, null)),
            Of(new("m", "vip", null)), Of(new("m", "vip", "KRW")),
        ];
        var found = new[]
        {
            ("x", "standard", "USD"), ("x", "standard", "KRW"), ("x", "vip", "KRW"), ("m", "standard", "KRW"),
            ("m", "vip", "USD"), ("m", "vip", "KRW"),
        }.Select(lines => PolicyRules.Choose(all, lines, Day));
        Assert.Equal(all, found);
        Assert.Null(PolicyRules.Choose(all, ("m", "vip", "KRW"), Day.AddDays(-1)));
    }

    [Fact]
    public void The_tier_of_the_volume_is_the_last_that_was_reached()
    {
        var terms = new PolicyTerms(500, 1, 2, 30, [new(1_000, 400), new(5_000, 300)]);
        Assert.Equal(
            [500, 500, 400, 400, 300, 300],
            new long[] { 0, 999, 1_000, 4_999, 5_000, 9_999 }.Select(volume => terms.At(volume).BasisPoints));
        Assert.Equal(new Rate(300, 1, 2, 30), terms.At(5_000));
    }

    [Theory]
    [InlineData(0, 10, 10, 20, false)]
    [InlineData(0, 10, 9, 20, true)]
    [InlineData(5, 6, 0, 10, true)]
    [InlineData(0, null, 100, 101, true)]
    [InlineData(0, null, 100, null, true)]
    [InlineData(10, 20, 0, 10, false)]
    public void Policies_of_one_scope_share_no_day(int from, int? until, int otherFrom, int? otherUntil, bool overlap)
    {
        var (one, other) = (Of(new("m", null, null), from, until), Of(new("m", null, null), otherFrom, otherUntil));
        Assert.Equal((overlap, overlap), (one.Overlaps(other), other.Overlaps(one)));
        Assert.False(one.Overlaps(other with { Scope = new("m", "vip", null) }));
    }

    public static TheoryData<string, PolicyTerms, PolicyOutcome?> Faults => new()
    {
        { "", Plain, null },
        { "", Plain with { BasisPoints = 10_000 }, null },
        { "", Plain with { BasisPoints = 10_001 }, PolicyOutcome.AboveWhole },
        { "", Plain with { BasisPoints = -1 }, PolicyOutcome.AboveWhole },
        { "KRW", Plain with { Tiers = [new(1, 10_001)] }, PolicyOutcome.AboveWhole },
        { "KRW", Plain with { FeeMin = 5, FeeMax = 4 }, PolicyOutcome.MinAboveMax },
        { "KRW", Plain with { FeeMin = 5, FeeMax = 5 }, null },
        { "KRW", Plain with { Tiers = [new(0, 1)] }, PolicyOutcome.TiersNotRising },
        { "KRW", Plain with { Tiers = [new(5, 1), new(5, 1)] }, PolicyOutcome.TiersNotRising },
        { "KRW", Plain with { Tiers = [new(5, 1), new(6, 2)] }, null },
        { "", Plain with { Fixed = 1 }, PolicyOutcome.CurrencyMissing },
        { "", Plain with { FeeMin = 1 }, PolicyOutcome.CurrencyMissing },
        { "", Plain with { FeeMax = 1 }, PolicyOutcome.CurrencyMissing },
        { "", Plain with { Tiers = [new(1, 1)] }, PolicyOutcome.CurrencyMissing },
    };

    [Theory, MemberData(nameof(Faults))]
    public void What_is_wrong_with_a_policy_is_named(string currency, PolicyTerms terms, PolicyOutcome? fault) =>
        Assert.Equal(fault, PolicyRules.FaultOf(
            new(Guid.Empty, new(null, null, currency.Length == 0 ? null : currency), terms, Day, null)));

    [Fact]
    public void A_policy_is_not_over_before_it_begins()
    {
        var policy = Of(new(null, null, null));
        Assert.Equal(PolicyOutcome.EndsBeforeStart, PolicyRules.FaultOf(policy with { ValidUntil = Day }));
        Assert.Null(PolicyRules.FaultOf(policy with { ValidUntil = Day.AddDays(1) }));
    }

    private static CommissionPolicy Of(PolicyScope scope, int from = 0, int? until = null) => new(
        Guid.Empty, scope, Plain, Day.AddDays(from), until is { } days ? Day.AddDays(days) : null);
}
