namespace Floodgate.Load.Reports;

/// <summary>One axis of a chart: from values to a place between 0 and 1, with ticks at round values.</summary>
internal sealed class Axis
{
    private const int TicksAim = 6;
    private readonly bool logarithmic;
    private readonly double low;
    private readonly double high;

    private Axis(bool logarithmic, double low, double high, IReadOnlyList<double> ticks)
    {
        this.logarithmic = logarithmic;
        (this.low, this.high) = logarithmic ? (Math.Log10(low), Math.Log10(high)) : (low, high);
        Ticks = ticks;
        High = high;
    }

    /// <summary>The value at the high end.</summary>
    public double High { get; }

    /// <summary>Round values inside the axis, ascending.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>Equal steps from <paramref name="low"/> to <paramref name="high"/> exactly; ticks lie inside.</summary>
    public static Axis Between(double low, double high)
    {
        high = Math.Max(high, low + 1e-3);
        var step = RoundUp((high - low) / TicksAim);
        var ticks = Enumerable.Range(0, (int)(((high - low) / step) + 1e-9) + 1).Select(i => low + (i * step)).ToList();
        return new Axis(false, low, high, ticks);
    }

    /// <summary>Equal steps from <paramref name="low"/> to a round value at or above <paramref name="high"/>.</summary>
    public static Axis Linear(double low, double high)
    {
        var step = RoundUp(Math.Max(high - low, 1e-9) / TicksAim);
        var last = Math.Max(1, Math.Ceiling((high - low) / step));
        var ticks = Enumerable.Range(0, (int)last + 1).Select(i => low + (i * step)).ToList();
        return new Axis(false, low, ticks[^1], ticks);
    }

    /// <summary>Equal factors, over the decades (or the 1-2-5 steps of few decades) that hold all values.</summary>
    public static Axis Logarithmic(double low, double high)
    {
        low = Math.Max(low, 1e-9);
        var first = (int)Math.Floor(Math.Log10(low));
        var last = (int)Math.Ceiling(Math.Log10(Math.Max(high, low * 1.01)));
        double[] steps = last - first <= 2 ? [1, 2, 5] : [1];
        var ticks = Enumerable.Range(first, last - first + 1)
            .SelectMany(decade => steps.Select(step => step * Math.Pow(10, decade)))
            .ToList();
        var from = ticks.FindLastIndex(tick => tick <= low * 1.0000001);
        var to = ticks.FindIndex(tick => tick >= high * 0.9999999);
        ticks = ticks[Math.Max(from, 0)..((to < 0 ? ticks.Count - 1 : to) + 1)];
        return new Axis(true, ticks[0], Math.Max(ticks[^1], ticks[0] * 10), ticks);
    }

    /// <summary>Where a value lies, 0 at the low end and 1 at the high end; values outside lie at the ends.</summary>
    public double Place(double value)
    {
        var position = logarithmic ? Math.Log10(Math.Max(value, 1e-9)) : value;
        return Math.Clamp((position - low) / (high - low), 0, 1);
    }

    private static double RoundUp(double step)
    {
        var decade = Math.Pow(10, Math.Floor(Math.Log10(step)));
        return (step / decade) switch
        {
            <= 1 => decade,
            <= 2 => 2 * decade,
            <= 5 => 5 * decade,
            _ => 10 * decade,
        };
    }
}
