namespace Floodgate.Load.Queue;

/// <summary>One who waited: when it asked, when it was answered, and when its turn came.</summary>
/// <param name="SentAt">When its join was sent.</param>
/// <param name="AnsweredAt">When the answer came; in the same clock.</param>
/// <param name="Turn">Its place in line, or the moment of its admission; those with equal turns came together.</param>
internal readonly record struct Wait(long SentAt, long AnsweredAt, long Turn);

/// <summary>How far the order of turns is the order of arrival.</summary>
internal static class Fairness
{
    /// <summary>
    /// How many were overtaken: somebody who asked only after they had been answered had a turn before theirs. Joins
    /// under way at the same time have no order among them.
    /// </summary>
    public static int Overtaken(IEnumerable<Wait> waits)
    {
        var overtaken = 0;
        var latestOfEarlier = long.MinValue;
        foreach (var together in waits.GroupBy(wait => wait.Turn).OrderBy(group => group.Key))
        {
            overtaken += together.Count(wait => latestOfEarlier > wait.AnsweredAt);
            latestOfEarlier = Math.Max(latestOfEarlier, together.Max(wait => wait.SentAt));
        }

        return overtaken;
    }

    /// <summary>
    /// Spearman's rank correlation of arrival and turn: 1 when all were served in the order of arrival, around 0
    /// (within about 3 / sqrt(n)) when a draw decided. Equal turns share their mean rank. NaN for fewer than two.
    /// </summary>
    public static double Rho(IReadOnlyList<Wait> waits)
    {
        var arrivals = Ranks([.. waits.Select(wait => wait.SentAt)]);
        var turns = Ranks([.. waits.Select(wait => wait.Turn)]);
        var mean = (waits.Count - 1) / 2.0;
        var (both, ofArrivals, ofTurns) = (0.0, 0.0, 0.0);
        for (var i = 0; i < waits.Count; i++)
        {
            var (x, y) = (arrivals[i] - mean, turns[i] - mean);
            both += x * y;
            ofArrivals += x * x;
            ofTurns += y * y;
        }

        return both / Math.Sqrt(ofArrivals * ofTurns);
    }

    private static double[] Ranks(long[] values)
    {
        var order = Enumerable.Range(0, values.Length).ToArray();
        Array.Sort([.. values], order);
        var ranks = new double[values.Length];
        for (int from = 0, to; from < order.Length; from = to)
        {
            for (to = from + 1; to < order.Length && values[order[to]] == values[order[from]]; to++)
            {
            }

            for (var i = from; i < to; i++)
            {
                ranks[order[i]] = (from + to - 1) / 2.0;
            }
        }

        return ranks;
    }
}
