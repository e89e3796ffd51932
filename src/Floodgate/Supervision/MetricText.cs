using System.Globalization;
using System.Text;

namespace Floodgate.Supervision;

/// <summary>The Prometheus text format, version 0.0.4.</summary>
internal static class MetricText
{
    /// <summary>The content type of the format.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>A name with every character that the format does not take replaced by an underscore.</summary>
    public static string Sanitized(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

    /// <summary>The two lines before a metric's values.</summary>
    public static void Head(StringBuilder text, string name, string type, string help)
    {
        var escaped = help.Replace("\\", "\\\\").Replace("\n", "\\n");
        text.Append($"# HELP {name} {escaped}\n# TYPE {name} {type}\n");
    }

    /// <summary>One value.</summary>
    public static void Value(StringBuilder text, string name, string labels, double value) =>
        text.Append(name).Append(labels.Length == 0 ? "" : $"{{{labels}}}")
            .Append(' ').Append(Number(value)).Append('\n');

    /// <summary>All values of a metric with its head; nothing when it has none.</summary>
    public static void All(StringBuilder text, Metric metric)
    {
        var series = metric.Series.ToList();
        if (series.Count == 0)
        {
            return;
        }

        var type = metric.Kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Histogram => "histogram",
            _ => "gauge",
        };
        Head(text, metric.Name, type, metric.Help);
        foreach (var one in series)
        {
            var labels = string.Join(',', one.Tags.Select(tag => $"{Sanitized(tag.Key)}=\"{Escaped(tag.Value)}\""));
            if (metric.Kind == MetricKind.Histogram)
            {
                Buckets(text, metric.Name, labels, one);
            }
            else
            {
                Value(text, metric.Name, labels, one.Total);
            }
        }
    }

    private static void Buckets(StringBuilder text, string name, string labels, MetricSeries series)
    {
        var before = labels.Length == 0 ? "" : $"{labels},";
        var cumulative = 0L;
        for (var i = 0; i <= series.Bounds.Length; i++)
        {
            cumulative += series.InBucket(i);
            var bound = i < series.Bounds.Length ? Number(series.Bounds[i]) : "+Inf";
            Value(text, $"{name}_bucket", $"{before}le=\"{bound}\"", cumulative);
        }

        Value(text, $"{name}_sum", labels, series.Total);
        Value(text, $"{name}_count", labels, cumulative);
    }

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString(CultureInfo.InvariantCulture);

    private static string Escaped(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture)!
        .Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}
