using System.Text;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage;

/// <summary>Goal: a value means the same in both databases. Method: round trips of the awkward ones.</summary>
public abstract class ValuesContract(PostgreSqlServer? server) : DatabaseContract(server)
{
    private static readonly Guid AllOnes = new("ffffffff-ffff-ffff-ffff-ffffffffffff");

    // Goal: what was written is what is read. Method: the edges of each type, by insert and by bulk copy.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_value_comes_back_as_it_was(bool byCopy)
    {
        Thing[] things =
        [
            new(Guid.Empty, null, long.MinValue, []),
            Thing.Number(1) with { Name = "", Amount = long.MaxValue, Body = [0] },
            Thing.Number(2) with { Name = "한국어 Ωμέγα 👍 \U0010FFFF", Amount = 0, Body = [0, 0, 255] },
            Thing.Number(3) with { Name = "' \" \\ \r\n\t $1 ?1 {rows}", Amount = -1, Body = AllBytes() },
            Thing.Number(4) with { Name = new string('가', 100_000), Amount = 1, Body = new byte[1_000_000] },
            new(AllOnes, "\u0001\u007f\ufffd\uffff", 1L << 53, [1]),
        ];

        await Db.WriteAsync(async tx =>
        {
            if (byCopy)
            {
                await tx.CopyAsync(ThingSql.Table, ThingSql.Columns, ThingSql.RowsOf(things));
                return 0;
            }

            tx.Queue(ThingSql.Insert, ThingSql.RowsOf(things));
            return 0;
        });

        Assert.Equal(things.Select(Parts), (await ThingsAsync()).Select(Parts));
    }

    // Goal: pages by id are the same pages on both. Method: random ids in insert order, read in id order.
    [Fact]
    public async Task Ids_are_in_the_order_of_their_bytes_as_written()
    {
        var random = new Random(7_301);
        var things = Enumerable.Range(0, 500).Select(_ => Thing.Number(0) with { Id = RandomId(random) }).ToList();
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(things)));

        var read = (await ThingsAsync()).Select(t => t.Id.ToString("N"));

        Assert.Equal(things.Select(t => t.Id.ToString("N")).Order(StringComparer.Ordinal), read);
    }

    // Goal: names sort alike whatever the server's locale. Method: the order of the collation token.
    [Fact]
    public async Task Text_collated_by_bytes_is_in_the_order_of_its_utf8()
    {
        string[] names = ["b", "B", "a", "ä", "Z", "가", "👍", "\ue000", ""];
        var select = new Statement("select name from thing order by name {collate bytes}");
        await WriteAsync(tx => tx.Queue(
            ThingSql.Insert, ThingSql.RowsOf([.. names.Select((name, i) => Thing.Number(i) with { Name = name })])));

        var read = await Db.ReadAsync(tx => tx.QueryAsync(select, Rows.None, r => r.Text(0)));

        var order = names.OrderBy(name => Convert.ToHexString(Encoding.UTF8.GetBytes(name)), StringComparer.Ordinal);
        Assert.Equal(order, read);
    }

    // Goal: PostgreSQL has no NUL in text and no half surrogates, so neither database is given any.
    // Method: the refusal comes before the statement, so it does not even end the transaction.
    [Fact]
    public async Task Text_that_one_of_the_two_cannot_keep_is_refused_by_both()
    {
        string[] kept = ["", "👍", "\U0010FFFF", "\u0001"];
        string[] refused = ["a\0b", "\0", "a\ud83d", "\udc4d", "\udc4d\ud83d", "👍\ud83da"];
        await WriteAsync(tx =>
        {
            foreach (var (i, text) in kept.Concat(refused).Index())
            {
                var thing = Thing.Number(i) with { Name = text };
                var refusal = Record.Exception(() => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(thing)));
                Assert.Equal(Rows.CanKeep(text), refusal is null);
                Assert.True(refusal is null or ArgumentException);
            }
        });

        Assert.Equal(kept, (await ThingsAsync()).Select(t => t.Name));
    }

    // Goal: an aggregate over nothing is null, never a silent 0 or "". Method: read it both ways.
    [Fact]
    public async Task Null_is_read_as_null_or_not_at_all()
    {
        var nothing = await SumsAsync(r => (r.LongOrNull(0), r.TextOrNull(1)));
        Assert.Equal((null, null), nothing);
        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Long(0)));
        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Text(1)));
        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Id(1)));
        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Bytes(1)));

        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Numbers(1, 4))));
        Assert.Equal((10L, "thing 4"), await SumsAsync(r => (r.LongOrNull(0), r.TextOrNull(1))));
    }

    // Goal: a mistake in a mapping shows on SQLite too, which would turn text into a number. Method: mix them up.
    [Fact]
    public async Task A_column_is_read_as_its_own_type_only()
    {
        await WriteAsync(tx => tx.Queue(ThingSql.Insert, ThingSql.RowsOf(Thing.Number(1) with { Name = "12" })));

        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Long(1)));
        await Assert.ThrowsAsync<InvalidCastException>(() => SumsAsync(r => r.Text(2)));
        Assert.Equal(1, await SumsAsync(r => r.Long(2)));
    }

    // Goal: rows meant for another statement are never bound. Method: a column too few, of another kind, too many rows.
    [Fact]
    public async Task Rows_that_do_not_fit_their_statement_are_refused()
    {
        var one = Thing.Number(1);
        await RefusedAsync(tx => tx.Queue(ThingSql.Add, ThingSql.Ids(one)));
        await RefusedAsync(tx => tx.Queue(ThingSql.Add, Rows.None));
        await RefusedAsync(tx => tx.Queue(ThingSql.Add, Rows.One(one).Text(t => t.Name).Long(t => t.Amount)));
        await RefusedAsync(tx => tx.Queue(new Statement("delete from thing"), Rows.Over(new[] { 1, 2 })));
    }

    private async Task RefusedAsync(Action<Tx> work) =>
        await Assert.ThrowsAsync<InvariantViolatedException>(() => WriteAsync(work).AsTask());

    private async Task<T> SumsAsync<T>(Func<Row, T> map) =>
        (await Db.ReadAsync(tx => tx.QueryAsync(ThingSql.Sums, Rows.None, map)))[0];

    private static (Guid, string?, long, string) Parts(Thing t) =>
        (t.Id, t.Name, t.Amount, Convert.ToHexString(t.Body));

    private static byte[] AllBytes() => [.. Enumerable.Range(0, 256).Select(b => (byte)b)];

    private static Guid RandomId(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return new Guid(bytes);
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class Values_on_SQLite() : ValuesContract(null);

/// <summary>The contract on PostgreSQL.</summary>
public sealed class Values_on_PostgreSQL(PostgreSqlServer server) : ValuesContract(server);
