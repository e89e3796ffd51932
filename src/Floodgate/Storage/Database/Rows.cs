using System.Buffers;
using System.Text;
using Floodgate.Vocabulary;
using Npgsql;
using SQLitePCL;

namespace Floodgate.Storage.Database;

/// <summary>The rows a statement is given, kept by column so that PostgreSQL takes each column as one array.</summary>
public abstract class Rows
{
    private protected Rows(int count) => Count = count;

    /// <summary>A single empty row: for statements without <c>{rows}</c>.</summary>
    public static Rows None { get; } = new RowsOf<byte>([0]);

    /// <summary>How many rows there are.</summary>
    public int Count { get; }

    internal List<Values> Columns { get; } = [];

    /// <summary>
    /// True when both databases can keep the text: PostgreSQL has no NUL character, and a surrogate without its
    /// partner is not Unicode. Ask at the edge, where text of strangers comes in, and refuse it there.
    /// </summary>
    public static bool CanKeep(ReadOnlySpan<char> text) =>
        !text.Contains('\0') && (!text.ContainsAnyInRange('\uD800', '\uDFFF') || IsWhole(text));

    /// <summary>Starts a set with one row for each item; columns are added in the order of the statement's.</summary>
    public static RowsOf<T> Over<T>(IReadOnlyList<T> items) => new(items);

    /// <summary>Starts a set of one row.</summary>
    public static RowsOf<T> One<T>(T item) => new([item]);

    /// <summary>Throws unless there is one column for each of the statement's, of its kind.</summary>
    internal void CheckFit(IReadOnlyList<Column> columns)
    {
        Invariant.Check(Columns.Count == columns.Count, "rows have the columns of their statement");
        Invariant.Check(Columns.Count > 0 || Count <= 1, "only a statement with columns is given many rows");
        for (var i = 0; i < columns.Count; i++)
        {
            Invariant.Check(Columns[i].Kind == columns[i].Kind, $"{columns[i]} is given values of its kind");
        }
    }

    private static bool IsWhole(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out var length) != OperationStatus.Done)
            {
                return false;
            }

            text = text[length..];
        }

        return true;
    }

    /// <summary>The values of one column, ready for either driver.</summary>
    internal abstract class Values
    {
        /// <summary>The kind of every value.</summary>
        public abstract ColumnKind Kind { get; }

        /// <summary>All values as one array parameter.</summary>
        public abstract NpgsqlParameter ToParameter();

        /// <summary>Binds the value of one row to a prepared statement.</summary>
        /// <returns>SQLite's code.</returns>
        public abstract int Bind(sqlite3_stmt statement, int index, int row);

        /// <summary>Writes the value of one row to a binary COPY.</summary>
        public abstract void Write(NpgsqlBinaryImporter copy, int row);
    }
}

/// <summary>Rows made from a list of items, a column at a time.</summary>
public sealed class RowsOf<T> : Rows
{
    private readonly IReadOnlyList<T> items;

    internal RowsOf(IReadOnlyList<T> items)
        : base(items.Count) => this.items = items;

    /// <summary>Adds a UUID column.</summary>
    public RowsOf<T> Id(Func<T, Guid> value) => With(new Ids(Take(value)));

    /// <summary>Adds a text column; null is SQL null.</summary>
    /// <exception cref="ArgumentException">A text that <see cref="Rows.CanKeep"/> refuses.</exception>
    public RowsOf<T> Text(Func<T, string?> value) => With(new Texts(Take(item => Kept(value(item)))));

    /// <summary>Adds an integer column.</summary>
    public RowsOf<T> Long(Func<T, long> value) => With(new Longs(Take(value)));

    /// <summary>Adds a 0/1 column.</summary>
    public RowsOf<T> Flag(Func<T, bool> value) => Long(item => value(item) ? 1 : 0);

    /// <summary>Adds a column of bytes.</summary>
    public RowsOf<T> Bytes(Func<T, byte[]> value) => With(new Blobs(Take(value)));

    private RowsOf<T> With(Values column)
    {
        Columns.Add(column);
        return this;
    }

    private static string? Kept(string? text) => CanKeep(text)
        ? text
        : throw new ArgumentException("Text with a NUL character or half a surrogate pair cannot be kept.");

    private TValue[] Take<TValue>(Func<T, TValue> value)
    {
        var values = new TValue[items.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = value(items[i]);
        }

        return values;
    }

    private sealed class Ids(Guid[] values) : Values
    {
        public override ColumnKind Kind => ColumnKind.Id;

        public override NpgsqlParameter ToParameter() => new NpgsqlParameter<Guid[]> { TypedValue = values };

        public override int Bind(sqlite3_stmt statement, int index, int row)
        {
            Span<byte> bytes = stackalloc byte[16];
            Invariant.Check(values[row].TryWriteBytes(bytes, bigEndian: true, out _), "a UUID has 16 bytes");
            return raw.sqlite3_bind_blob(statement, index, bytes);
        }

        public override void Write(NpgsqlBinaryImporter copy, int row) => copy.Write(values[row]);
    }

    private sealed class Texts(string?[] values) : Values
    {
        public override ColumnKind Kind => ColumnKind.Text;

        public override NpgsqlParameter ToParameter() => new NpgsqlParameter<string?[]> { TypedValue = values };

        public override int Bind(sqlite3_stmt statement, int index, int row) => values[row] is { } text
            ? raw.sqlite3_bind_text(statement, index, text)
            : raw.sqlite3_bind_null(statement, index);

        public override void Write(NpgsqlBinaryImporter copy, int row)
        {
            if (values[row] is { } text)
            {
                copy.Write(text);
            }
            else
            {
                copy.WriteNull();
            }
        }
    }

    private sealed class Longs(long[] values) : Values
    {
        public override ColumnKind Kind => ColumnKind.Long;

        public override NpgsqlParameter ToParameter() => new NpgsqlParameter<long[]> { TypedValue = values };

        public override int Bind(sqlite3_stmt statement, int index, int row) =>
            raw.sqlite3_bind_int64(statement, index, values[row]);

        public override void Write(NpgsqlBinaryImporter copy, int row) => copy.Write(values[row]);
    }

    private sealed class Blobs(byte[][] values) : Values
    {
        public override ColumnKind Kind => ColumnKind.Bytes;

        public override NpgsqlParameter ToParameter() => new NpgsqlParameter<byte[][]> { TypedValue = values };

        public override int Bind(sqlite3_stmt statement, int index, int row) =>
            raw.sqlite3_bind_blob(statement, index, values[row]);

        public override void Write(NpgsqlBinaryImporter copy, int row) => copy.Write(values[row]);
    }
}
