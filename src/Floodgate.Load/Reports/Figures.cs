using System.Text.Json.Serialization;
using static Floodgate.Load.Reports.Units;

namespace Floodgate.Load.Reports;

/// <summary>What a figure counts.</summary>
internal enum FigureUnit
{
    /// <summary>Things.</summary>
    Count,

    /// <summary>Things per second.</summary>
    PerSecond,

    /// <summary>Microseconds.</summary>
    Micros,

    /// <summary>Seconds.</summary>
    Seconds,

    /// <summary>Bytes.</summary>
    Bytes,

    /// <summary>A plain number, such as a share or a ratio.</summary>
    Ratio,
}

/// <summary>One figure that a run measured, under the heading <paramref name="Group"/>.</summary>
internal sealed record Figure(string Group, string Name, double Value, FigureUnit Unit)
{
    /// <summary>The figure with its unit, for people.</summary>
    public string Text => Unit switch
    {
        FigureUnit.PerSecond => $"{Count(Value)}/s",
        FigureUnit.Micros => Latency(Value),
        FigureUnit.Seconds => Seconds(Value),
        FigureUnit.Bytes => Value < 1e6 ? $"{Count(Value)} bytes" : Megabytes((long)Value),
        FigureUnit.Ratio => Number(Value),
        _ => Count(Value),
    };
}

/// <summary>A point of a picture.</summary>
internal readonly record struct PicturePoint(double X, double Y);

/// <summary>One line of a picture.</summary>
internal sealed record PictureLine(string Name, IReadOnlyList<PicturePoint> Points);

/// <summary>A picture of the run's own.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="XName">What lies along.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Lines">At most four.</param>
internal sealed record Picture(string Title, string XName, FigureUnit Unit, IReadOnlyList<PictureLine> Lines)
{
    /// <summary>Points only, with no line between them.</summary>
    public bool Scatter { get; init; }

    /// <summary>Few points over decades, of which each is marked: equal factors both ways.</summary>
    public bool IsCurve { get; init; }

    /// <summary>As a chart of the page.</summary>
    [JsonIgnore]
    public Chart Chart => new(
        Title,
        XName,
        [.. Lines.Select((line, i) => new Series(
            Lines.Count > 1 ? line.Name : "", i % 4, [.. line.Points.Select(point => (point.X, point.Y))]))])
    {
        Scatter = Scatter,
        LogX = IsCurve,
        LogY = IsCurve,
        Dots = IsCurve,
        YText = value => new Figure("", "", value, Unit).Text,
        XText = Scatter || IsCurve ? Count : Number,
    };
}

/// <summary>How fast another design does the same work, and how many times faster the server is.</summary>
internal sealed record DesignYardstick(string Design, int Workers, double PerSecond, double Ratio);
