using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: one SQL text does the same on both. Method: each form of statement the product uses.</summary>
public abstract class StatementsContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly List<Thing> Ten = Thing.Numbers(1, 10);

    // Goal: an empty batch costs and changes nothing. Method: each operation with no rows.
    [Fact]
    public async Task Zero_rows_do_nothing()
    {
        await Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf());
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(), 0, "nothing is inserted");
            Assert.Empty(await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(), r => r.Long(1)));
            await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf());
            return 0;
        });
        Assert.Equal(0, await CountAsync());

        await Assert.ThrowsAsync<InvariantViolatedException>(() => WriteAsync(
            tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(), 1, "one is inserted")).AsTask());
    }

    // Goal: a full batch is one statement. Method: ten thousand rows in, changed, and out again.
    [Fact]
    public async Task Ten_thousand_rows_go_through_one_statement()
    {
        var many = Thing.Numbers(0, 10_000);
        await WriteAsync(tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(many), many.Count, "every thing is inserted");
            tx.Queue(ThingSql.Add, ThingSql.Added(5, many), many.Count, "every thing is there");
        });

        var read = await Db.ReadAsync(tx => tx.QueryAsync(
            ThingSql.SelectById, ThingSql.Ids(many), r => (Id: r.Id(0), Amount: r.Long(1))));

        Assert.Equal(many.Select(t => (t.Id, t.Amount + 5)), read.OrderBy(t => t.Amount));
    }

    // Goal: results belong to their own statement. Method: queries between queued statements that have results too.
    [Fact]
    public async Task A_query_gets_its_own_result_and_sees_what_was_queued_before_it()
    {
        var (first, second) = await Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.InsertReturning, ThingSql.RowsOf(Ten));
            tx.Queue(ThingSql.Lock, ThingSql.Ids(Ten));
            tx.Queue(ThingSql.Add, ThingSql.Added(100, Ten));
            tx.Queue(ThingSql.WithClause, ThingSql.Added(1, Ten));
            var first = await tx.QueryAsync(ThingSql.WithClause, ThingSql.Added(1, Ten[0]), r => r.Long(0));
            tx.Queue(ThingSql.Add, ThingSql.Added(1_000, Ten[0]));
            var second = await tx.QueryAsync(ThingSql.Lock, ThingSql.Ids(Ten[0]), r => r.Long(0));
            tx.Queue(ThingSql.AddReturning, ThingSql.Added(10_000, Ten[0]));
            return (first, second);
        });

        Assert.Equal([103], first);
        Assert.Equal([1_101], second);
        Assert.Equal(11_101, (await ThingsAsync())[0].Amount);
    }

    // Goal: returning, upsert, update from rows and delete mean the same. Method: one after the other, by result.
    [Fact]
    public async Task Changes_answer_with_the_rows_they_made()
    {
        await Db.WriteAsync(async tx =>
        {
            var inserted = await tx.QueryAsync(
                ThingSql.InsertReturning, ThingSql.RowsOf(Ten), r => (r.Id(0), r.Long(1)));
            Assert.Equal(Ten.Select(t => (t.Id, t.Amount)), inserted.Order());

            var upserted = await tx.QueryAsync(
                ThingSql.Upsert, ThingSql.RowsOf(Thing.Number(1), Thing.Number(11)), r => r.Long(0));
            Assert.Equal([2, 11], upserted.Order());

            Thing[] someMissing = [Thing.Number(2), Thing.Number(99)];
            var updated = await tx.QueryAsync(ThingSql.AddReturning, ThingSql.Added(5, someMissing), r => r.Long(0));
            Assert.Equal([7], updated);

            var deleted = await tx.QueryAsync(ThingSql.Delete, ThingSql.Ids(Ten), r => r.Long(0));
            Assert.Equal(10, deleted.Count);
            return 0;
        });
        Assert.Equal([Thing.Number(11).Id], (await ThingsAsync()).Select(t => t.Id));
    }

    // Goal: bulk loads are whole or nothing. Method: 100,000 rows, then the same with one key twice.
    [Fact]
    public async Task A_bulk_copy_loads_everything_or_nothing()
    {
        var many = Thing.Numbers(1, 100_000);
        var failure = await Assert.ThrowsAsync<StatementFailedException>(() => CopyAsync([.. many, many[500]]));
        Assert.Contains(ThingSql.Table, failure.Message);
        Assert.Equal(0, await CountAsync());

        await CopyAsync(many);
        Assert.Equal((100_000, 5_000_050_000), await Db.ReadAsync(async tx => (
            await ThingSql.CountAsync(tx),
            (await tx.QueryAsync(ThingSql.Sums, Rows.None, r => r.Long(0)))[0])));
    }

    // Goal: a bulk copy keeps its place in the order. Method: something queued before, a query after.
    [Fact]
    public async Task A_bulk_copy_runs_after_what_was_queued_before_it()
    {
        await Db.WriteAsync(async tx =>
        {
            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Ten));
            tx.Queue(ThingSql.Delete, ThingSql.Ids(Ten));
            await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf(Ten));
            tx.Queue(ThingSql.Add, ThingSql.Added(1, Ten), Ten.Count, "the copied rows are there");
            Assert.Equal(10, await ThingSql.CountAsync(tx));
            return 0;
        });
        Assert.Equal(Ten.Select(t => t.Amount + 1), (await ThingsAsync()).Select(t => t.Amount));
    }

    // Goal: what the database refuses is told alike. Method: a duplicate key, a check, a wrong text.
    [Fact]
    public async Task A_refused_statement_is_named_without_its_values()
    {
        var secret = Thing.Number(1) with { Name = "a secret" };
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(secret)));

        var duplicate = await FailureAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(secret)));
        Assert.Contains("insert into thing", duplicate.Message);
        Assert.DoesNotContain("a secret", duplicate.Message);
        Assert.DoesNotContain(secret.Id.ToString(), duplicate.Message);

        var check = await FailureAsync(tx => tx.Queue(ThingSql.SetCounter, ThingSql.CounterRows((1, -1))));
        Assert.Contains("insert into counter", check.Message);

        var wrong = await FailureAsync(tx => tx.Queue(new Statement("delete from no_such_table"), Rows.None));
        Assert.Contains("no_such_table", wrong.Message);
    }

    // Goal: a read is a read. Method: every way to write, in both kinds of read.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_refuses_to_write(bool isSnapshot)
    {
        Func<Tx, ValueTask<int>>[] writes =
        [
            tx =>
            {
                tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Ten));
                return ValueTask.FromResult(0);
            },
            async tx => (await tx.QueryAsync(ThingSql.InsertReturning, ThingSql.RowsOf(Ten), r => 0)).Count,
            async tx =>
            {
                await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf(Ten));
                return 0;
            },
        ];
        foreach (var write in writes)
        {
            await Assert.ThrowsAsync<InvariantViolatedException>(
                () => (isSnapshot ? Db.ReadSnapshotAsync(write) : Db.ReadAsync(write)).AsTask());
        }

        Assert.Equal(0, await CountAsync());
    }

    // Goal: "with" can hide a write on PostgreSQL, and no read takes it for a select. Method: look at the texts.
    [Theory]
    [InlineData("select 1", false, true)]
    [InlineData("\n  SELECT 1 {for update}", false, true)]
    [InlineData("with a as (select 1) select 1 from a {for update}", false, true)]
    [InlineData("with a as (delete from thing returning id) select 1 from a", true, true)]
    [InlineData("update thing set amount = 1", true, false)]
    [InlineData("Update thing set amount = 1 Returning amount", true, true)]
    [InlineData("drop table thing", true, false)]
    public void A_statement_knows_whether_it_writes_and_answers(string sql, bool writes, bool returnsRows)
    {
        var statement = new Statement(sql);

        Assert.Equal((writes, returnsRows), (statement.Writes, statement.ReturnsRows));
    }

    private async Task<StatementFailedException> FailureAsync(Action<Tx> work) =>
        await Assert.ThrowsAsync<StatementFailedException>(() => WriteAsync(work).AsTask());

    private Task<int> CopyAsync(IReadOnlyList<Thing> things) => Db.WriteAsync(async tx =>
    {
        await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf(things));
        return 0;
    }).AsTask();
}

/// <summary>The contract on SQLite.</summary>
public sealed class Statements_on_SQLite() : StatementsContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Statements_on_PostgreSQL(PostgreSqlServer server) : StatementsContract(server);
