using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>What an event tells of products: units sold, or given back as a negative number.</summary>
/// <param name="Id">The same for every telling of it.</param>
/// <param name="AtMs">When it happened.</param>
/// <param name="Lines">The units of each product.</param>
internal sealed record Sold(Guid Id, long AtMs, IReadOnlyList<SoldLine> Lines)
{
    /// <summary>The minute in which it happened, since the epoch.</summary>
    public long Minute => Minutes.Of(AtMs);
}

/// <summary>Units of one product.</summary>
internal readonly record struct SoldLine(Guid ProductId, long Units);

/// <summary>The units of a product in one minute, net of what was given back in it.</summary>
internal readonly record struct MinuteCount(long Minute, Guid ProductId, long Units);

/// <summary>A product and what a ranking needs to know of it.</summary>
public sealed record RankedProduct(Guid ProductId, Guid SaleId, string Name, UtcInstant? SoldOutAt);

/// <summary>A product's place in the fast-selling ranking.</summary>
/// <param name="Product">The product.</param>
/// <param name="WeightedMs">
/// Units in the window, each times the milliseconds of its minute that the window covers.</param>
public sealed record FastSeller(RankedProduct Product, long WeightedMs)
{
    /// <summary>Units in the window, rounded.</summary>
    public long Units => (WeightedMs + (Minutes.Ms / 2)) / Minutes.Ms;

    /// <summary>Tenths of units a minute.</summary>
    public long TenthsPerMinute(int windowMinutes) => WeightedMs * 10 / (Minutes.Ms * windowMinutes);
}

/// <summary>A product's place among those of which most was sold.</summary>
public sealed record TopSeller(RankedProduct Product, long Units);

/// <summary>Minutes since the epoch, and how much of one a sliding window covers. Pure.</summary>
internal static class Minutes
{
    /// <summary>A minute.</summary>
    public const long Ms = 60_000;

    /// <summary>The minute of a moment.</summary>
    public static long Of(long atMs) => atMs / Ms;

    /// <summary>The oldest minute of which a window that ends now covers a part.</summary>
    public static long FirstOf(long nowMs, int windowMinutes) => Of(nowMs - (windowMinutes * Ms));

    /// <summary>
    /// How many of the minute's milliseconds the window covers: all, but for the oldest minute, of which the window
    /// loses its share evenly. So a count slides out of the window instead of falling out.
    /// </summary>
    public static long Covered(long minute, long nowMs, int windowMinutes) =>
        Math.Clamp(((minute + 1) * Ms) - (nowMs - (windowMinutes * Ms)), 0, Ms);
}
