using Floodgate.Storage.Database;
using Floodgate.Vocabulary;
using StackExchange.Redis;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>A process that serves this database, as it is stored.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role">What it does.</param>
/// <param name="Redis">The mark of the Redis that it uses; empty without one, <c>?</c> when not known yet.</param>
/// <param name="IsDeaf">True while it does not hear the others.</param>
/// <param name="Log">What carries its log: <c>table</c> or <c>kafka</c>.</param>
internal sealed record Node(string Name, string Role, string Redis, bool IsDeaf, string Log);

/// <summary>
/// Who serves this database. Each node writes a row every few seconds, by the database's clock; so nodes that cannot
/// work together are refused at their start, and a clock that is off is noticed.
/// </summary>
public sealed class NodeBook : BackgroundService
{
    /// <summary>Who was not heard of for so long is gone, in milliseconds.</summary>
    internal const int GoneAfterMs = 15_000;

    private const string Unknown = "?";

    private const string Mark = """
        redis.call('set', KEYS[1], ARGV[1], 'nx')
        return redis.call('get', KEYS[1])
        """;

    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(GoneAfterMs + 2_000);

    private readonly Database.Database database;
    private readonly CoordinationSettings settings;
    private readonly Redis? redis;
    private readonly NodeClock clock;
    private readonly TimeProvider time;
    private readonly Ids ids;
    private readonly CoordinationLog log;
    private readonly string role;
    private readonly string carrier;
    private string mark;
    private volatile bool isSomebodyDeaf;
    private bool wasOff;

    internal NodeBook(
        Database.Database database,
        CoordinationSettings settings,
        Redis? redis,
        NodeClock clock,
        CoordinationLog log,
        (string Name, string Role, string Log, TimeProvider Time, Ids Ids) self)
    {
        (this.database, this.settings, this.redis, this.clock, this.log) = (database, settings, redis, clock, log);
        (Name, role, carrier, time, ids) = self;
        mark = redis is null ? "" : Unknown;
    }

    /// <summary>The name of this node.</summary>
    public string Name { get; }

    /// <summary>True while some node of this database, this one too, does not hear the others.</summary>
    public bool IsSomebodyDeaf => isSomebodyDeaf || redis is { IsAway: true };

    /// <summary>What is wrong with this node's clock, as a sentence; null when nothing is.</summary>
    public string? ClockFault => Math.Abs(clock.OffsetMs) <= settings.ClockSkewMsMax
        ? null
        : $"differs from the database's by {Math.Abs(clock.OffsetMs)} ms (Coordination:ClockSkewMsMax is " +
            $"{settings.ClockSkewMsMax}); set it by NTP.";

    /// <summary>Why Redis cannot be used, as a sentence; null when it can, or there is none.</summary>
    public string? RedisFault => redis is { IsAway: true } ? $"is away: {redis.Reason}." : null;

    /// <summary>
    /// Joins the nodes of this database: opens Redis, and checks that all can work together. Null, or what is in the
    /// way, as a sentence that names the setting. After the migrations, before anything else.
    /// </summary>
    internal async ValueTask<string?> JoinAsync(CancellationToken cancel)
    {
        var (code, cluster) = await database.WriteAsync(
            tx => NodeSql.KeepInstallationAsync(tx, ids.NextSecret().ToString("N"), settings.Cluster), cancel);
        if (cluster != settings.Cluster)
        {
            return $"Coordination:Cluster is {settings.Cluster}, but the database belongs to {cluster}. Two " +
                "installations may not share one: correct Database:ConnectionString, or the name.";
        }

        if (redis is not null)
        {
            await redis.StartAsync(code);
        }

        if (database.Dialect != Dialect.PostgreSql)
        {
            return null; // One process at a time: nobody to agree with.
        }

        var startedAt = time.GetTimestamp();
        while (true)
        {
            var conflict = ConflictWith(await BeatAsync(cancel));
            if (conflict is null || time.GetElapsedTime(startedAt) > Patience)
            {
                return conflict;
            }

            // It may be gone: whoever was killed is remembered for a while.
            await Task.Delay(AskEvery, time, cancel);
        }
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await database.WriteAsync(tx => NodeSql.LeaveAsync(tx, Name), cancellationToken);
        }
        catch (Exception error) when (error is DatabaseUnavailableException or OperationCanceledException)
        {
            // The others notice by the clock.
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(BeatEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await BeatAsync(stoppingToken);
                }
                catch (DatabaseUnavailableException error)
                {
                    log.DatabaseAway("node", error.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }
    }

    /// <summary>Says that this node lives, compares the clocks, and answers who else lives.</summary>
    private async ValueTask<List<Node>> BeatAsync(CancellationToken cancel)
    {
        if (redis is not null && await redis.RunAsync(Mark, ["mark"], [ids.NextSecret().ToString("N")]) is { } kept)
        {
            mark = (string)kept!;
        }

        var self = new Node(Name, role, mark, redis is { IsAway: true }, carrier);
        var beforeMs = UtcInstant.Now(time).Ms;
        var databaseMs = await database.WriteAsync(tx => NodeSql.BeatAsync(tx, self), cancel);
        clock.Note(databaseMs, beforeMs, UtcInstant.Now(time).Ms);
        var isOff = ClockFault is not null;
        if (isOff && !wasOff)
        {
            log.ClockIsOff(clock.OffsetMs);
        }

        wasOff = isOff;
        var others = (await database.ReadAsync(NodeSql.LiveAsync, cancel)).Where(node => node.Name != Name).ToList();
        isSomebodyDeaf = others.Any(node => node.IsDeaf);
        return others;
    }

    private string? ConflictWith(List<Node> others)
    {
        if (others.Find(node => node.Redis.Length > 0 != (redis is not null)) is { } different)
        {
            return redis is null
                ? $"Coordination:Redis is empty, but the node {different.Name} of this database uses one. Set it to " +
                    "the same Redis on every node, or stop the others first."
                : $"Coordination:Redis is set, but the node {different.Name} of this database uses none. Set it on " +
                    "every node, or stop the others first.";
        }

        if (others.Find(node => node.Log != carrier) is { } alone)
        {
            // Two readers of one partition, of which neither knows of the other.
            return carrier == "table"
                ? $"Log:Kafka:BootstrapServers is empty, but the node {alone.Name} of this database uses Kafka. Set " +
                    "it to the same brokers on every node, or stop the others first."
                : $"Log:Kafka:BootstrapServers is set, but the node {alone.Name} of this database uses none. Set it " +
                    "on every node, or stop the others first.";
        }

        return mark != Unknown
            && others.Find(node => node.Redis is not ("" or Unknown) && node.Redis != mark) is { } elsewhere
            ? $"Coordination:Redis names another Redis than the node {elsewhere.Name} of this database uses. Set it " +
                "to the same Redis on every node."
            : null;
    }
}

/// <summary>Every statement about installations and nodes.</summary>
internal static class NodeSql
{
    public static readonly Migration[] Migrations =
    [
        new("coordination-002", """
            create table installation (
                id bigint primary key check (id = 1),
                code text not null,
                cluster text not null
            );
            create table node (
                name text primary key,
                role text not null,
                redis text not null,
                is_deaf bigint not null,
                seen_ms bigint not null
            ) {clustered}
            """),
        new("coordination-003", "alter table node add column log text not null default 'table'"),
    ];

    private const int KeptMs = 3_600_000;

    private static readonly Statement InsertInstallation = new(
        """
        insert into installation (id, code, cluster) select rows.id, rows.code, rows.cluster from {rows} where true
        on conflict (id) do nothing
        """,
        Column.Long("id"), Column.Text("code"), Column.Text("cluster"));

    private static readonly Statement SelectInstallation = new(
        "select i.code, i.cluster from installation i where i.id = 1");

    private static readonly Statement UpsertNode = new(
        """
        insert into node (name, role, redis, is_deaf, log, seen_ms)
        select rows.name, rows.role, rows.redis, rows.is_deaf, rows.log, {now ms} from {rows} where true
        on conflict (name) do update set redis = excluded.redis, is_deaf = excluded.is_deaf, seen_ms = excluded.seen_ms
        returning seen_ms
        """,
        Column.Text("name"), Column.Text("role"), Column.Text("redis"), Column.Long("is_deaf"), Column.Text("log"));

    private static readonly Statement SelectLive = new(
        $$"""
        select n.name, n.role, n.redis, n.is_deaf, n.log from node n
        where n.seen_ms > {now ms} - {{NodeBook.GoneAfterMs}} order by n.name
        """);

    private static readonly Statement DeleteNode = new(
        $$"""
        delete from node where name = (select rows.name from {rows}) or seen_ms < {now ms} - {{KeptMs}}
        returning 1
        """,
        Column.Text("name"));

    /// <summary>Keeps code and cluster unless there are some; those that there are.</summary>
    public static async ValueTask<(string Code, string Cluster)> KeepInstallationAsync(
        Tx tx, string code, string cluster)
    {
        tx.Queue(InsertInstallation, Rows.One(code).Long(_ => 1).Text(c => c).Text(_ => cluster));
        return (await tx.QueryAsync(SelectInstallation, Rows.None, r => (r.Text(0), r.Text(1)))).Single();
    }

    /// <summary>Writes the node; when that was, by the database's clock.</summary>
    public static async ValueTask<long> BeatAsync(Tx tx, Node node) => (await tx.QueryAsync(
        UpsertNode,
        Rows.One(node).Text(n => n.Name).Text(n => n.Role).Text(n => n.Redis).Flag(n => n.IsDeaf).Text(n => n.Log),
        r => r.Long(0))).Single();

    public static ValueTask<List<Node>> LiveAsync(Tx tx) => tx.QueryAsync(
        SelectLive, Rows.None, r => new Node(r.Text(0), r.Text(1), r.Text(2), r.Flag(3), r.Text(4)));

    /// <summary>Removes the node, and those that were gone an hour ago.</summary>
    public static async ValueTask<int> LeaveAsync(Tx tx, string name) =>
        (await tx.QueryAsync(DeleteNode, Rows.One(name).Text(n => n), _ => 0)).Count;
}
