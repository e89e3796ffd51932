using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>The limits of one group commit.</summary>
/// <param name="Name">The tag of its metrics.</param>
/// <param name="QueueMax">Commands that may wait; one more is refused at once.</param>
/// <param name="BatchMax">Commands decided in one transaction.</param>
/// <param name="WritersMax">Transactions at once; bounded by <see cref="Database.WritersMax"/>.</param>
/// <param name="GiveUpAfterMs">How long an unavailable database is tried again before the commands fail.</param>
public sealed record GroupCommitLimits(
    string Name, int QueueMax, int BatchMax, int WritersMax, long GiveUpAfterMs);

/// <summary>
/// The primitive behind every hot command: commands that arrive while a transaction commits are decided
/// together in the next one, in the order of their arrival, and answered after it is durable. No delay is
/// added: a batch is whatever arrived meanwhile, so one lone command costs one plain transaction. With several
/// writers, batches that run at the same time have no order among them.
/// </summary>
/// <remarks>
/// <para>What a decision may rely on: it runs alone in its transaction with its whole batch; it may run again
/// with the same commands (after a deadlock, or when the fate of a commit is not known), so a command must
/// carry what makes it idempotent.</para>
/// <para>A batch that fails for another reason than an unavailable database is tried again in halves, so a
/// poisonous command fails alone, and costs its batch about twice the logarithm of its size in transactions.</para>
/// </remarks>
public sealed class GroupCommit<TCommand, TOutcome> : IAsyncDisposable
{
    private const int RetryDelayMsFirst = 10;
    private const int RetryDelayMsMax = 1_000;

    private static readonly Histogram<long> BatchSizes = DatabaseLog.Meter.CreateHistogram<long>(
        "floodgate_group_commit_batch", null, "Commands decided in one transaction.");

    private readonly Database database;
    private readonly Func<Tx, IReadOnlyList<TCommand>, ValueTask<IReadOnlyList<TOutcome>>> decide;
    private readonly GroupCommitLimits limits;
    private readonly TimeProvider time;
    private readonly Channel<Pending> queue;
    private readonly Task[] loops;
    private readonly KeyValuePair<string, object?> tag;

    // Zero until it is disposed: from then on what waits is given one more limit, not one for each batch.
    private long stopsAt;

    /// <summary>Starts the loops.</summary>
    /// <param name="database">Where the batches are written.</param>
    /// <param name="decide">Decides a batch: one outcome for each command, in the same order.</param>
    /// <param name="limits">The limits.</param>
    /// <param name="time">The clock of the retry delays.</param>
    public GroupCommit(
        Database database,
        Func<Tx, IReadOnlyList<TCommand>, ValueTask<IReadOnlyList<TOutcome>>> decide,
        GroupCommitLimits limits,
        TimeProvider time)
    {
        this.database = database;
        this.decide = decide;
        this.limits = limits;
        this.time = time;
        tag = new("name", limits.Name);
        queue = Channel.CreateBounded<Pending>(limits.QueueMax);
        loops = [.. Enumerable.Range(0, Math.Min(limits.WritersMax, database.WritersMax))
            .Select(_ => Task.Run(LoopAsync))];
    }

    /// <summary>Commands that wait now.</summary>
    public int Waiting => queue.Reader.Count;

    /// <summary>
    /// Takes the command and returns the task of its outcome, or null when the queue is full or being closed: refuse
    /// the caller at once, with <c>Retry-After</c>. The task fails with <see cref="DatabaseUnavailableException"/> when
    /// the database stayed away too long; it tells whether the command may still have had its effect.
    /// </summary>
    public Task<TOutcome>? TrySubmit(TCommand command)
    {
        var pending = new Pending(command);
        return queue.Writer.TryWrite(pending) ? pending.Task : null;
    }

    /// <summary>
    /// Like <see cref="TrySubmit"/> for workers: waits for room instead of refusing. Cancelling ends that wait only; a
    /// command that was taken is decided.
    /// </summary>
    /// <exception cref="ChannelClosedException">It is being closed.</exception>
    public async Task<TOutcome> SubmitAsync(TCommand command, CancellationToken cancel)
    {
        var pending = new Pending(command);
        await queue.Writer.WriteAsync(pending, cancel);
        return await pending.Task;
    }

    /// <summary>
    /// Takes no more commands, decides those that wait, and ends. While the database is away, that takes no longer
    /// than the limit of one batch and one attempt for each of the others.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        Interlocked.CompareExchange(ref stopsAt, time.GetTimestamp() | 1, 0); // Never 0.
        queue.Writer.TryComplete();
        await Task.WhenAll(loops);
    }

    private async Task LoopAsync()
    {
        var batch = new List<Pending>(limits.BatchMax);
        while (await queue.Reader.WaitToReadAsync())
        {
            while (batch.Count < limits.BatchMax && queue.Reader.TryRead(out var pending))
            {
                batch.Add(pending);
            }

            if (batch.Count > 0)
            {
                BatchSizes.Record(batch.Count, tag);
                await CommitAsync(batch);
                batch.Clear();
            }
        }
    }

    private async Task CommitAsync(IReadOnlyList<Pending> batch)
    {
        IReadOnlyList<TOutcome> outcomes;
        try
        {
            outcomes = await DecideAsync([.. batch.Select(p => p.Command)]);
        }
        catch (Exception error) // The edge of the loop: the error becomes the answer of each command.
        {
            await FailAsync(batch, error);
            return;
        }

        for (var i = 0; i < batch.Count; i++)
        {
            batch[i].SetResult(outcomes[i]);
        }
    }

    private async Task FailAsync(IReadOnlyList<Pending> batch, Exception error)
    {
        if (batch.Count == 1 || error is DatabaseUnavailableException)
        {
            foreach (var pending in batch)
            {
                pending.SetException(error);
            }

            return;
        }

        var half = batch.Count / 2;
        await CommitAsync([.. batch.Take(half)]);
        await CommitAsync([.. batch.Skip(half)]);
    }

    private async Task<IReadOnlyList<TOutcome>> DecideAsync(IReadOnlyList<TCommand> commands)
    {
        var startedAt = time.GetTimestamp();
        var mayHaveHappened = false;
        for (var delayMs = RetryDelayMsFirst; ; delayMs = Math.Min(delayMs * 2, RetryDelayMsMax))
        {
            try
            {
                return await database.WriteAsync(tx => DecideAsync(tx, commands));
            }
            catch (DatabaseUnavailableException error)
            {
                mayHaveHappened |= error.MayHaveHappened;
                if (!IsWorthWaiting(startedAt))
                {
                    throw new DatabaseUnavailableException(error.Message, error) { MayHaveHappened = mayHaveHappened };
                }

                await Task.Delay(TimeSpan.FromMilliseconds(delayMs), time);
            }
        }
    }

    // Counted before the commit: afterwards the commands would be decided a second time.
    private async ValueTask<IReadOnlyList<TOutcome>> DecideAsync(Tx tx, IReadOnlyList<TCommand> commands)
    {
        var outcomes = await decide(tx, commands);
        Invariant.Check(outcomes.Count == commands.Count, "every command of a batch has one outcome");
        return outcomes;
    }

    private bool IsWorthWaiting(long startedAt)
    {
        var stopping = Interlocked.Read(ref stopsAt);
        return IsRecent(startedAt) && (stopping == 0 || IsRecent(stopping));
    }

    private bool IsRecent(long timestamp) =>
        time.GetElapsedTime(timestamp).TotalMilliseconds < limits.GiveUpAfterMs;

    private sealed class Pending(TCommand command)
        : TaskCompletionSource<TOutcome>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TCommand Command { get; } = command;
    }
}
