namespace Floodgate.Load.Settle;

/// <summary>Another percentage from a volume on, in minor units captured in the month up to and with the day.</summary>
internal sealed record FeeTier(long FromVolume, int BasisPoints);

/// <summary>
/// What a line costs by one commission policy, computed from what the policy says and by nothing of the server: the
/// percentage of the line, a half going to the even number, and a fixed part; within least and most; never more than
/// the line. Amounts in minor units. Pure.
/// </summary>
/// <param name="BasisPoints">Of the line, 1/100 %.</param>
internal sealed record FeeTerms(int BasisPoints)
{
    private const int Whole = 10_000;

    /// <summary>Added to each line.</summary>
    public long Fixed { get; init; }

    /// <summary>The least fee.</summary>
    public long Min { get; init; }

    /// <summary>The most; null for none.</summary>
    public long? Max { get; init; }

    /// <summary>By rising volume; the last that is reached counts.</summary>
    public IReadOnlyList<FeeTier> Tiers { get; init; } = [];

    /// <summary>The fee of a captured line when the merchant's volume of the month is this.</summary>
    public long FeeOf(long amount, long volume)
    {
        var points = BasisPoints;
        foreach (var tier in Tiers)
        {
            points = volume >= tier.FromVolume ? tier.BasisPoints : points;
        }

        var fee = HalfEven((Int128)amount * points, Whole) + Fixed;
        fee = Max is { } most && fee > most ? most : fee;
        fee = fee < Min ? Min : fee;
        return fee > amount ? amount : fee;
    }

    /// <summary>
    /// What a refund gives back of a fee: the share of all that is refunded of the line by now, less the share of what
    /// was refunded before.
    /// </summary>
    public static long Returned(long fee, long captured, long before, long amount) =>
        HalfEven((Int128)fee * (before + amount), captured) - HalfEven((Int128)fee * before, captured);

    /// <summary>A quotient of whole numbers above zero, a half going to the even number.</summary>
    internal static long HalfEven(Int128 dividend, long divisor)
    {
        var below = dividend / divisor;
        var toNext = ((below + 1) * divisor) - dividend;
        var fromBelow = dividend - (below * divisor);
        var isUp = fromBelow > toNext || (fromBelow == toNext && Int128.IsOddInteger(below));
        return (long)(isUp ? below + 1 : below);
    }
}
