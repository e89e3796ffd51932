using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>What the worker needs besides its stores.</summary>
/// <param name="Settings">Its limits.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Messages and metrics.</param>
/// <param name="Node">This process, as no other names itself: it owns the leases.</param>
internal sealed record JobTools(JobSettings Settings, TimeProvider Time, CoordinationLog Log, string Node);

/// <summary>
/// Carries out the runs that are open: each under the lease of its job, so that at most one is under way over all
/// nodes. A run whose node died is begun again by whoever gets the lease after it. Jobs run side by side, the runs of
/// one in their order.
/// </summary>
internal sealed class JobWorker(JobBoard board, LeaseBook leases, Database.Database database, JobTools tools)
    : BackgroundService
{
    private const int DetailMax = 1_000;

    // Touched by the loop alone; each task ends by itself, and soon after a stop.
    private readonly Dictionary<string, Task> running = [];

    private TimeSpan LeaseLength => TimeSpan.FromSeconds(tools.Settings.LeaseSeconds);

    /// <summary>Why it stopped by itself; null while all is well.</summary>
    public Exception? Failure { get; private set; }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await LookAsync(stoppingToken);
                await board.Asked.WaitAsync(
                    TimeSpan.FromMilliseconds(tools.Settings.PollMs), tools.Time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal end; what is open stands in its table.
        }
        catch (Exception error) // The edge of the loop: readiness tells that it stands still.
        {
            Failure = error;
            tools.Log.Stopped(error);
        }

        await Task.WhenAll(running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task LookAsync(CancellationToken stop)
    {
        try
        {
            var nowMs = UtcInstant.Now(tools.Time).Ms;
            foreach (var run in await board.DueAsync(stop))
            {
                var isUnderWay = running.TryGetValue(run.Job, out var task) && !task.IsCompleted;
                if (!isUnderWay && run.ReadyMs <= nowMs && board.Find(run.Job) is { } job)
                {
                    running[run.Job] = TurnAsync(job, stop);
                }
            }
        }
        catch (DatabaseUnavailableException error)
        {
            tools.Log.DatabaseAway("jobs", error.Message);
        }
    }

    /// <summary>One run of the job, if its lease is free; never throws.</summary>
    private async Task TurnAsync(Job job, CancellationToken stop)
    {
        try
        {
            if (await leases.TryTakeAsync($"job/{job.Name}", tools.Node, LeaseLength, stop) is { } lease)
            {
                try
                {
                    if (await database.WriteAsync(tx => BeginAsync(tx, job.Name, lease), stop) is { } run)
                    {
                        await CarryOutAsync(job, new JobTurn(run, lease), stop);
                    }
                }
                finally
                {
                    // Not cancelled: others would wait for its end.
                    await leases.ReleaseAsync(lease, CancellationToken.None);
                    board.Asked.Set(); // Another run of this job may wait.
                }
            }
        }
        catch (Exception error) when (error is DatabaseUnavailableException or OperationCanceledException)
        {
            // Whatever is half done is open, and begun again by whoever gets the lease next.
            tools.Log.DatabaseAway(job.Name, error.Message);
        }
        catch (Exception error) // The edge of a turn: a bug around one job must not end the others'.
        {
            tools.Log.TurnFailed(job.Name, error);
        }
    }

    /// <summary>Marks the oldest run that is ready as this node's; null when there is none any more.</summary>
    private async ValueTask<JobRun?> BeginAsync(Tx tx, string job, Lease lease)
    {
        if (!await LeaseBook.HoldsAsync(tx, lease))
        {
            return null;
        }

        var nowMs = UtcInstant.Now(tools.Time).Ms;
        foreach (var run in await CoordinationSql.SelectOpenAsync(tx, job))
        {
            if (run.Attempts >= tools.Settings.AttemptsMax)
            {
                await CoordinationSql.EndAsync(tx, run with
                {
                    State = JobRunState.Failed,
                    EndedMs = nowMs,
                    Detail = Storable($"given up after {run.Attempts} tries; the last: {run.Detail}"),
                });
                tx.OnCommitted(() => tools.Log.Ended(job, JobRunState.Failed, TimeSpan.Zero));
            }
            else if (run.ReadyMs <= nowMs)
            {
                var begun = run with
                {
                    State = JobRunState.Running,
                    Attempts = run.Attempts + 1,
                    Token = lease.Token,
                    Node = tools.Node,
                    StartedMs = nowMs,
                };
                CoordinationSql.Begin(tx, begun);
                return begun;
            }
        }

        return null;
    }

    private async Task CarryOutAsync(Job job, JobTurn turn, CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var startedAt = tools.Time.GetTimestamp();
        var renewing = RenewAsync(turn, ending);
        JobRun ended;
        try
        {
            var detail = await job.RunAsync(turn, ending.Token);
            ended = turn.Run with { State = JobRunState.Done, Detail = Storable(detail) };
        }
        catch (Exception error) when (error is LeaseLostException or OperationCanceledException
            && ending.IsCancellationRequested)
        {
            // A stop is no failed try; after a lost lease the guard of the row keeps what the next owner writes.
            ended = PutBack(turn.Run, "interrupted", waitSeconds: 0) with { Attempts = turn.Run.Attempts - 1 };
        }
        catch (DatabaseUnavailableException error)
        {
            ended = PutBack(turn.Run, error.Message, tools.Settings.RetryDelaySeconds);
        }
        catch (Exception error) // The edge of a job: whatever is thrown is the outcome of its run.
        {
            tools.Log.JobFailed(job.Name, error);
            ended = turn.Run with { State = JobRunState.Failed, Detail = Storable(error.Message) };
        }

        await ending.CancelAsync();
        await renewing;
        var endedMs = ended.State == JobRunState.Waiting ? 0 : UtcInstant.Now(tools.Time).Ms;
        if (await database.WriteAsync(tx => CoordinationSql.EndAsync(tx, ended with { EndedMs = endedMs })))
        {
            tools.Log.Ended(job.Name, ended.State, tools.Time.GetElapsedTime(startedAt));
        }
    }

    private JobRun PutBack(JobRun run, string why, int waitSeconds) => run with
    {
        State = JobRunState.Waiting,
        ReadyMs = UtcInstant.Now(tools.Time).Plus(TimeSpan.FromSeconds(waitSeconds)).Ms,
        Detail = Storable(why),
    };

    /// <summary>Renews the lease while the job works, and ends the job when the lease is lost.</summary>
    private async Task RenewAsync(JobTurn turn, CancellationTokenSource ending)
    {
        var lease = turn.Lease;
        var told = "";
        try
        {
            while (true)
            {
                await Task.Delay(LeaseLength / 3, tools.Time, ending.Token);
                try
                {
                    if (await leases.RenewAsync(lease, LeaseLength, ending.Token) is not { } renewed)
                    {
                        break;
                    }

                    lease = renewed;
                    if (turn.Progress is var progress && progress != told)
                    {
                        told = progress;
                        await TellAsync(turn.Run, Storable(progress));
                    }
                }
                catch (DatabaseUnavailableException) when (leases.IsLive(lease))
                {
                    // Still ours: tried again in a while.
                }
            }
        }
        catch (OperationCanceledException)
        {
            return; // The normal end.
        }
        catch (DatabaseUnavailableException)
        {
            // Its end has passed, so another node may have it.
        }

        tools.Log.LeaseLost(turn.Run.Job);
        await ending.CancelAsync();
    }

    private async ValueTask TellAsync(JobRun run, string progress) => await database.WriteAsync(tx =>
    {
        CoordinationSql.Tell(tx, run, progress);
        return ValueTask.FromResult(0);
    });

    /// <summary>One short line that both databases keep.</summary>
    private static string Storable(string text) => string.Create(
        Math.Min(text.Length, DetailMax), text, static (line, from) =>
        {
            for (var i = 0; i < line.Length; i++)
            {
                line[i] = char.IsControl(from[i]) ? ' ' : char.IsSurrogate(from[i]) ? '?' : from[i];
            }
        });
}
