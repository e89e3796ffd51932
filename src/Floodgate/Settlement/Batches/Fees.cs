namespace Floodgate.Settlement.Batches;

/// <summary>
/// What lines of one merchant and class cost on one day: fixed when the day is planned, and never changed. Amounts in
/// minor units.
/// </summary>
/// <param name="BasisPoints">Of the line, 0 to 10,000.</param>
/// <param name="Fixed">Added to each line.</param>
/// <param name="FeeMin">The least fee of a line.</param>
/// <param name="FeeMax">The most; at least <paramref name="FeeMin"/>.</param>
internal sealed record Rate(int BasisPoints, long Fixed, long FeeMin, long FeeMax)
{
    /// <summary>Where no policy sets a maximum.</summary>
    public const long NoMax = 9_000_000_000_000_000;

    private const long Whole = 10_000;

    /// <summary>
    /// The fee of a line: the percentage, a half going to the even number so that rounding favours nobody, and the
    /// fixed part; within minimum and maximum, and never more than the line. Settling computes the same in SQL.
    /// </summary>
    public long FeeOf(long amount)
    {
        var percentage = Fees.Share(amount, BasisPoints, Whole);
        return Math.Min(Math.Max(Math.Min(checked(percentage + Fixed), FeeMax), FeeMin), amount);
    }
}

/// <summary>Exact shares of amounts. Pure.</summary>
internal static class Fees
{
    /// <summary>
    /// What a refund gives back of the fee of its line: in proportion to all that was refunded of the line so far, so
    /// that many small refunds give back exactly what one large refund would.
    /// </summary>
    /// <param name="fee">The fee of the captured line.</param>
    /// <param name="captured">The captured line.</param>
    /// <param name="refundedBefore">What was refunded of it before.</param>
    /// <param name="amount">What is refunded now.</param>
    public static long ReturnedBy(long fee, long captured, long refundedBefore, long amount) =>
        Share(fee, refundedBefore + amount, captured) - Share(fee, refundedBefore, captured);

    /// <summary>A part of an amount, a half going to the even number.</summary>
    public static long Share(long amount, long part, long whole)
    {
        var (quotient, rest) = Int128.DivRem((Int128)amount * part, whole);
        var twice = rest * 2;
        return checked((long)(quotient + (twice > whole || (twice == whole && quotient % 2 != 0) ? 1 : 0)));
    }

    /// <summary>
    /// Splits an amount in proportion to weights: the parts add up to it, and none is above its weight while the amount
    /// is not above their sum.
    /// </summary>
    public static long[] Split(long amount, IReadOnlyList<long> weights)
    {
        var whole = weights.Sum();
        var parts = new long[weights.Count];
        var (weight, given) = (0L, 0L);
        for (var i = 0; i < parts.Length; i++)
        {
            weight += weights[i];
            var until = (long)((Int128)amount * weight / whole);
            (parts[i], given) = (until - given, until);
        }

        return parts;
    }
}
