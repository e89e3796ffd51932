using System.Buffers.Binary;
using Floodgate.Storage.Database;

namespace Floodgate.Tests.Storage;

/// <summary>A row with a column of each kind.</summary>
public sealed record Thing(Guid Id, string? Name, long Amount, byte[] Body)
{
    /// <summary>A thing of this number: its id is the number, so the same number is the same key.</summary>
    public static Thing Number(long number)
    {
        var id = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(id.AsSpan(8), number);
        return new(new Guid(id, bigEndian: true), $"thing {number}", number, [(byte)number]);
    }

    /// <summary>Things of the numbers from <paramref name="first"/> on.</summary>
    public static List<Thing> Numbers(int first, int count) =>
        [.. Enumerable.Range(first, count).Select(n => Number(n))];
}

/// <summary>The statements of the contract: one of each form that the product uses.</summary>
internal static class ThingSql
{
    public const string Table = "thing";

    public static readonly Migration[] Migrations =
    [
        new("thing-001", """
            create table thing (
                id {id} primary key,
                name text,
                amount bigint not null,
                body {bytes} not null
            ) {room for updates};
            create table counter (
                id bigint primary key,
                at_value bigint not null check (at_value >= 0)
            ) {clustered}
            """),
    ];

    public static readonly Column[] Columns =
        [Column.Id("id"), Column.Text("name"), Column.Long("amount"), Column.Bytes("body")];

    public static readonly Statement Insert = new(
        "insert into thing (id, name, amount, body) select rows.id, rows.name, rows.amount, rows.body from {rows}",
        Columns);

    public static readonly Statement InsertReturning = new(
        """
        insert into thing (id, name, amount, body)
        select rows.id, rows.name, rows.amount, rows.body from {rows} returning id, amount
        """,
        Columns);

    public static readonly Statement Upsert = new(
        """
        insert into thing (id, name, amount, body)
        select rows.id, rows.name, rows.amount, rows.body from {rows} where true
        on conflict (id) do update set amount = thing.amount + excluded.amount returning amount
        """,
        Columns);

    public static readonly Statement Add = new(
        "update thing set amount = amount + rows.added from {rows} where thing.id = rows.id",
        Column.Id("id"), Column.Long("added"));

    public static readonly Statement AddReturning = new(
        "update thing set amount = amount + rows.added from {rows} where thing.id = rows.id returning thing.amount",
        Column.Id("id"), Column.Long("added"));

    public static readonly Statement Delete = new(
        "delete from thing where id in (select rows.id from {rows}) returning amount", Column.Id("id"));

    public static readonly Statement SelectById = new(
        "select t.id, t.amount from {rows} join thing t on t.id = rows.id", Column.Id("id"));

    public static readonly Statement Lock = new(
        "select t.amount from {rows} join thing t on t.id = rows.id order by t.id {for update}", Column.Id("id"));

    public static readonly Statement All = new("select id, name, amount, body from thing order by id");

    public static readonly Statement Count = new("select count(*) from thing");

    public static readonly Statement Sums = new("select sum(amount), max(name), min(amount) from thing");

    public static readonly Statement WithClause = new(
        """
        with doubled as (select rows.id as id, rows.added * 2 as added from {rows})
        select t.amount + d.added from doubled d join thing t on t.id = d.id
        """,
        Column.Id("id"), Column.Long("added"));

    public static readonly Statement SetCounter = new(
        "insert into counter (id, at_value) select rows.id, rows.at_value from {rows}",
        Column.Long("id"), Column.Long("at_value"));

    public static readonly Statement LockCounters = new(
        "select c.id, c.at_value from {rows} join counter c on c.id = rows.id order by c.id {for update}",
        Column.Long("id"));

    public static readonly Statement AddToCounter = new(
        "update counter set at_value = at_value + rows.added from {rows} where counter.id = rows.id",
        Column.Long("id"), Column.Long("added"));

    public static readonly Statement Counters = new("select id, at_value from counter order by id");

    public static Rows RowsOf(params IReadOnlyList<Thing> things) =>
        Rows.Over(things).Id(t => t.Id).Text(t => t.Name).Long(t => t.Amount).Bytes(t => t.Body);

    public static Rows Ids(params IReadOnlyList<Thing> things) => Rows.Over(things).Id(t => t.Id);

    public static Rows Added(long added, params IReadOnlyList<Thing> things) =>
        Rows.Over(things).Id(t => t.Id).Long(_ => added);

    public static Rows CounterRows(params IReadOnlyList<(long Id, long Value)> counters) =>
        Rows.Over(counters).Long(c => c.Id).Long(c => c.Value);

    public static Rows CounterIds(params IReadOnlyList<int> ids) => Rows.Over(ids).Long(id => id);

    public static async ValueTask<long> CountAsync(Tx tx) => (await tx.QueryAsync(Count, Rows.None, r => r.Long(0)))[0];

    public static ValueTask<List<Thing>> AllAsync(Tx tx) => tx.QueryAsync(
        All, Rows.None, r => new Thing(r.Id(0), r.TextOrNull(1), r.Long(2), r.Bytes(3)));

    public static async ValueTask<long[]> CountersAsync(Tx tx) =>
        [.. await tx.QueryAsync(Counters, Rows.None, r => r.Long(1))];
}
