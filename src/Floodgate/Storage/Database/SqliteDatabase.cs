using System.Collections.Concurrent;

namespace Floodgate.Storage.Database;

/// <summary>
/// SQLite in one file: WAL, <c>synchronous = FULL</c>, so a commit is on the disk before it is answered. One
/// thread writes; reads run on their caller's thread, each in one transaction.
/// </summary>
internal sealed class SqliteDatabase : Database
{
    // Set once, used by all.
    private readonly string file;
    private readonly int readersMax;
    private readonly SemaphoreSlim readers;
    private readonly SqliteConnection writerConnection;
    private readonly SqliteWriter writer;
    private readonly Lazy<Task> closing;

    // Taken and given back under the semaphore.
    private readonly ConcurrentBag<SqliteConnection> idleReaders = [];

    private readonly Lock logGate = new();
    private FileStream? logOwner;

    public SqliteDatabase(DatabaseSettings settings)
    {
        file = FileIn(settings.Directory);
        readersMax = settings.ReadersMax;
        readers = new SemaphoreSlim(readersMax);
        writerConnection = Open(
            readOnly: false,
            "pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536;"
            + "pragma foreign_keys = on; pragma temp_store = memory; pragma wal_autocheckpoint = 4000");
        writer = new SqliteWriter(writerConnection);
        closing = new Lazy<Task>(CloseAsync);
    }

    public override Dialect Dialect => Dialect.Sqlite;

    public override int WritersMax => 1;

    public override int OpenConnections => readersMax - readers.CurrentCount + (writer.IsBusy ? 1 : 0);

    public override ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        writer.RunAsync(work, cancel);

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        await readers.WaitAsync(cancel);
        try
        {
            ObjectDisposedException.ThrowIf(closing.IsValueCreated, this);
            return Read(work);
        }
        finally
        {
            readers.Release();
        }
    }

    public override ValueTask<T> ReadSnapshotAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        ReadAsync(work, cancel); // Every read is in one transaction here already.

    public override async ValueTask<int> MigrateAsync(
        IReadOnlyList<Migration> migrations, CancellationToken cancel)
    {
        var applied = 0;
        foreach (var migration in migrations)
        {
            applied += await writer.RunAsync(_ => ValueTask.FromResult(Apply(migration)), cancel);
        }

        return applied;
    }

    public override ValueTask<bool> TryOwnLogAsync(CancellationToken cancel)
    {
        lock (logGate)
        {
            ObjectDisposedException.ThrowIf(closing.IsValueCreated, this);
            try
            {
                logOwner ??= new FileStream(
                    file + ".owner", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                return ValueTask.FromResult(true);
            }
            catch (IOException)
            {
                return ValueTask.FromResult(false); // Another process has it open: that is the answer.
            }
        }
    }

    public override ValueTask DisposeAsync() => new(closing.Value);

    private async Task CloseAsync()
    {
        writer.Stop();
        for (var i = 0; i < readersMax; i++)
        {
            await readers.WaitAsync();
        }

        while (idleReaders.TryTake(out var reader))
        {
            reader.Dispose();
        }

        writerConnection.Dispose();
        lock (logGate)
        {
            logOwner?.Dispose();
        }

        readers.Release(readersMax); // Whoever still waits is told that it is closed.
    }

    private static string FileIn(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            return Path.Combine(directory, "floodgate.db");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new DatabaseUnavailableException(
                $"Database:Directory cannot be used ({directory}: {error.Message}). Name a folder to write in.", error);
        }
    }

    private SqliteConnection Open(bool readOnly, string pragmas)
    {
        var connection = new SqliteConnection(file, readOnly);
        try
        {
            connection.Run(pragmas);
            return connection;
        }
        catch
        {
            // Rethrown: whoever cannot use the connection cannot close it.
            connection.Dispose();
            throw;
        }
    }

    private int Apply(Migration migration)
    {
        writerConnection.Run(MigrationSql.CreateTable);
        var mark = Rows.One(migration).Text(m => m.Name);
        var isNew = writerConnection.Query(MigrationSql.Mark, mark, _ => true).Count == 1;
        if (isNew)
        {
            writerConnection.Run(Dialect.Sqlite.Render(migration.Sql, []));
        }

        return isNew ? 1 : 0;
    }

    private T Read<T>(Func<Tx, ValueTask<T>> work)
    {
        if (!idleReaders.TryTake(out var connection))
        {
            connection = Open(readOnly: true, "pragma query_only = on; pragma cache_size = -8192");
        }

        var tx = new SqliteTx(connection, isReadOnly: true);
        try
        {
            connection.Run("begin");
            try
            {
                return tx.Complete(work);
            }
            finally
            {
                tx.End();
                connection.Run("commit");
            }
        }
        finally
        {
            if (connection.IsInTransaction)
            {
                connection.Dispose(); // The commit failed: the next read must not begin inside it.
            }
            else
            {
                idleReaders.Add(connection);
            }
        }
    }
}
