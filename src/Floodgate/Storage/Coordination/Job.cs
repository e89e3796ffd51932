using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>
/// Work that is done on a timetable and when an operator asks for it, on one node at a time. Modules register theirs as
/// services of this type.
/// </summary>
/// <param name="Name">Unique; part of the route and of its lease.</param>
/// <param name="Schedule">When it is due; null: only when it is started by hand.</param>
/// <param name="RunAsync">
/// Does the work and answers what came of it, in one line. It may run again for the same moment (its process died, the
/// database was away), so it must be idempotent; it ends soon when the token is cancelled, and writes under
/// <see cref="JobTurn.KeepAsync"/> what two at once would spoil. An exception is a failed run.
/// </param>
public sealed record Job(
    string Name, Schedule? Schedule, Func<JobTurn, CancellationToken, ValueTask<string>> RunAsync);

/// <summary>Where a run of a job is.</summary>
public enum JobRunState
{
    /// <summary>Due, and not begun or put back.</summary>
    Waiting,

    /// <summary>A node is at it, or died with it.</summary>
    Running,

    /// <summary>It ended well.</summary>
    Done,

    /// <summary>It ended badly; the detail says why.</summary>
    Failed,
}

/// <summary>One run of a job as it is stored.</summary>
/// <param name="Id">Its id; ids rise with time.</param>
/// <param name="Job">The job's name.</param>
/// <param name="IsManual">True when an operator asked for it.</param>
/// <param name="DueMs">The moment it is for.</param>
public sealed record JobRun(Guid Id, string Job, bool IsManual, long DueMs)
{
    /// <summary>Where it is.</summary>
    public JobRunState State { get; init; }

    /// <summary>How often it was begun.</summary>
    public int Attempts { get; init; }

    /// <summary>The fencing token of its last beginning; 0 before.</summary>
    public long Token { get; init; }

    /// <summary>The node that began it last.</summary>
    public string? Node { get; init; }

    /// <summary>When it was begun last; 0 before.</summary>
    public long StartedMs { get; init; }

    /// <summary>When it ended; 0 before.</summary>
    public long EndedMs { get; init; }

    /// <summary>Not begun before this moment: a later try.</summary>
    public long ReadyMs { get; init; }

    /// <summary>What came of it, or how far it is.</summary>
    public string Detail { get; init; } = "";
}

/// <summary>A job's turn, while it works: which run it is, and how it tells of its progress.</summary>
public sealed class JobTurn
{
    private volatile string progress = "";

    internal JobTurn(JobRun run, Lease lease) => (Run, Lease) = (run, lease);

    /// <summary>The run.</summary>
    public JobRun Run { get; }

    /// <summary>The moment that the run is for.</summary>
    public UtcInstant Due => new(Run.DueMs);

    /// <summary>The fencing token: higher than that of every turn before.</summary>
    public long Token => Lease.Token;

    internal Lease Lease { get; }

    internal string Progress => progress;

    /// <summary>Tells how far it is, in one line. Cheap: stored and shown when the lease is renewed.</summary>
    public void Report(string line) => progress = line;

    /// <summary>
    /// Goes on only while no other node has taken this job over, and keeps it so until the commit.
    /// </summary>
    /// <exception cref="LeaseLostException">Another node has: this transaction must change nothing.</exception>
    public async ValueTask KeepAsync(Tx tx)
    {
        if (!await LeaseBook.HoldsAsync(tx, Lease))
        {
            throw new LeaseLostException($"The lease {Lease.Name} was taken over by another owner.");
        }
    }
}

/// <summary>Somebody else has the lease now.</summary>
public sealed class LeaseLostException(string message) : Exception(message);
