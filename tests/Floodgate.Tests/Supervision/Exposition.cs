using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace Floodgate.Tests.Supervision;

/// <summary>
/// A strict reader of the Prometheus text format 0.0.4, written from its grammar and not from our writer: every line
/// must parse, every value must follow the TYPE of its family, families and label sets must not repeat.
/// </summary>
internal sealed partial class Exposition
{
    private readonly Dictionary<string, (string Type, string Help)> families = [];
    private readonly Dictionary<string, double> values = [];

    public IReadOnlyDictionary<string, (string Type, string Help)> Families => families;

    /// <summary>Values by <c>name{label="value"}</c>, labels in the order of the text.</summary>
    public IReadOnlyDictionary<string, double> Values => values;

    public static Exposition Parse(string text)
    {
        Assert.EndsWith("\n", text);
        var parsed = new Exposition();
        var (family, help) = ("", "");
        foreach (var line in text[..^1].Split('\n'))
        {
            if (Head().Match(line) is { Success: true } head)
            {
                Assert.Equal(head.Groups["kind"].Value == "TYPE", family == "" && help != "");
                if (head.Groups["kind"].Value == "HELP")
                {
                    (family, help) = ("", line);
                    continue;
                }

                Assert.Equal(help.Split(' ')[2], head.Groups["name"].Value);
                family = head.Groups["name"].Value;
                Assert.Contains(head.Groups["rest"].Value, new[] { "counter", "gauge", "histogram" });
                parsed.families.Add(family, (head.Groups["rest"].Value, help));
                continue;
            }

            var sample = Sample().Match(line);
            Assert.True(sample.Success, $"cannot be read: {line}");
            parsed.Add(family, sample);
        }

        parsed.CheckHistograms();
        return parsed;
    }

    private void Add(string family, Match sample)
    {
        var name = sample.Groups["name"].Value;
        var suffix = families[family].Type == "histogram" ? "(_bucket|_sum|_count)" : "";
        Assert.Matches($"^{family}{suffix}$", name);
        var number = sample.Groups["value"].Value;
        var value = number == "+Inf" ? double.PositiveInfinity : double.Parse(number, CultureInfo.InvariantCulture);
        values.Add(name + sample.Groups["labels"].Value, value);
    }

    private void CheckHistograms()
    {
        foreach (var (name, total) in values.Where(pair => pair.Key.Contains("_count")).ToList())
        {
            var family = name[..name.IndexOf("_count", StringComparison.Ordinal)];
            if (families.TryGetValue(family, out var head) && head.Type == "histogram")
            {
                var labels = name[(family.Length + "_count".Length)..].Trim('{', '}');
                var start = $"{family}_bucket{{{labels}{(labels.Length > 0 ? "," : "")}le=";
                var buckets = values.Where(pair => pair.Key.StartsWith(start)).Select(pair => pair.Value).ToList();
                Assert.Equal(buckets.Order(), buckets);
                Assert.Equal(total, buckets[^1]);
                Assert.Contains($"{start}\"+Inf\"}}", values.Keys);
                Assert.Contains(name.Replace("_count", "_sum"), values.Keys);
            }
        }
    }

    [GeneratedRegex("^# (?<kind>HELP|TYPE) (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<rest>.*)$")]
    private static partial Regex Head();

    [GeneratedRegex(
        "^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
        + """(?<labels>\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)+\})? (?<value>\S+)$""")]
    private static partial Regex Sample();
}
