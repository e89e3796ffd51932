namespace Floodgate.Load.Settle;

/// <summary>A table to write to, with the columns that are written, by commas.</summary>
internal sealed record BulkTable(string Name, string Columns);

/// <summary>Takes the values of one row, in the order of its columns.</summary>
internal interface IBulkWriter
{
    /// <summary>A whole number.</summary>
    void Write(long value);

    /// <summary>An id, as the server stores it.</summary>
    void Write(Guid value);

    /// <summary>A text, or null.</summary>
    void Write(string? value);
}

/// <summary>A row that was read.</summary>
internal interface IBulkRow
{
    /// <summary>A whole number.</summary>
    long Long(int column);

    /// <summary>An id.</summary>
    Guid Id(int column);

    /// <summary>A text.</summary>
    string Text(int column);
}

/// <summary>
/// One connection to the database of the server under test, and to a place of the run's own in the same engine, which
/// is gone when the first connection is disposed. Used by one thread at a time. Every method throws
/// <see cref="Target.CannotRunException"/> or the driver's exception.
/// </summary>
internal interface IBulkDatabase : IDisposable
{
    /// <summary>What the place of the run's own is called before a table's name.</summary>
    string Scratch { get; }

    /// <summary>The type of ids.</summary>
    string IdType { get; }

    /// <summary>What the server writes behind a table that is kept in the order of its key.</summary>
    string Clustered { get; }

    /// <summary>What makes the planner know a table that was just filled; empty where nothing does.</summary>
    string Analyze { get; }

    /// <summary>A further connection to the same.</summary>
    IBulkDatabase Another();

    /// <summary>An id as it is written in a statement.</summary>
    string Literal(Guid id);

    /// <summary>Runs statements.</summary>
    void Run(string sql);

    /// <summary>Reads rows.</summary>
    List<T> Query<T>(string sql, Func<IBulkRow, T> map);

    /// <summary>Writes rows in one transaction by the fastest way that the engine has.</summary>
    void Copy<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write);

    /// <summary>Writes each row with a statement and a commit of its own.</summary>
    void InsertEach<T>(BulkTable table, IEnumerable<T> rows, Action<IBulkWriter, T> write);
}
