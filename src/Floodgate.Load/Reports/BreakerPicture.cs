using System.Globalization;
using System.Net;
using System.Text;

namespace Floodgate.Load.Reports;

/// <summary>One bar per provider over the time of the run, coloured by the state of its circuit breaker.</summary>
internal static class BreakerPicture
{
    private const int Width = 720;
    private const int Left = 110;
    private const int Right = 34;
    private const int BarHeight = 26;
    private const int Gap = 12;
    private const int Bottom = 40;

    /// <summary>The figure element, from second 0 to <paramref name="end"/>.</summary>
    public static string Draw(OutageFacts outage, double end)
    {
        var providers = outage.Changes.Select(change => change.Provider).Distinct().ToList();
        var height = ((providers.Count + 1) * (BarHeight + Gap)) + Bottom;
        var axis = Axis.Between(0, Math.Max(end, outage.ToSecond));
        var svg = new StringBuilder("<figure><figcaption>Circuit breakers"
            + "<span class=\"key closed\">closed</span><span class=\"key half\">half open</span>"
            + "<span class=\"key open\">open</span></figcaption>");
        svg.Append(Text($"<svg viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"Circuit breakers\">"));
        Bar(svg, axis, 0, new Stretch("provider away", "away", outage.FromSecond, outage.ToSecond));
        Name(svg, 0, "outage");
        for (var row = 0; row < providers.Count; row++)
        {
            Name(svg, row + 1, providers[row]);
            var changes = outage.Changes.Where(change => change.Provider == providers[row]).ToList();
            for (var i = 0; i < changes.Count; i++)
            {
                var to = i + 1 < changes.Count ? changes[i + 1].At : axis.High;
                Bar(svg, axis, row + 1, new Stretch(changes[i].State, Style(changes[i].State), changes[i].At, to));
            }
        }

        foreach (var tick in axis.Ticks)
        {
            var at = Place(axis, tick);
            svg.Append(Text($"<text class=\"x\" x=\"{at:F1}\" y=\"{height - 22}\">{Units.Number(tick)}</text>"));
        }

        svg.Append(Text($"<text class=\"x name\" x=\"{(Left + Width) / 2}\" y=\"{height - 4}\">seconds</text>"));
        return svg.Append("</svg></figure>\n").ToString();
    }

    private static void Bar(StringBuilder svg, Axis axis, int row, Stretch stretch)
    {
        var from = Place(axis, stretch.From);
        var width = Math.Max(2, Place(axis, stretch.To) - from);
        var y = row * (BarHeight + Gap);
        svg.Append(Text($"<rect class=\"{stretch.Style}\" x=\"{from:F1}\" y=\"{y}\" width=\"{width:F1}\" rx=\"3\" "));
        svg.Append(Text($"height=\"{BarHeight}\"><title>{WebUtility.HtmlEncode(stretch.Name)}: "));
        svg.Append(Text($"{stretch.From:F1} s to {stretch.To:F1} s</title></rect>"));
    }

    private static void Name(StringBuilder svg, int row, string name)
    {
        var y = (row * (BarHeight + Gap)) + (BarHeight / 2) + 4;
        svg.Append(Text($"<text class=\"y\" x=\"{Left - 8}\" y=\"{y}\">{WebUtility.HtmlEncode(name)}</text>"));
    }

    private static string Style(string state) => state switch
    {
        "CLOSED" => "closed",
        "HALF_OPEN" => "half",
        _ => "open",
    };

    private static double Place(Axis axis, double second) => Left + (axis.Place(second) * (Width - Left - Right));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Stretch(string Name, string Style, double From, double To);
}
