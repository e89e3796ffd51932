using System.Globalization;
using System.Net;
using System.Text;

namespace Floodgate.Load.Reports;

/// <summary>One line of a chart; <paramref name="Colour"/> is the number of a colour of the page, 0..3.</summary>
internal sealed record Series(string Name, int Colour, IReadOnlyList<(double X, double Y)> Points);

/// <summary>A stretch of the x axis that is shaded, with its meaning.</summary>
internal sealed record Band(double From, double To, string Name);

/// <summary>
/// A line chart, drawn as inline SVG whose colours come from the page, so that light and dark both work.
/// </summary>
internal sealed record Chart(string Title, string XName, IReadOnlyList<Series> Series)
{
    private const int Width = 720;
    private const int Height = 300;
    private const int Left = 74;
    private const int Right = 34;
    private const int Top = 16;
    private const int Bottom = 44;

    /// <summary>Decades instead of equal steps upwards.</summary>
    public bool LogY { get; init; }

    /// <summary>Decades instead of equal steps to the right.</summary>
    public bool LogX { get; init; }

    /// <summary>Marks each point; for charts of few points.</summary>
    public bool Dots { get; init; }

    /// <summary>Small marks only, with no line between them.</summary>
    public bool Scatter { get; init; }

    /// <summary>Shaded stretches.</summary>
    public IReadOnlyList<Band> Bands { get; init; } = [];

    /// <summary>How values of the y axis are written.</summary>
    public Func<double, string> YText { get; init; } = Units.Count;

    /// <summary>How values of the x axis are written.</summary>
    public Func<double, string> XText { get; init; } = Units.Number;

    /// <summary>Where the x axis has its ticks; null = at round values.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <summary>The figure element; empty when there is nothing to draw.</summary>
    public string Draw()
    {
        var points = Series.SelectMany(series => series.Points).ToList();
        if (points.Count == 0)
        {
            return "";
        }

        var x = XAxis(points.Min(p => p.X), points.Max(p => p.X));
        var y = LogY
            ? Axis.Logarithmic(points.Select(p => p.Y).Where(v => v > 0).DefaultIfEmpty(1).Min(), points.Max(p => p.Y))
            : Axis.Linear(0, points.Max(p => p.Y) is > 0 and var most ? most * 1.05 : 1);
        var svg = new StringBuilder();
        svg.Append(Text($"<figure><figcaption>{Html(Title)}{Legend()}</figcaption>"));
        svg.Append(Text($"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Html(Title)}\">"));
        Shade(svg, x);
        Grid(svg, x, y);
        foreach (var series in Series)
        {
            Line(svg, series, x, y);
        }

        return svg.Append("</svg></figure>\n").ToString();
    }

    private Axis XAxis(double low, double high) => LogX
        ? Axis.Logarithmic(low, high)
        : Axis.Between(Math.Min(0, low), high);

    private string Legend() => Series.Count < 2
        ? ""
        : string.Concat(Series.Select(s => $"<span class=\"key c{s.Colour}\">{Html(s.Name)}</span>"));

    private void Shade(StringBuilder svg, Axis x)
    {
        foreach (var band in Bands)
        {
            var from = PlaceX(x, band.From);
            var width = Math.Max(1, PlaceX(x, band.To) - from);
            svg.Append(Text($"<rect class=\"band\" x=\"{from:F1}\" y=\"{Top}\" width=\"{width:F1}\" "));
            svg.Append(Text($"height=\"{Height - Top - Bottom}\"><title>{Html(band.Name)}</title></rect>"));
            svg.Append(Text($"<text class=\"note\" x=\"{from + 4:F1}\" y=\"{Top + 12}\">{Html(band.Name)}</text>"));
        }
    }

    private void Grid(StringBuilder svg, Axis x, Axis y)
    {
        foreach (var tick in y.Ticks)
        {
            var at = PlaceY(y, tick);
            svg.Append(Text($"<path class=\"grid\" d=\"M{Left} {at:F1}H{Width - Right}\"/>"));
            svg.Append(Text($"<text class=\"y\" x=\"{Left - 8}\" y=\"{at + 4:F1}\">{Html(YText(tick))}</text>"));
        }

        foreach (var tick in XTicks?.Where(tick => tick <= x.High) ?? x.Ticks)
        {
            var at = PlaceX(x, tick);
            var below = Height - Bottom;
            svg.Append(Text($"<path class=\"tick\" d=\"M{at:F1} {below}v5\"/>"));
            svg.Append(Text($"<text class=\"x\" x=\"{at:F1}\" y=\"{below + 19}\">{Html(XText(tick))}</text>"));
        }

        var middle = (Left + Width - Right) / 2;
        svg.Append(Text($"<text class=\"x name\" x=\"{middle}\" y=\"{Height - 6}\">{Html(XName)}</text>"));
    }

    private void Line(StringBuilder svg, Series series, Axis x, Axis y)
    {
        if (Scatter)
        {
            foreach (var (px, py) in series.Points)
            {
                svg.Append(Text($"<circle class=\"c{series.Colour}\" cx=\"{PlaceX(x, px):F1}\" "));
                svg.Append(Text($"cy=\"{PlaceY(y, py):F1}\" r=\"1.5\"/>"));
            }

            return;
        }

        var points = series.Points.Select(p => Text($"{PlaceX(x, p.X):F1},{PlaceY(y, p.Y):F1}"));
        svg.Append($"<polyline class=\"line c{series.Colour}\" points=\"{string.Join(' ', points)}\"/>");
        if (!Dots && series.Points.Count > 1)
        {
            return;
        }

        foreach (var (px, py) in series.Points)
        {
            svg.Append(Text($"<circle class=\"c{series.Colour}\" cx=\"{PlaceX(x, px):F1}\" "));
            svg.Append(Text($"cy=\"{PlaceY(y, py):F1}\" r=\"4\">"));
            svg.Append($"<title>{Html(XText(px))}: {Html(YText(py))}</title></circle>");
        }
    }

    private static double PlaceX(Axis axis, double value) => Left + (axis.Place(value) * (Width - Left - Right));

    private static double PlaceY(Axis axis, double value) =>
        Height - Bottom - (axis.Place(value) * (Height - Top - Bottom));

    private static string Html(string text) => WebUtility.HtmlEncode(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
