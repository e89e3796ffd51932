using System.Globalization;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// A real database with an event log, an effect table and a clock that stands still. The contract suites
/// run on it; a third implementation of the log is one more subclass.
/// </summary>
public abstract class LogStage : IAsyncLifetime
{
    public static readonly Topic Payments = new(1, "payments", 4, 7);
    public static readonly Topic Results = new(2, "results", 2, 7);

    /// <summary>What a hang becomes; nothing is asserted about time.</summary>

    private static readonly Statement InsertEffect = new(
        "insert into effect (key, n) select rows.key, rows.n from {rows} where true",
        Column.Text("key"), Column.Long("n"));

    private static readonly Statement InsertEffectOnce = new(
        "insert into effect (key, n) select rows.key, rows.n from {rows} where true on conflict (key, n) do nothing",
        Column.Text("key"), Column.Long("n"));

    private static readonly Statement SelectEffects = new("select e.key, e.n from effect e order by e.key, e.n");

    private static readonly Statement CountUp = new("update commits set n = n + 1 returning n");

    public FakeClock Clock { get; } = new();

    /// <summary>No linger, because the clock stands still; the longest poll, so that wake-ups do the work.</summary>
    public LogSettings Settings { get; protected set; } = new(
        InFlightMax: 10_000, FetchMax: 1_000, FetchLingerMs: 0, PollMs: 1_000, AttemptsMax: 3,
        RetryDelayMsFirst: 200, RetryDelayMsMax: 30_000, StopWithinMs: 7_000);

    /// <summary>The database, with a switch that takes it away.</summary>
    public SwitchedDatabase Database { get; private set; } = null!;

    public IEventLog Log { get; private set; } = null!;

    public DeadLetters DeadLetters { get; private set; } = null!;

    public Ids Ids => new(Clock);

    public ConsumerTools Tools => new(Clock, Ids, () => 0, new LogLog(NullLogger<LogLog>.Instance));

    public async ValueTask InitializeAsync()
    {
        Database = new SwitchedDatabase(await OpenDatabaseAsync());
        await Database.MigrateAsync(
            [
                .. CoordinationModule.Migrations,
                .. LogModule.Migrations,
                new Migration("test-001", """
                    create table effect (key text not null, n bigint not null, primary key (key, n));
                    create table commits (n bigint not null);
                    insert into commits (n) values (0)
                    """),
            ],
            CancellationToken.None);
        Log = await OpenLogAsync();
        DeadLetters = new DeadLetters(Database, Log, [Payments, Results], Clock);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>The log as one more process would open it, its topics created.</summary>
    public abstract Task<IEventLog> OpenLogAsync();

    /// <summary>How many events processes that die carry: fewer where each new one takes seconds to begin.</summary>
    public virtual int EventsOfCrashes => 300;

    public ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work) => Database.WriteAsync(work);

    /// <summary>Completes when what was appended can be fetched at once: where the log is the table, always.</summary>
    public virtual Task ArrivedAsync(ILogReader reader) => Task.CompletedTask;

    /// <summary>Appends in a transaction of its own.</summary>
    public Task AppendAsync(params NewEvent[] events) => AppendAsync(Log, events);

    /// <summary>Appends through the given log in a transaction of its own.</summary>
    public async Task AppendAsync(IEventLog log, params NewEvent[] events) => await WriteAsync(async tx =>
    {
        await log.AppendAsync(tx, events);
        return true;
    });

    /// <summary>An event whose payload is a number.</summary>
    public static NewEvent Numbered(string key, long n, Topic? topic = null) =>
        new(topic ?? Payments, key, "numbered/1", n.ToString(CultureInfo.InvariantCulture));

    /// <summary>A key whose events are in the given partition.</summary>
    public static string KeyIn(int partition, Topic? topic = null) => Enumerable.Range(0, 10_000)
        .Select(i => $"key-{i}").First(k => (topic ?? Payments).PartitionOf(k) == partition);

    /// <summary>Commits offsets in a transaction of their own.</summary>
    public async Task CommitAsync(ILogReader reader, params GroupOffset[] offsets) => await WriteAsync(tx =>
    {
        reader.CommitOffsets(tx, offsets);
        return ValueTask.FromResult(true);
    });

    public Task<long> LagAsync(ILogReader reader) => Database.ReadAsync(reader.LagAsync, default).AsTask();

    public Task<ILogReader> SubscribeAsync(string group, params Topic[] topics) =>
        Log.SubscribeAsync(group, topics, CancellationToken.None).AsTask();

    /// <summary>Fetches until so many events came.</summary>
    public static async Task<List<LoggedEvent>> FetchAsync(ILogReader reader, int count, int max = 1_000)
    {
        using var hang = new CancellationTokenSource(Eventually.Deadline);
        var events = new List<LoggedEvent>();
        while (events.Count < count)
        {
            var fetched = await reader.FetchAsync(max, hang.Token);
            Assert.InRange(fetched.Count, 1, max);
            events.AddRange(fetched);
        }

        Assert.Equal(count, events.Count);
        return events;
    }

    /// <summary>The next number in the order of commits: the counter's row stays locked until the commit.</summary>
    public static async ValueTask<long> NextInCommitOrderAsync(Tx tx) =>
        (await tx.QueryAsync(CountUp, Rows.None, r => r.Long(0)))[0];

    /// <summary>Writes the effect of an event; a second one fails the transaction.</summary>
    public static void AddEffect(Tx tx, params IEnumerable<LoggedEvent> events) => tx.Queue(InsertEffect, Of(events));

    /// <summary>Writes the effect of an event unless it is there.</summary>
    public static void AddEffectOnce(Tx tx, params IEnumerable<LoggedEvent> events) =>
        tx.Queue(InsertEffectOnce, Of(events));

    public async Task<List<(string Key, long N)>> EffectsAsync() => await Database.ReadAsync(
        tx => tx.QueryAsync(SelectEffects, Rows.None, r => (r.Text(0), r.Long(1))), default);

    protected abstract Task<Database> OpenDatabaseAsync();

    private static Rows Of(IEnumerable<LoggedEvent> events) =>
        Rows.Over(events.ToList()).Text(e => e.Key).Long(e => long.Parse(e.Payload, CultureInfo.InvariantCulture));
}

/// <summary>The embedded log, on either database.</summary>
public abstract class EmbeddedStage : LogStage
{
    public override async Task<IEventLog> OpenLogAsync()
    {
        var log = new EmbeddedLog(Database, Settings, Clock);
        await log.CreateTopicsAsync([Payments, Results], CancellationToken.None);
        return log;
    }
}

/// <summary>The embedded log on SQLite in a temporary folder.</summary>
public sealed class SqliteStage : EmbeddedStage
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("floodgate-log-");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        folder.Delete(recursive: true);
    }

    protected override Task<Database> OpenDatabaseAsync() =>
        Task.FromResult(Floodgate.Storage.Database.Database.Open(new DatabaseSettings("", folder.FullName)));
}

/// <summary>The embedded log on a real PostgreSQL.</summary>
public sealed class PostgreSqlStage(PostgreSqlServer server) : EmbeddedStage
{
    protected override async Task<Database> OpenDatabaseAsync() =>
        Floodgate.Storage.Database.Database.Open(new DatabaseSettings(await server.CreateDatabaseAsync(), ""));
}

/// <summary>A hang is a failed test with a stack, not a run that never ends.</summary>
public static class Hang
{
    public static Task Soon(this Task task) => task.WaitAsync(Eventually.Deadline);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Eventually.Deadline);
}

/// <summary>A database with a switch: while it is off, every call is answered as by an unreachable server.</summary>
public sealed class SwitchedDatabase(Database inner) : Database
{
    private readonly Lock gate = new();
    private TaskCompletionSource? refused;
    private int left;

    /// <summary>True while every call is refused.</summary>
    public bool IsAway { get; set; }

    public override Dialect Dialect => inner.Dialect;

    public override int WritersMax => inner.WritersMax;

    public override int OpenConnections => inner.OpenConnections;

    /// <summary>Completes when so many more calls were refused.</summary>
    public Task RefusedAsync(int calls)
    {
        lock (gate)
        {
            left = calls;
            refused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return refused.Task;
        }
    }

    public override ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default)
    {
        Refuse();
        return inner.WriteAsync(work, cancel);
    }

    public override ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default)
    {
        Refuse();
        return inner.ReadAsync(work, cancel);
    }

    public override ValueTask<T> ReadSnapshotAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default)
    {
        Refuse();
        return inner.ReadSnapshotAsync(work, cancel);
    }

    public override ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel) =>
        inner.MigrateAsync(migrations, cancel);

    public override ValueTask<bool> TryOwnLogAsync(CancellationToken cancel) => inner.TryOwnLogAsync(cancel);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private void Refuse()
    {
        if (!IsAway)
        {
            return;
        }

        lock (gate)
        {
            if (--left == 0)
            {
                refused?.TrySetResult();
            }
        }

        throw new DatabaseUnavailableException("The test has taken the database away.");
    }
}
