using Floodgate.Signals.Ranking;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Signals;

// Goal: the ranking of counted minutes is that of the units themselves. Method: random units at random moments; the
// model weighs each unit alone, by whether the window covers its minute.
public sealed class RankingModelTests
{
    private const int WindowMinutes = 5;
    private const long NowMs = 1_795_224_241_933;

    private static readonly RankedProduct[] Products =
    [
        .. Enumerable.Range(1, 4).Select(i => new RankedProduct(
            Ids.Of(new(NowMs), $"{i}"), Guid.Empty, $"p{i}", null)),
    ];

    [Fact]
    public void A_ranking_is_always_what_the_units_say()
    {
        var sales =
            from product in Gen.Choose(0, 3)
            from agoMs in Gen.Choose(0, 8 * 60_000)
            from units in Gen.Choose(-5, 9)
            select (product, agoMs, units);
        Prop.ForAll(sales.ListOf().ToArbitrary(), list =>
        {
            var counts = list.GroupBy(s => (Minute: (NowMs - s.agoMs) / 60_000, s.product))
                .Select(g => (g.Key.Minute, Products[g.Key.product], (long)g.Sum(s => s.units)));
            var ranked = RankingBoard.Rank(counts, NowMs, WindowMinutes)
                .Select(seller => (seller.Product.Name, seller.WeightedMs));

            var model = list.GroupBy(s => s.product)
                .Select(g => (Products[g.Key].Name, Weighted: g.Sum(s => s.units * CoveredMs(NowMs - s.agoMs)), g.Key))
                .Where(m => m.Weighted > 0)
                .OrderByDescending(m => m.Weighted).ThenBy(m => Products[m.Key].ProductId)
                .Select(m => (m.Name, m.Weighted));
            Assert.Equal(model, ranked);
        }).QuickCheckThrowOnFailure();
    }

    // A whole minute inside the window, nothing outside, and of the one at its edge what lies behind the edge.
    private static long CoveredMs(long atMs)
    {
        var (edge, start) = (NowMs - (WindowMinutes * 60_000), atMs - (atMs % 60_000));
        return start >= edge ? 60_000 : start + 60_000 <= edge ? 0 : start + 60_000 - edge;
    }
}
