using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>A job as an operator sees it.</summary>
/// <param name="Job">The job.</param>
/// <param name="NextDue">When its timetable is due next; null without one.</param>
/// <param name="LastRun">Its newest run, whatever its state; null before the first.</param>
public sealed record JobStatus(Job Job, UtcInstant? NextDue, JobRun? LastRun);

/// <summary>
/// The jobs of all modules: what is due becomes a run, once for all nodes, and an operator may ask for one by hand.
/// Runs are carried out by the nodes of role <c>worker</c> or <c>all</c>.
/// </summary>
public sealed class JobBoard
{
    private readonly Database.Database database;
    private readonly Ids ids;
    private readonly TimeProvider time;

    /// <summary>Names must be unique: they are the leases' names.</summary>
    public JobBoard(Database.Database database, IEnumerable<Job> jobs, Ids ids, TimeProvider time)
    {
        (this.database, this.ids, this.time) = (database, ids, time);
        Jobs = [.. jobs.OrderBy(job => job.Name, StringComparer.Ordinal)];
        Invariant.Check(Jobs.DistinctBy(job => job.Name).Count() == Jobs.Count, "each job has a name of its own");
    }

    /// <summary>All jobs, by name.</summary>
    public IReadOnlyList<Job> Jobs { get; }

    /// <summary>Rung when a run was asked for in this process.</summary>
    internal Signal Asked { get; } = new();

    /// <summary>The job of this name, or null.</summary>
    public Job? Find(string name) => Jobs.FirstOrDefault(job => job.Name == name);

    /// <summary>
    /// Asks for a run now: it starts as soon as a node is free for it, after one that is under way. Null for an unknown
    /// name. While such a run waits, asking again answers that one.
    /// </summary>
    public async ValueTask<JobRun?> StartAsync(string name, CancellationToken cancel)
    {
        if (Find(name) is null)
        {
            return null;
        }

        var now = UtcInstant.Now(time).Ms;
        var run = await database.WriteAsync(
            async tx =>
            {
                // The row is locked, or two callers would each see none that waits.
                CoordinationSql.InsertJobs(tx, [name], now);
                await CoordinationSql.LockJobAsync(tx, name);
                var open = await CoordinationSql.SelectOpenAsync(tx, name);
                if (open.Find(r => r is { IsManual: true, State: JobRunState.Waiting }) is { } waiting)
                {
                    return waiting;
                }

                var asked = new JobRun(ids.Next(), name, IsManual: true, now);
                CoordinationSql.Insert(tx, [asked]);
                return asked;
            },
            cancel);
        Asked.Set();
        return run;
    }

    /// <summary>Every job with its next and its last run.</summary>
    public async ValueTask<List<JobStatus>> ListAsync(CancellationToken cancel)
    {
        var now = UtcInstant.Now(time);
        var last = await database.ReadAsync(
            tx => CoordinationSql.SelectLastAsync(tx, [.. Jobs.Select(job => job.Name)]), cancel);
        return
        [
            .. Jobs.Select(job => new JobStatus(
                job, job.Schedule?.NextAfter(now), last.Find(run => run.Job == job.Name))),
        ];
    }

    /// <summary>Runs of a job, newest first, older than the one of this id; at most so many.</summary>
    public ValueTask<List<JobRun>> RunsAsync(string name, Guid before, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => CoordinationSql.SelectPageAsync(tx, name, before, max), cancel);

    /// <summary>
    /// Makes a run of each job that has become due since its timetable was last served, whatever it missed meanwhile: a
    /// job that was not known before is due from now on. Then all that is open, oldest first.
    /// </summary>
    internal async ValueTask<List<JobRun>> DueAsync(CancellationToken cancel)
    {
        var now = UtcInstant.Now(time);
        var (marks, open) = await database.ReadAsync(
            async tx => (await CoordinationSql.SelectServedAsync(tx), await CoordinationSql.SelectOpenAsync(tx)),
            cancel);
        var missing = Jobs.Where(job => !marks.ContainsKey(job.Name)).Select(job => job.Name).ToList();
        var due = new List<(string Name, long DueMs)>();
        foreach (var job in Jobs.Where(job => job.Schedule is not null && marks.ContainsKey(job.Name)))
        {
            if (job.Schedule!.LastWithin(new(marks[job.Name]), now) is { } moment)
            {
                due.Add((job.Name, moment.Ms));
            }
        }

        if (missing.Count + due.Count == 0)
        {
            return open;
        }

        var made = await database.WriteAsync(
            async tx =>
            {
                CoordinationSql.InsertJobs(tx, missing, now.Ms);
                var served = await CoordinationSql.ServeAsync(tx, due);
                var mine = due.FindAll(d => served.Contains(d.Name));
                var waiting = await CoordinationSql.MoveWaitingAsync(tx, mine);
                List<JobRun> runs =
                [
                    .. mine.Where(d => !waiting.Contains(d.Name))
                        .Select(d => new JobRun(ids.Next(), d.Name, IsManual: false, d.DueMs)),
                ];
                CoordinationSql.Insert(tx, runs);
                return runs;
            },
            cancel);
        return [.. open, .. made];
    }
}
