namespace Floodgate.Settlement.Batches;

/// <summary>Which lines a policy is for; what is null is all of them.</summary>
public sealed record PolicyScope(string? MerchantId, string? ProductClass, string? Currency)
{
    /// <summary>The more it names, the closer it is: a merchant weighs more than a class, a class more than a
    /// currency.</summary>
    internal int Closeness =>
        (MerchantId is null ? 0 : 4) + (ProductClass is null ? 0 : 2) + (Currency is null ? 0 : 1);

    /// <summary>True when lines of these three are meant.</summary>
    internal bool Covers(string merchantId, string productClass, string currency) =>
        (MerchantId is null || MerchantId == merchantId)
        && (ProductClass is null || ProductClass == productClass)
        && (Currency is null || Currency == currency);
}

/// <summary>Another percentage from a volume of the month on.</summary>
/// <param name="FromVolume">Captured in the month up to and with the day, in minor units; more than zero.</param>
/// <param name="BasisPoints">For all lines of that day, 0 to 10,000.</param>
public sealed record VolumeTier(long FromVolume, int BasisPoints);

/// <summary>What lines cost. Amounts in minor units.</summary>
/// <param name="BasisPoints">Of the line, below the first tier.</param>
/// <param name="Fixed">Added to each line.</param>
/// <param name="FeeMin">The least fee of a line.</param>
/// <param name="FeeMax">The most; null for none.</param>
/// <param name="Tiers">By rising volume.</param>
public sealed record PolicyTerms(
    int BasisPoints, long Fixed, long FeeMin, long? FeeMax, IReadOnlyList<VolumeTier> Tiers)
{
    /// <summary>True when they name money, which is money of one currency.</summary>
    internal bool NamesMoney => Fixed > 0 || FeeMin > 0 || FeeMax is not null || Tiers.Count > 0;

    /// <summary>The rate of a day at the merchant's volume of the month.</summary>
    internal Rate At(long volume) => new(
        Tiers.LastOrDefault(t => t.FromVolume <= volume)?.BasisPoints ?? BasisPoints, Fixed, FeeMin,
        FeeMax ?? Rate.NoMax);

    /// <summary>True when both say the same.</summary>
    internal bool Says(PolicyTerms other) =>
        (BasisPoints, Fixed, FeeMin, FeeMax) == (other.BasisPoints, other.Fixed, other.FeeMin, other.FeeMax)
        && Tiers.SequenceEqual(other.Tiers);
}

/// <summary>A commission policy. It never changes but for its end, so that a settled fee can be explained.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Scope">Which lines.</param>
/// <param name="Terms">What they cost.</param>
/// <param name="ValidFrom">The first day.</param>
/// <param name="ValidUntil">The first day on which it is over; null while there is none.</param>
public sealed record CommissionPolicy(
    Guid Id, PolicyScope Scope, PolicyTerms Terms, DateOnly ValidFrom, DateOnly? ValidUntil)
{
    /// <summary>True on its days.</summary>
    internal bool IsValidOn(DateOnly day) => ValidFrom <= day && (ValidUntil is not { } until || day < until);

    /// <summary>True when both are for the same lines on some day.</summary>
    internal bool Overlaps(CommissionPolicy other) => Scope == other.Scope
        && (other.ValidUntil is not { } until || ValidFrom < until)
        && (ValidUntil is not { } ownUntil || other.ValidFrom < ownUntil);
}

/// <summary>What can be wrong with a policy or its end, in the order in which it is checked.</summary>
public enum PolicyOutcome
{
    /// <summary>There is no such policy.</summary>
    NotFound,

    /// <summary>It would take more than the whole, or less than nothing.</summary>
    AboveWhole,

    /// <summary>Its least fee is more than its most.</summary>
    MinAboveMax,

    /// <summary>Its tiers do not rise.</summary>
    TiersNotRising,

    /// <summary>It names amounts and no currency.</summary>
    CurrencyMissing,

    /// <summary>It would be over before it begins.</summary>
    EndsBeforeStart,

    /// <summary>The same policy is there already: that one.</summary>
    Replayed,

    /// <summary>It would change days that are closed.</summary>
    DaySettled,

    /// <summary>Another one is for the same lines on one of its days.</summary>
    Overlaps,

    /// <summary>Made, or ended.</summary>
    Done,
}

/// <summary>The rules of policies. Pure.</summary>
internal static class PolicyRules
{
    private const int Whole = 10_000;

    /// <summary>What is wrong with it by itself; null when nothing is.</summary>
    public static PolicyOutcome? FaultOf(CommissionPolicy policy)
    {
        var terms = policy.Terms;
        if (terms.Tiers.Select(t => t.BasisPoints).Append(terms.BasisPoints).Any(b => b is < 0 or > Whole))
        {
            return PolicyOutcome.AboveWhole;
        }

        if (terms.FeeMin > terms.FeeMax)
        {
            return PolicyOutcome.MinAboveMax;
        }

        if (terms.Tiers.Select(t => t.FromVolume).Prepend(0).Zip(terms.Tiers).Any(t => t.First >= t.Second.FromVolume))
        {
            return PolicyOutcome.TiersNotRising;
        }

        return terms.NamesMoney && policy.Scope.Currency is null ? PolicyOutcome.CurrencyMissing
            : policy.ValidUntil <= policy.ValidFrom ? PolicyOutcome.EndsBeforeStart
            : null;
    }

    /// <summary>
    /// The policy for lines of a day: the closest of those that are valid. At most one of each scope is, so there are
    /// no ties. Null when none is for them.
    /// </summary>
    public static CommissionPolicy? Choose(
        IEnumerable<CommissionPolicy> policies,
        (string MerchantId, string Class, string Currency) lines,
        DateOnly day) =>
        policies.Where(p => p.IsValidOn(day) && p.Scope.Covers(lines.MerchantId, lines.Class, lines.Currency))
            .MaxBy(p => p.Scope.Closeness);
}
