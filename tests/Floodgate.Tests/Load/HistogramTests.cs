using FsCheck;
using FsCheck.Fluent;
using Floodgate.Load.Traffic;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: the histogram says what a sorted array of all latencies would say, to 1 %. Method: properties over random
/// latencies of all sizes, and the edges by hand.
/// </summary>
public sealed class HistogramTests
{
    private static readonly double[] Percents = [0, 1, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100];

    private static readonly Arbitrary<long[]> Latencies = Gen.Choose(0, 26)
        .SelectMany(doublings => Gen.Choose(1, 1 << doublings))
        .Select(micros => (long)micros)
        .NonEmptyListOf()
        .Select(list => list.ToArray())
        .ToArbitrary();

    [Fact]
    public void Percentiles_are_those_of_the_sorted_array_to_one_percent() => Prop.ForAll(Latencies, values =>
    {
        var histogram = Of(values);
        var sorted = values.Order().ToArray();
        return Percents.All(percent =>
        {
            var exact = sorted[Math.Max(1, (int)Math.Ceiling((percent / 100 * sorted.Length) - 1e-6)) - 1];
            var told = histogram.PercentileMicros(percent);
            return told >= exact && told <= exact * 1.01;
        });
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Count_mean_and_maximum_are_exact() => Prop.ForAll(Latencies, values =>
    {
        var histogram = Of(values);
        return histogram.Count == values.Length && histogram.MaxMicros == values.Max()
            && Math.Abs(histogram.MeanMicros - values.Average()) < 0.001;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Merging_parts_tells_the_same_as_recording_all_in_one() => Prop.ForAll(Latencies, Latencies, (a, b) =>
    {
        var merged = Of(a);
        merged.Merge(Of(b));
        return merged.Summary() == Of([.. a, .. b]).Summary();
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_came_since_a_picture_has_the_percentiles_of_the_later_part() =>
        Prop.ForAll(Latencies, Latencies, (a, b) =>
        {
            var later = Of([.. a, .. b]).Since(Of(a));
            var alone = Of(b);
            return later.Count == b.Length && Math.Abs(later.MeanMicros - alone.MeanMicros) < 0.001
                && later.PercentileMicros(50) >= alone.PercentileMicros(50)
                && later.PercentileMicros(99) <= alone.PercentileMicros(99) * 1.01;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void An_empty_one_says_zero()
    {
        var empty = new Histogram();

        Assert.Equal(new LatencySummary(0, 0, 0, 0, 0, 0, 0), empty.Summary());
    }

    [Fact]
    public void Latencies_beyond_its_range_keep_the_maximum_exact()
    {
        var histogram = Of([0, 5 * Histogram.MicrosMax]);

        Assert.Equal(1, histogram.PercentileMicros(50));
        Assert.Equal(5 * Histogram.MicrosMax, histogram.PercentileMicros(100));
        Assert.Equal(5 * Histogram.MicrosMax, histogram.MaxMicros);
    }

    private static Histogram Of(IEnumerable<long> values)
    {
        var histogram = new Histogram();
        foreach (var value in values)
        {
            histogram.Record(value);
        }

        return histogram;
    }
}
