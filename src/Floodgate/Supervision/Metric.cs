using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;

namespace Floodgate.Supervision;

/// <summary>What a metric does with a measurement.</summary>
internal enum MetricKind
{
    /// <summary>Adds it; only grows.</summary>
    Counter,

    /// <summary>Adds it; goes up and down.</summary>
    UpDown,

    /// <summary>Keeps the last one.</summary>
    Gauge,

    /// <summary>Counts it into a bucket.</summary>
    Histogram,
}

/// <summary>The values of one set of tags. Recording uses interlocked operations only.</summary>
internal sealed class MetricSeries(KeyValuePair<string, object?>[] tags, double[] bounds)
{
    private readonly long[] buckets = new long[bounds.Length + 1];
    private double total;

    /// <summary>The tags.</summary>
    public KeyValuePair<string, object?>[] Tags => tags;

    /// <summary>The upper bounds of the buckets; one more bucket holds what is larger.</summary>
    public double[] Bounds => bounds;

    /// <summary>Another series whose tags have the same hash.</summary>
    public MetricSeries? Next { get; init; }

    /// <summary>The sum of all measurements, or the last one of a gauge.</summary>
    public double Total => Volatile.Read(ref total);

    /// <summary>False when the last scrape's callback did not report these tags any more.</summary>
    public bool IsCurrent { get; set; } = true;

    /// <summary>True for exactly these tags. A loop, because comparing spans of pairs would box each of them.</summary>
    public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
    {
        if (others.Length != tags.Length)
        {
            return false;
        }

        for (var i = 0; i < tags.Length; i++)
        {
            if (others[i].Key != tags[i].Key || !Equals(others[i].Value, tags[i].Value))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Measurements in a bucket, not cumulative.</summary>
    public long InBucket(int bucket) => Volatile.Read(ref buckets[bucket]);

    /// <summary>Replaces the value.</summary>
    public void Set(double value) => Volatile.Write(ref total, value);

    /// <summary>Adds to the sum and, with buckets, counts.</summary>
    public void Add(double value)
    {
        if (bounds.Length > 0)
        {
            var bucket = Array.BinarySearch(bounds, value);
            Interlocked.Increment(ref buckets[bucket < 0 ? ~bucket : bucket]);
        }

        var seen = Volatile.Read(ref total);
        while (true)
        {
            var before = Interlocked.CompareExchange(ref total, seen + value, seen);
            if (before.Equals(seen))
            {
                return;
            }

            seen = before;
        }
    }
}

/// <summary>All series of one metric name: instruments of one name, from any module, share it.</summary>
internal sealed class Metric
{
    private const int SeriesMax = 1_000;
    private static readonly double[] Seconds =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

    private static readonly double[] Sizes =
        [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

    private readonly ConcurrentDictionary<int, MetricSeries> byHash = new();
    private readonly Lock growing = new(); // Taken only when tags are seen for the first time.
    private readonly double[] bounds;
    private readonly bool isSet;
    private int count;

    /// <summary>Learns the kind from the instrument.</summary>
    public Metric(Instrument instrument)
    {
        Kind = KindOf(instrument);
        Name = NameOf(instrument, Kind);
        Help = instrument.Description ?? "";
        IsObservable = instrument.IsObservable;
        isSet = IsObservable || Kind == MetricKind.Gauge;
        bounds = Kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
    }

    /// <summary>The name in the exposition, with unit and, for counters, <c>_total</c>.</summary>
    public string Name { get; }

    /// <summary>What it tells.</summary>
    public string Help { get; }

    /// <summary>What a measurement does.</summary>
    public MetricKind Kind { get; }

    /// <summary>True when its values are asked for at each scrape.</summary>
    public bool IsObservable { get; }

    /// <summary>Measurements lost because of too many different tags: tags must be few and known.</summary>
    public long Dropped;

    /// <summary>The series that have values now.</summary>
    public IEnumerable<MetricSeries> Series
    {
        get
        {
            foreach (var first in byHash.Values)
            {
                for (var series = first; series is not null; series = series.Next)
                {
                    if (series.IsCurrent)
                    {
                        yield return series;
                    }
                }
            }
        }
    }

    /// <summary>Takes a measurement. Nothing is allocated for tags that were seen before.</summary>
    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var series = Find(tags);
        if (series is null)
        {
            Interlocked.Increment(ref Dropped);
        }
        else if (isSet)
        {
            series.Set(value);
            series.IsCurrent = true;
        }
        else
        {
            series.Add(value);
        }
    }

    /// <summary>Forgets which tags are current, before the callbacks of a scrape report them.</summary>
    public void Expire()
    {
        foreach (var series in Series)
        {
            series.IsCurrent = false;
        }
    }

    private MetricSeries? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var hash = default(HashCode);
        foreach (var (_, value) in tags)
        {
            hash.Add(value);
        }

        var key = hash.ToHashCode();
        return Find(key, tags) ?? Grow(key, tags);
    }

    private MetricSeries? Find(int key, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        byHash.TryGetValue(key, out var series);
        while (series is not null && !series.Has(tags))
        {
            series = series.Next;
        }

        return series;
    }

    private MetricSeries? Grow(int key, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (growing)
        {
            if (Find(key, tags) is { } meanwhile)
            {
                return meanwhile;
            }

            if (count >= SeriesMax)
            {
                return null;
            }

            count++;
            byHash.TryGetValue(key, out var next);
            return byHash[key] = new(tags.ToArray(), bounds) { Next = next };
        }
    }

    private static MetricKind KindOf(Instrument instrument)
    {
        var type = instrument.GetType().GetGenericTypeDefinition();
        return type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? MetricKind.Counter
            : type == typeof(UpDownCounter<>) ? MetricKind.UpDown
            : type == typeof(Histogram<>) ? MetricKind.Histogram
            : MetricKind.Gauge;
    }

    private static string NameOf(Instrument instrument, MetricKind kind)
    {
        var name = new StringBuilder(MetricText.Sanitized(instrument.Name));
        if (!instrument.Name.StartsWith("floodgate", StringComparison.Ordinal))
        {
            name.Insert(0, "floodgate_");
        }

        Append(instrument.Unit switch { "s" => "_seconds", "ms" => "_milliseconds", "By" => "_bytes", _ => "" });
        Append(kind == MetricKind.Counter ? "_total" : "");
        return name.ToString();

        void Append(string suffix)
        {
            if (!name.ToString().EndsWith(suffix, StringComparison.Ordinal))
            {
                name.Append(suffix);
            }
        }
    }

    private static double[] BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } advised } => [.. advised],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } advised } => [.. advised.Select(Convert.ToDouble)],
        { Unit: "s" } => Seconds,
        { Unit: "ms" } => [.. Seconds.Select(bound => bound * 1_000)],
        _ => Sizes,
    };
}
