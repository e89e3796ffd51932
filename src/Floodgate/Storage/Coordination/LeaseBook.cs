using System.Text;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Storage.Coordination;

/// <summary>The sole right to something that has a name, for a time.</summary>
/// <param name="Name">What it is for, such as <c>job/reconciliation</c>.</param>
/// <param name="Owner">Who has it: one holder in one process.</param>
/// <param name="Token">The fencing token: rises with each taking of this name and never falls.</param>
/// <param name="UntilMs">Its end, by the clock that all nodes agree on, unless it is renewed.</param>
public sealed record Lease(string Name, string Owner, long Token, long UntilMs);

/// <summary>
/// Leases as rows of the database, which alone decides and gives out the tokens: they rise for ever, whatever becomes
/// of Redis, and whatever writes under a lease asks <see cref="HoldsAsync"/> in the same transaction, so an owner that
/// was asleep past its end changes nothing (ADR 0025). Times are those of the database's clock as each node knows it,
/// and another owner is let in only <see cref="SkewMsMax"/> after the end. Redis carries the wake-up: without it those
/// who wait ask, as they do beside it more rarely.
/// </summary>
public sealed class LeaseBook
{
    /// <summary>By how much clocks of nodes may differ, in milliseconds.</summary>
    public const int SkewMsMax = 2_000;

    private const string Topic = "lease";

    // A release wakes those who wait at once where it is told. They ask besides: the owner may have died.
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AskEveryWhenTold = TimeSpan.FromSeconds(1);

    private readonly Database.Database database;
    private readonly NodeClock clock;
    private readonly TimeProvider time;
    private readonly News news;

    private TaskCompletionSource released = NewBell();

    /// <summary>Leases of this database.</summary>
    public LeaseBook(Database.Database database, NodeClock clock, TimeProvider time, News news)
    {
        (this.database, this.clock, this.time, this.news) = (database, clock, time, news);
        news.Listen(Topic, _ => Wake());
        news.Missed += Wake;
    }

    /// <summary>
    /// Takes the lease if nobody has it; null otherwise. Its owner gets it again with a new token: a taking whose
    /// answer was lost can be repeated, and two holders must have two names.
    /// </summary>
    public async ValueTask<Lease?> TryTakeAsync(string name, string owner, TimeSpan length, CancellationToken cancel)
    {
        var nowMs = clock.Now.Ms;
        var untilMs = nowMs + (long)length.TotalMilliseconds;
        var token = await database.WriteAsync(
            tx => CoordinationSql.TakeAsync(tx, new(name, owner, 0, untilMs), nowMs), cancel);
        return token is { } taken ? new Lease(name, owner, taken, untilMs) : null;
    }

    /// <summary>True while the lease has not come to its end, by the clock that all nodes agree on.</summary>
    public bool IsLive(Lease lease) => clock.Now.Ms < lease.UntilMs;

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
                var nap = news is { IsShared: true, IsDeaf: false } ? AskEveryWhenTold : AskEvery;
                await bell.WaitAsync(left < nap ? left : nap, time, cancel);
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
        var renewed = lease with { UntilMs = clock.Now.Plus(length).Ms };
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
            Wake();
            news.Tell(Topic, Encoding.UTF8.GetBytes(lease.Name));
        }

        return isReleased;
    }

    /// <summary>
    /// True while nobody has taken it since, and nobody will before this transaction is over: locks the lease until the
    /// commit.
    /// </summary>
    public static ValueTask<bool> HoldsAsync(Database.Tx tx, Lease lease) => CoordinationSql.LockAsync(tx, lease);

    private void Wake() => Interlocked.Exchange(ref released, NewBell()).TrySetResult();

    private static TaskCompletionSource NewBell() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
