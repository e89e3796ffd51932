using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>The sole right to something that has a name, for a time.</summary>
/// <param name="Name">What it is for, such as <c>job/reconciliation</c>.</param>
/// <param name="Owner">Who has it: one holder in one process.</param>
/// <param name="Token">The fencing token: rises with each taking of this name and never falls.</param>
/// <param name="UntilMs">Its end, by the owner's clock, unless it is renewed.</param>
public sealed record Lease(string Name, string Owner, long Token, long UntilMs);

/// <summary>
/// Leases as rows of the database. Their times are those of the nodes' clocks, so another owner is let in only
/// <see cref="SkewMsMax"/> after the end, and whatever writes under a lease asks <see cref="HoldsAsync"/> in the same
/// transaction: an owner that was asleep past its end then changes nothing (ADR 0025).
/// </summary>
public sealed class LeaseBook(Database.Database database, TimeProvider time)
{
    /// <summary>By how much clocks of nodes may differ, in milliseconds.</summary>
    public const int SkewMsMax = 2_000;

    // A release in this process wakes those who wait at once; one of another node is found by asking.
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(250);

    private TaskCompletionSource released = NewBell();

    /// <summary>
    /// Takes the lease if nobody has it; null otherwise. Its owner gets it again with a new token: a taking whose
    /// answer was lost can be repeated, and two holders must have two names.
    /// </summary>
    public async ValueTask<Lease?> TryTakeAsync(string name, string owner, TimeSpan length, CancellationToken cancel)
    {
        var nowMs = UtcInstant.Now(time).Ms;
        var untilMs = nowMs + (long)length.TotalMilliseconds;
        var token = await database.WriteAsync(
            tx => CoordinationSql.TakeAsync(tx, new(name, owner, 0, untilMs), nowMs), cancel);
        return token is { } taken ? new Lease(name, owner, taken, untilMs) : null;
    }

    /// <summary>As <see cref="TryTakeAsync"/>, and waits for it, at most so long.</summary>
    public async ValueTask<Lease?> TakeAsync(
        string name, string owner, TimeSpan length, TimeSpan waitMax, CancellationToken cancel)
    {
        var startedAt = time.GetTimestamp();
        while (true)
        {
            // Read before the try: a release that comes after it rings this bell.
            var bell = Volatile.Read(ref released).Task;
            if (await TryTakeAsync(name, owner, length, cancel) is { } lease)
            {
                return lease;
            }

            var left = waitMax - time.GetElapsedTime(startedAt);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            try
            {
                await bell.WaitAsync(left < AskEvery ? left : AskEvery, time, cancel);
            }
            catch (TimeoutException)
            {
                // Another node may have released it, or its time is over: asked again.
            }
        }
    }

    /// <summary>Moves the end to so long from now; null when somebody else has taken it since.</summary>
    public async ValueTask<Lease?> RenewAsync(Lease lease, TimeSpan length, CancellationToken cancel)
    {
        var renewed = lease with { UntilMs = UtcInstant.Now(time).Plus(length).Ms };
        var isKept = await database.WriteAsync(tx => CoordinationSql.ExtendAsync(tx, renewed), cancel);
        return isKept ? renewed : null;
    }

    /// <summary>Gives it back; false when it is no longer this owner's, and then nothing changes.</summary>
    public async ValueTask<bool> ReleaseAsync(Lease lease, CancellationToken cancel)
    {
        var isReleased = await database.WriteAsync(
            tx => CoordinationSql.ExtendAsync(tx, lease with { UntilMs = 0 }), cancel);
        if (isReleased)
        {
            Interlocked.Exchange(ref released, NewBell()).TrySetResult();
        }

        return isReleased;
    }

    /// <summary>
    /// True while nobody has taken it since, and nobody will before this transaction is over: locks the lease until the
    /// commit.
    /// </summary>
    public static ValueTask<bool> HoldsAsync(Database.Tx tx, Lease lease) => CoordinationSql.LockAsync(tx, lease);

    private static TaskCompletionSource NewBell() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
