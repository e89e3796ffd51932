using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: a fetch costs what it returns, however many events are stored or left. Method: ask each database how it reads
/// the table, not the clock; the obvious join, asked the same, shows that the answer can be "all of it".
/// </summary>
public sealed class When_the_log_is_large(PostgreSqlServer server)
{
    private const string Fill = """
        insert into log_event (partition_id, at_offset, key, type, payload, at_ms)
        select 1000 + p, n, 'k', 't', repeat('x', 200), 0 from generate_series(0, 9) p, generate_series(0, 9999) n;
        analyze log_event
        """;

    private static readonly Column[] Ranges =
        [Column.Long("partition_id"), Column.Long("from_offset"), Column.Long("events_max")];

    private static readonly Statement Join = new(
        """
        select e.partition_id, e.at_offset, e.key, e.type, e.payload
        from {rows} join log_event e on e.partition_id = rows.partition_id
            and e.at_offset >= rows.from_offset and e.at_offset < rows.from_offset + rows.events_max
        order by e.partition_id, e.at_offset
        """,
        Ranges);

    // What no index can answer.
    private static readonly Statement Walk = new(
        """
        select e.partition_id, e.at_offset, e.key, e.type, e.payload
        from {rows} join log_event e on e.partition_id + 0 = rows.partition_id
            and e.at_offset >= rows.from_offset and e.at_offset < rows.from_offset + rows.events_max
        """,
        Ranges);

    private static readonly Statement Lookup = new(
        """
        select e.key from {rows} join log_event e
            on e.partition_id = rows.partition_id and e.at_offset = rows.from_offset
        """,
        Ranges);

    private static readonly Statement CountScans = new(
        "select seq_scan from pg_stat_xact_user_tables where relname = 'log_event'");

    private static readonly Statement CountTouched = new(
        "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'log_event'");

    // Goal: no scan of the table on PostgreSQL, planned anew or once for all. Method: its own count of scans in the
    // transaction, after enough runs for both kinds of plan.
    [Fact]
    public async Task PostgreSql_reads_ranges_of_the_primary_key()
    {
        var stage = new PostgreSqlStage(server);
        await stage.InitializeAsync();
        await stage.Database.MigrateAsync([new Migration("test-002", Fill)], CancellationToken.None);

        Assert.Equal(0, await ScansAsync(LogSql.SelectEvents));
        Assert.NotEqual(0, await ScansAsync(Walk));
        await stage.DisposeAsync();

        ValueTask<long> ScansAsync(Statement statement) => stage.Database.ReadSnapshotAsync(
            async tx =>
            {
                var before = await CountAsync(tx); // Of this connection, earlier transactions included.
                for (var i = 0; i < 12; i++)
                {
                    var ranges = Rows.Over(Enumerable.Range(1_000, 10).ToList()).Long(p => p).Long(_ => 9_000)
                        .Long(_ => 100);
                    Assert.Equal(1_000, (await tx.QueryAsync(statement, ranges, r => r.Long(1))).Count);
                }

                return await CountAsync(tx) - before;
            },
            default);

        static async ValueTask<long> CountAsync(Tx tx) =>
            (await tx.QueryAsync(CountScans, Rows.None, r => r.Long(0)))[0];
    }

    // Goal: a large batch costs its rows, not the table. Method: PostgreSQL's own count of the rows it touched, for a
    // batch so large that a plan made for it would merge it with the whole index.
    [Fact]
    public async Task PostgreSql_looks_up_each_row_of_a_large_batch()
    {
        const int Asked = 8_000;
        const int Runs = 3;
        var stage = new PostgreSqlStage(server);
        await stage.InitializeAsync();
        await stage.Database.MigrateAsync([new Migration("test-002", Fill)], CancellationToken.None);

        var touched = await stage.Database.ReadSnapshotAsync(
            async tx =>
            {
                var before = await TouchedAsync(tx);
                for (var i = 0; i < Runs; i++)
                {
                    var rows = Rows.Over(Enumerable.Range(0, Asked).ToList())
                        .Long(n => 1_000 + (n % 10)).Long(n => n).Long(_ => 1);
                    Assert.Equal(Asked, (await tx.QueryAsync(Lookup, rows, r => r.Text(0))).Count);
                }

                return await TouchedAsync(tx) - before;
            },
            default);

        Assert.Equal(Asked * Runs, touched);
        await stage.DisposeAsync();

        static async ValueTask<long> TouchedAsync(Tx tx) =>
            (await tx.QueryAsync(CountTouched, Rows.None, r => r.Long(0)))[0];
    }

    // Goal: no sort of what is left of a partition on SQLite. Method: its plan; it reads in the order of the key.
    [Fact]
    public async Task Sqlite_reads_a_range_of_the_primary_key_in_its_order()
    {
        var stage = new SqliteStage();
        await stage.InitializeAsync();

        Assert.Contains(await PlanAsync(LogSql.SelectEvents), IsSearch);
        Assert.DoesNotContain(await PlanAsync(LogSql.SelectEvents), IsSort);
        Assert.Contains(await PlanAsync(Join), IsSort);
        await stage.DisposeAsync();

        ValueTask<List<string>> PlanAsync(Statement statement)
        {
            var explain = new Statement("explain", "explain query plan " + statement.Sqlite, Ranges);
            var range = Rows.One(1_000).Long(p => p).Long(_ => 0).Long(_ => 100);
            return stage.Database.ReadAsync(tx => tx.QueryAsync(explain, range, r => r.Text(3)), default);
        }

        static bool IsSearch(string step) => step.Contains("SEARCH", StringComparison.Ordinal)
            && step.Contains("PRIMARY KEY (partition_id=? AND at_offset>?)", StringComparison.Ordinal);

        static bool IsSort(string step) => step.Contains("ORDER BY", StringComparison.Ordinal);
    }
}
