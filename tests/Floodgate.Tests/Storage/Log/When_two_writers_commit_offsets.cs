using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;
using static Floodgate.Tests.Storage.Log.LogStage;

namespace Floodgate.Tests.Storage.Log;

/// <summary>
/// Goal: two group-commit writers, each with a part of every partition's events, commit effects and offsets at the
/// same time; at no moment is a committed offset above an event without effect, and nobody deadlocks. Method: a
/// real consumer on PostgreSQL whose handlers submit to a group commit; meanwhile an auditor compares the tables
/// in snapshots. A group commit that marks its events finished before their commit shows that the audit can fail.
/// </summary>
public sealed class When_two_writers_commit_offsets(PostgreSqlServer server) : IAsyncLifetime
{
    private const int Events = 3_000;

    // Events below the group's offset that have no effect.
    private static readonly Statement CountLost = new(
        """
        select count(*) from log_event e
        join log_group_offset o on o.partition_id = e.partition_id and e.at_offset < o.next_offset
        where not exists (select 1 from effect f where f.key = e.key and f.n = e.payload::bigint)
        """);

    private static readonly Statement CountDeadlocks = new(
        "select deadlocks from pg_stat_database where datname = current_database()");

    private readonly PostgreSqlStage stage = new(server);

    public ValueTask InitializeAsync() => stage.InitializeAsync();

    public ValueTask DisposeAsync() => stage.DisposeAsync();

    // Goal: the promise. Method: as above; at the end all effects are there once and the lag is 0.
    [Fact]
    public async Task No_snapshot_ever_shows_an_offset_above_an_event_without_effect()
    {
        var (lost, overlaps) = await ConsumeAsync(commitTooEarly: false);

        Assert.Equal(0, lost);
        Assert.True(overlaps > 0, "two writers were in their transactions at the same time");
        Assert.Equal(0, await AskAsync(CountDeadlocks));
        Assert.Equal(Events, (await stage.EffectsAsync()).Count);
        Assert.Equal(0, await ConsumerRun.LagAsync(stage));
    }

    // Goal: the audit is one. Method: the mistake "offset before effect", on purpose.
    [Fact]
    public async Task The_audit_notices_offsets_that_are_committed_before_their_effects()
    {
        var (lost, _) = await ConsumeAsync(commitTooEarly: true);

        Assert.NotEqual(0, lost);
    }

    private async Task<(long Lost, int Overlaps)> ConsumeAsync(bool commitTooEarly)
    {
        await stage.AppendAsync([.. Enumerable.Range(0, Events).Select(n => Numbered($"k{n % 700}", n))]);
        var lost = 0L;
        var inside = 0;
        var overlaps = 0;
        var done = new Tally<LoggedEvent>();
        Offsets? offsets = null;
        await using var writers = new GroupCommit<LoggedEvent, bool>(
            stage.Database,
            async (tx, batch) =>
            {
                if (Interlocked.Increment(ref inside) > 1)
                {
                    Interlocked.Increment(ref overlaps);
                }

                if (commitTooEarly)
                {
                    await stage.WriteAsync(other =>
                    {
                        offsets!.CommitWith(other, batch);
                        return ValueTask.FromResult(true);
                    });
                    Interlocked.Add(ref lost, await AskAsync(CountLost));
                }

                AddEffect(tx, batch);
                await tx.QueryAsync(CountDeadlocks, Rows.None, r => r.Long(0)); // Sends it: the writers overlap.
                offsets!.CommitWith(tx, batch);
                Interlocked.Decrement(ref inside);
                return [.. batch.Select(_ => true)];
            },
            new GroupCommitLimits("test", 10_000, 64, 2, 60_000),
            TimeProvider.System);
        await using var run = ConsumerRun.Start(stage, async (r, e, cancel) =>
        {
            offsets = r.Offsets;
            await writers.SubmitAsync(e, cancel);
            done.Add(e);
        });

        var all = done.ReachesAsync(Events);
        while (!all.IsCompleted)
        {
            Interlocked.Add(ref lost, await AskAsync(CountLost));
        }

        await all;
        await run.StopAsync();
        return (lost + await AskAsync(CountLost), overlaps);
    }

    private ValueTask<long> AskAsync(Statement question) => stage.Database.ReadSnapshotAsync(
        async tx => (await tx.QueryAsync(question, Rows.None, r => r.Long(0)))[0], default);
}
