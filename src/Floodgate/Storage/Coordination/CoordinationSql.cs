using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>Every statement about leases and jobs.</summary>
internal static class CoordinationSql
{
    public static readonly Migration[] Migrations =
    [
        new("coordination-001", """
            create table lease (
                name text primary key,
                owner text not null,
                token bigint not null,
                taken_ms bigint not null,
                until_ms bigint not null
            ) {clustered};
            create table job (
                name text primary key,
                served_ms bigint not null
            ) {clustered};
            create table job_run (
                id {id} primary key,
                job text not null,
                is_manual bigint not null,
                due_ms bigint not null,
                state text not null,
                attempts bigint not null,
                token bigint not null,
                node text,
                started_ms bigint not null,
                ended_ms bigint not null,
                ready_ms bigint not null,
                detail text not null
            ) {clustered};
            create index job_run_of_job on job_run (job, id);
            create index job_run_open on job_run (id) where state in ('WAITING', 'RUNNING')
            """),
    ];

    private const string RunColumns =
        """
        r.id, r.job, r.is_manual, r.due_ms, r.state, r.attempts, r.token, r.node, r.started_ms, r.ended_ms,
        r.ready_ms, r.detail
        """;

    // A row stays when its lease is over: its token must never start again.
    private static readonly Statement Take = new(
        $$"""
        insert into lease (name, owner, token, taken_ms, until_ms)
        select rows.name, rows.owner, 1, rows.now_ms, rows.until_ms from {rows} where true
        on conflict (name) do update set owner = excluded.owner, token = lease.token + 1,
            taken_ms = excluded.taken_ms, until_ms = excluded.until_ms
        where lease.owner = excluded.owner or lease.until_ms + {{LeaseBook.SkewMsMax}} <= excluded.taken_ms
        returning token
        """,
        Column.Text("name"), Column.Text("owner"), Column.Long("now_ms"), Column.Long("until_ms"));

    private static readonly Statement Extend = new(
        """
        update lease set until_ms = rows.until_ms, owner = case when rows.until_ms = 0 then '' else lease.owner end
        from {rows} where lease.name = rows.name and lease.owner = rows.owner and lease.token = rows.token
        returning lease.token
        """,
        Column.Text("name"), Column.Text("owner"), Column.Long("token"), Column.Long("until_ms"));

    private static readonly Statement Lock = new(
        """
        select l.token from {rows} join lease l on l.name = rows.name and l.owner = rows.owner and l.token = rows.token
        {for update}
        """,
        Column.Text("name"), Column.Text("owner"), Column.Long("token"));

    private static readonly Statement InsertMissing = new(
        """
        insert into job (name, served_ms) select rows.name, rows.now_ms from {rows} where true
        on conflict (name) do nothing
        """,
        Column.Text("name"), Column.Long("now_ms"));

    private static readonly Statement SelectJobs = new("select j.name, j.served_ms from job j");

    private static readonly Statement LockJob = new(
        "select j.name from {rows} join job j on j.name = rows.name {for update}", Column.Text("name"));

    // Of the nodes that find a job due, one moves its mark, and that one makes the run.
    private static readonly Statement Serve = new(
        """
        update job set served_ms = rows.due_ms from {rows} where job.name = rows.name and job.served_ms < rows.due_ms
        returning job.name
        """,
        Column.Text("name"), Column.Long("due_ms"));

    private static readonly Statement InsertRuns = new(
        """
        insert into job_run (id, job, is_manual, due_ms, state, attempts, token, node, started_ms, ended_ms, ready_ms,
            detail)
        select rows.id, rows.job, rows.is_manual, rows.due_ms, 'WAITING', 0, 0, null, 0, 0, 0, '' from {rows}
        """,
        Column.Id("id"), Column.Text("job"), Column.Long("is_manual"), Column.Long("due_ms"));

    // What became due while the one before still waits for its turn is one with it, for the later moment.
    private static readonly Statement MoveWaiting = new(
        """
        update job_run set due_ms = rows.due_ms from {rows} where job_run.job = rows.job and job_run.is_manual = 0
            and job_run.state = 'WAITING' and job_run.attempts = 0
        returning job_run.job
        """,
        Column.Text("job"), Column.Long("due_ms"));

    private static readonly Statement SelectOpen = new(
        $$"""
        select {{RunColumns}} from job_run r where r.state in ('WAITING', 'RUNNING') order by r.id limit 1000
        """);

    private static readonly Statement SelectOpenOfJob = new(
        $$"""
        select {{RunColumns}} from job_run r where r.state in ('WAITING', 'RUNNING')
            and r.job = (select rows.job from {rows})
        order by r.id limit 1000
        """,
        Column.Text("job"));

    private static readonly Statement SelectLast = new(
        $$"""
        select {{RunColumns}} from {rows} join job_run r
            on r.id = (select x.id from job_run x where x.job = rows.job order by x.id desc limit 1)
        """,
        Column.Text("job"));

    private static readonly Statement SelectPage = new(
        $$"""
        select {{RunColumns}} from job_run r where r.job = (select rows.job from {rows})
            and r.id < (select rows.before from {rows})
        order by r.id desc limit (select rows.page_max from {rows})
        """,
        Column.Text("job"), Column.Id("before"), Column.Long("page_max"));

    // The token is the guard: a node that slept past its lease changes no row that another has begun since.
    private static readonly Statement BeginRun = new(
        """
        update job_run set state = 'RUNNING', attempts = rows.attempts, token = rows.token, node = rows.node,
            started_ms = rows.started_ms
        from {rows} where job_run.id = rows.id and job_run.state in ('WAITING', 'RUNNING')
            and job_run.token < rows.token
        """,
        Column.Id("id"), Column.Long("attempts"), Column.Long("token"), Column.Text("node"), Column.Long("started_ms"));

    private static readonly Statement End = new(
        """
        update job_run set state = rows.state, attempts = rows.attempts, ended_ms = rows.ended_ms,
            ready_ms = rows.ready_ms, detail = rows.detail
        from {rows} where job_run.id = rows.id and job_run.token = rows.token
            and job_run.state in ('WAITING', 'RUNNING')
        returning job_run.id
        """,
        Column.Id("id"), Column.Long("token"), Column.Text("state"), Column.Long("attempts"), Column.Long("ended_ms"),
        Column.Long("ready_ms"), Column.Text("detail"));

    private static readonly Statement TellProgress = new(
        """
        update job_run set detail = rows.detail
        from {rows} where job_run.id = rows.id and job_run.token = rows.token and job_run.state = 'RUNNING'
        """,
        Column.Id("id"), Column.Long("token"), Column.Text("detail"));

    private static readonly Statement DeleteOld = new(
        """
        delete from job_run where state in ('DONE', 'FAILED') and id in (
            select x.id from job_run x where x.id < (select rows.before from {rows}) order by x.id limit 1000)
        returning job_run.id
        """,
        Column.Id("before"));

    /// <summary>The new token, or null when somebody else has the lease.</summary>
    public static async ValueTask<long?> TakeAsync(Tx tx, Lease lease, long nowMs)
    {
        var tokens = await tx.QueryAsync(
            Take,
            Rows.One(lease).Text(l => l.Name).Text(l => l.Owner).Long(_ => nowMs).Long(l => l.UntilMs),
            r => r.Long(0));
        return tokens.Count == 0 ? null : tokens[0];
    }

    /// <summary>Moves the end of the lease, 0 to give it back; false when it is somebody else's.</summary>
    public static async ValueTask<bool> ExtendAsync(Tx tx, Lease lease) => (await tx.QueryAsync(
        Extend,
        Rows.One(lease).Text(l => l.Name).Text(l => l.Owner).Long(l => l.Token).Long(l => l.UntilMs),
        r => r.Long(0))).Count == 1;

    public static async ValueTask<bool> LockAsync(Tx tx, Lease lease) => (await tx.QueryAsync(
        Lock, Rows.One(lease).Text(l => l.Name).Text(l => l.Owner).Long(l => l.Token), r => r.Long(0))).Count == 1;

    public static void InsertJobs(Tx tx, IReadOnlyList<string> names, long nowMs) =>
        tx.Queue(InsertMissing, Rows.Over(names).Text(n => n).Long(_ => nowMs));

    /// <summary>Up to when each job's timetable is served.</summary>
    public static async ValueTask<Dictionary<string, long>> SelectServedAsync(Tx tx) =>
        (await tx.QueryAsync(SelectJobs, Rows.None, r => (r.Text(0), r.Long(1)))).ToDictionary();

    public static ValueTask<List<string>> LockJobAsync(Tx tx, string name) =>
        tx.QueryAsync(LockJob, Rows.One(name).Text(n => n), r => r.Text(0));

    /// <summary>Moves the marks; the names of those that this transaction has moved.</summary>
    public static ValueTask<List<string>> ServeAsync(Tx tx, IReadOnlyList<(string Name, long DueMs)> due) =>
        tx.QueryAsync(Serve, Rows.Over(due).Text(d => d.Name).Long(d => d.DueMs), r => r.Text(0));

    /// <summary>Moves runs that wait to a later moment; the jobs that have one.</summary>
    public static ValueTask<List<string>> MoveWaitingAsync(Tx tx, IReadOnlyList<(string Name, long DueMs)> due) =>
        tx.QueryAsync(MoveWaiting, Rows.Over(due).Text(d => d.Name).Long(d => d.DueMs), r => r.Text(0));

    public static void Insert(Tx tx, IReadOnlyList<JobRun> runs) => tx.Queue(
        InsertRuns, Rows.Over(runs).Id(r => r.Id).Text(r => r.Job).Flag(r => r.IsManual).Long(r => r.DueMs));

    public static ValueTask<List<JobRun>> SelectOpenAsync(Tx tx) => tx.QueryAsync(SelectOpen, Rows.None, MapRun);

    public static ValueTask<List<JobRun>> SelectOpenAsync(Tx tx, string job) =>
        tx.QueryAsync(SelectOpenOfJob, Rows.One(job).Text(j => j), MapRun);

    public static ValueTask<List<JobRun>> SelectLastAsync(Tx tx, IReadOnlyList<string> jobs) =>
        tx.QueryAsync(SelectLast, Rows.Over(jobs).Text(j => j), MapRun);

    public static ValueTask<List<JobRun>> SelectPageAsync(Tx tx, string job, Guid before, int max) =>
        tx.QueryAsync(SelectPage, Rows.One(job).Text(j => j).Id(_ => before).Long(_ => max), MapRun);

    public static void Begin(Tx tx, JobRun run) => tx.Queue(
        BeginRun,
        Rows.One(run).Id(r => r.Id).Long(r => r.Attempts).Long(r => r.Token).Text(r => r.Node).Long(r => r.StartedMs),
        1,
        "a run is begun under a newer lease than before");

    /// <summary>Ends the run, or puts it back; false when another node has begun it since.</summary>
    public static async ValueTask<bool> EndAsync(Tx tx, JobRun run) => (await tx.QueryAsync(
        End,
        Rows.One(run).Id(r => r.Id).Long(r => r.Token).Text(r => Word(r.State)).Long(r => r.Attempts)
            .Long(r => r.EndedMs).Long(r => r.ReadyMs).Text(r => r.Detail),
        r => r.Id(0))).Count == 1;

    public static void Tell(Tx tx, JobRun run, string detail) =>
        tx.Queue(TellProgress, Rows.One(run).Id(r => r.Id).Long(r => r.Token).Text(_ => detail));

    public static async ValueTask<int> DeleteOldAsync(Tx tx, Guid before) =>
        (await tx.QueryAsync(DeleteOld, Rows.One(before).Id(b => b), r => r.Id(0))).Count;

    /// <summary>The word for a state, in rows and answers.</summary>
    public static string Word(JobRunState state) => state switch
    {
        JobRunState.Waiting => "WAITING",
        JobRunState.Running => "RUNNING",
        JobRunState.Done => "DONE",
        _ => "FAILED",
    };

    private static JobRun MapRun(Row r) => new(r.Id(0), r.Text(1), r.Flag(2), r.Long(3))
    {
        State = r.Text(4) switch
        {
            "WAITING" => JobRunState.Waiting,
            "RUNNING" => JobRunState.Running,
            "DONE" => JobRunState.Done,
            _ => JobRunState.Failed,
        },
        Attempts = (int)r.Long(5),
        Token = r.Long(6),
        Node = r.TextOrNull(7),
        StartedMs = r.Long(8),
        EndedMs = r.Long(9),
        ReadyMs = r.Long(10),
        Detail = r.Text(11),
    };
}
