using System.Numerics;

namespace Floodgate.Load.Traffic;

/// <summary>
/// Counts latencies in steps of at most 0.8 % of their value, from 1 microsecond to 100 seconds. One writer records;
/// anybody may merge it meanwhile and sees a slightly old, never a torn, picture. Percentiles are never below the
/// true value and at most one step above it.
/// </summary>
internal sealed class Histogram
{
    /// <summary>
    /// The longest latency told apart, in microseconds; longer ones count here (the maximum stays exact).
    /// </summary>
    public const long MicrosMax = 100_000_000;

    private const int StepBits = 7;
    private const int StepsPerDoubling = 1 << StepBits;
    private readonly long[] counts = new long[IndexOf(MicrosMax) + 1];
    private long sumMicros;

    /// <summary>How many were recorded.</summary>
    public long Count { get; private set; }

    /// <summary>The largest recorded, exact, in microseconds; 0 when empty.</summary>
    public long MaxMicros { get; private set; }

    /// <summary>The exact mean in microseconds; 0 when empty.</summary>
    public double MeanMicros => Count == 0 ? 0 : (double)sumMicros / Count;

    /// <summary>Records one latency in microseconds; below 1 counts as 1.</summary>
    public void Record(long micros)
    {
        micros = Math.Max(1, micros);
        counts[IndexOf(Math.Min(micros, MicrosMax))]++;
        sumMicros += micros;
        MaxMicros = Math.Max(MaxMicros, micros);
        Count++;
    }

    /// <summary>Adds everything of another histogram to this one.</summary>
    public void Merge(Histogram other)
    {
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] += other.counts[i];
        }

        sumMicros += other.sumMicros;
        MaxMicros = Math.Max(MaxMicros, other.MaxMicros);
        Count += other.Count;
    }

    /// <summary>
    /// What was recorded since <paramref name="earlier"/>, an older picture of the same recording. Its maximum is
    /// known only to the step, unless it is the maximum of all.
    /// </summary>
    public Histogram Since(Histogram earlier)
    {
        var difference = new Histogram { sumMicros = sumMicros - earlier.sumMicros };
        for (var i = 0; i < counts.Length; i++)
        {
            difference.counts[i] = counts[i] - earlier.counts[i];
            difference.Count += difference.counts[i];
            if (difference.counts[i] > 0)
            {
                difference.MaxMicros = Math.Min(HighestOf(i), MaxMicros);
            }
        }

        return difference;
    }

    /// <summary>
    /// The latency in microseconds that <paramref name="percent"/> (0..100) of all stay at or below; 0 when empty.
    /// </summary>
    public long PercentileMicros(double percent)
    {
        // The small allowance keeps 99.9 % of 1000 at rank 999 although 0.999 is not a binary fraction.
        var rank = Math.Max(1, (long)Math.Ceiling((percent / 100 * Count) - 1e-6));
        long seen = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            seen += counts[i];
            if (seen >= rank && seen > 0)
            {
                return i == counts.Length - 1 ? MaxMicros : Math.Min(HighestOf(i), MaxMicros);
            }
        }

        return MaxMicros;
    }

    /// <summary>The figures that reports print.</summary>
    public LatencySummary Summary() => new(
        Count,
        Math.Round(MeanMicros, 1),
        PercentileMicros(50),
        PercentileMicros(95),
        PercentileMicros(99),
        PercentileMicros(99.9),
        MaxMicros);

    private static int IndexOf(long micros)
    {
        if (micros < StepsPerDoubling)
        {
            return (int)micros;
        }

        var shift = BitOperations.Log2((ulong)micros) - StepBits;
        return ((shift + 1) * StepsPerDoubling) + (int)((micros >> shift) - StepsPerDoubling);
    }

    private static long HighestOf(int index)
    {
        if (index < 2 * StepsPerDoubling)
        {
            return index;
        }

        var shift = (index / StepsPerDoubling) - 1;
        var lowest = (long)((index % StepsPerDoubling) + StepsPerDoubling) << shift;
        return lowest + (1L << shift) - 1;
    }
}

/// <summary>Latencies in microseconds; <paramref name="Count"/> is how many they stand for.</summary>
internal sealed record LatencySummary(
    long Count, double MeanMicros, long P50Micros, long P95Micros, long P99Micros, long P999Micros, long MaxMicros);
