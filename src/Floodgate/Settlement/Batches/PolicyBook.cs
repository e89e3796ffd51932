using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>An outcome, and the policy that was made, replayed, changed or is in the way.</summary>
public readonly record struct PolicyChange(PolicyOutcome Outcome, CommissionPolicy? Policy);

/// <summary>
/// Commission policies: made for days to come, and ended; never changed, so that what a settled line cost can be
/// explained. Writers take turns at the calendar, so a policy is either in a day's rates or refused.
/// </summary>
public sealed class PolicyBook(Database database, Ids ids)
{
    /// <summary>Makes a policy. Idempotent by its content.</summary>
    public ValueTask<PolicyChange> CreateAsync(
        PolicyScope scope, PolicyTerms terms, (DateOnly From, DateOnly? Until) valid, CancellationToken cancel)
    {
        var policy = new CommissionPolicy(ids.Next(), scope, terms, valid.From, valid.Until);
        return PolicyRules.FaultOf(policy) is { } fault
            ? new(new PolicyChange(fault, null))
            : database.WriteAsync(tx => CreateAsync(tx, policy), cancel);
    }

    /// <summary>Ends a policy on a day, or, with null, lets it go on.</summary>
    public ValueTask<PolicyChange> EndAsync(Guid id, DateOnly? until, CancellationToken cancel) =>
        database.WriteAsync(tx => EndAsync(tx, id, until), cancel);

    /// <summary>Policies after an id.</summary>
    public ValueTask<List<CommissionPolicy>> ListAsync(Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => LinesSql.SelectPoliciesAsync(tx, after, max), cancel);

    private static async ValueTask<PolicyChange> CreateAsync(Tx tx, CommissionPolicy policy)
    {
        var closedThrough = await LinesSql.LockCalendarAsync(tx);
        var others = await OthersAsync(tx, policy);
        if (others.Find(o => o.Scope == policy.Scope && o.Terms.Says(policy.Terms)
            && (o.ValidFrom, o.ValidUntil) == (policy.ValidFrom, policy.ValidUntil)) is { } same)
        {
            return new(PolicyOutcome.Replayed, same);
        }

        if (policy.ValidFrom.DayNumber <= closedThrough)
        {
            return new(PolicyOutcome.DaySettled, null);
        }

        if (others.Find(policy.Overlaps) is { } other)
        {
            return new(PolicyOutcome.Overlaps, other);
        }

        LinesSql.Insert(tx, policy);
        return new(PolicyOutcome.Done, policy);
    }

    private static async ValueTask<PolicyChange> EndAsync(Tx tx, Guid id, DateOnly? until)
    {
        var closedThrough = await LinesSql.LockCalendarAsync(tx);
        if (await LinesSql.FindPolicyAsync(tx, id) is not { } policy)
        {
            return new(PolicyOutcome.NotFound, null);
        }

        var ended = policy with { ValidUntil = until };
        if (until < policy.ValidFrom)
        {
            return new(PolicyOutcome.EndsBeforeStart, policy);
        }

        if (policy.ValidUntil == until)
        {
            return new(PolicyOutcome.Replayed, policy);
        }

        // Neither the old nor the new end may be a day whose rates are fixed.
        if (until?.DayNumber <= closedThrough || policy.ValidUntil?.DayNumber <= closedThrough)
        {
            return new(PolicyOutcome.DaySettled, policy);
        }

        if ((await OthersAsync(tx, policy)).Find(o => o.Id != id && o.Overlaps(ended)) is { } other)
        {
            return new(PolicyOutcome.Overlaps, other);
        }

        LinesSql.End(tx, ended);
        return new(PolicyOutcome.Done, ended);
    }

    private static ValueTask<List<CommissionPolicy>> OthersAsync(Tx tx, CommissionPolicy policy) =>
        LinesSql.SelectPoliciesAsync(tx, policy.Scope.MerchantId is { } merchant ? [merchant] : []);
}
