using System.Collections.Concurrent;
using System.Threading.Channels;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Database;

/// <summary>
/// SQLite in one file: WAL, <c>synchronous = FULL</c>, so a commit is on the disk before it is answered. One
/// thread writes. Transactions that wait while it commits share the next commit, each in a savepoint of its own,
/// so that one that fails takes nobody with it.
/// </summary>
internal sealed class SqliteDatabase : Database
{
    private const int SharedCommitMax = 256;
    private const int WaitingMax = 10_000;

    // Set once, used by all.
    private readonly string file;
    private readonly Channel<Job> jobs = Channel.CreateBounded<Job>(WaitingMax);
    private readonly SemaphoreSlim readers;

    // Taken and given back under the semaphore.
    private readonly ConcurrentBag<SqliteConnection> idleReaders = [];

    // The writer thread's own.
    private readonly SqliteConnection writer;
    private readonly Thread writerThread;

    private FileStream? logOwner;

    public SqliteDatabase(DatabaseSettings settings)
    {
        System.IO.Directory.CreateDirectory(settings.Directory);
        file = Path.Combine(settings.Directory, "floodgate.db");
        readers = new SemaphoreSlim(settings.ReadersMax);
        writer = new SqliteConnection(file, readOnly: false);
        writer.Run("pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536;"
            + "pragma foreign_keys = on; pragma wal_autocheckpoint = 1000");
        writerThread = new Thread(Write) { IsBackground = true, Name = "sqlite-writer" };
        writerThread.Start();
    }

    public override Dialect Dialect => Dialect.Sqlite;

    public override int WritersMax => 1;

    public override int OpenConnections => 1 + idleReaders.Count;

    public override async ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        var job = new Job<T>(work);
        await jobs.Writer.WriteAsync(job, cancel);
        return await job.Result;
    }

    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        await readers.WaitAsync(cancel);
        try
        {
            return Read(work);
        }
        finally
        {
            readers.Release();
        }
    }

    public override ValueTask<T> ReadSnapshotAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) =>
        ReadAsync(work, cancel); // Every read is in one transaction here already.

    public override ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel) =>
        WriteAsync(
            _ =>
            {
                writer.Run(MigrationSql.CreateTable);
                return ValueTask.FromResult(migrations.Count(Apply));
            },
            cancel);

    public override ValueTask<bool> TryOwnLogAsync(CancellationToken cancel)
    {
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

    public override ValueTask DisposeAsync()
    {
        // Twice is harmless: the channel is complete, the thread gone, the lists empty.
        jobs.Writer.TryComplete();
        writerThread.Join();
        while (idleReaders.TryTake(out var reader))
        {
            reader.Dispose();
        }

        writer.Dispose();
        logOwner?.Dispose();
        return ValueTask.CompletedTask;
    }

    private bool Apply(Migration migration)
    {
        if (writer.Query(MigrationSql.Mark, Rows.One(migration).Text(m => m.Name), _ => true).Count == 0)
        {
            return false;
        }

        writer.Run(Dialect.Sqlite.Render(migration.Sql, []));
        return true;
    }

    private T Read<T>(Func<Tx, ValueTask<T>> work)
    {
        if (!idleReaders.TryTake(out var connection))
        {
            connection = new SqliteConnection(file, readOnly: true);
            connection.Run("pragma query_only = on; pragma cache_size = -8192");
        }

        try
        {
            connection.Run("begin");
            try
            {
                return Completed(work(new SqliteTx(connection)));
            }
            finally
            {
                connection.Run("commit");
            }
        }
        finally
        {
            idleReaders.Add(connection);
        }
    }

    private void Write()
    {
        var batch = new List<Job>(SharedCommitMax);
        while (WaitForJob())
        {
            while (batch.Count < SharedCommitMax && jobs.Reader.TryRead(out var job))
            {
                batch.Add(job);
            }

            CommitTogether(batch);
            batch.Clear();
        }
    }

    // The writer is a thread of its own because SQLite waits for the disk; it may block here.
    private bool WaitForJob()
    {
        var waiting = jobs.Reader.WaitToReadAsync();
        return waiting.IsCompletedSuccessfully
            ? waiting.Result // tidy: blocking: it has completed.
            : waiting.AsTask().GetAwaiter().GetResult(); // tidy: blocking: this thread exists to wait.
    }

    private void CommitTogether(List<Job> batch)
    {
        try
        {
            writer.Run("begin immediate");
            foreach (var job in batch)
            {
                RunInSavepoint(job);
            }

            writer.Run("commit");
        }
        catch (Exception error) // The edge of the writer's loop: every waiting caller gets the error.
        {
            TryRollback();
            batch.ForEach(job => job.Fail(error));
        }

        batch.ForEach(job => job.Answer());
    }

    private void RunInSavepoint(Job job)
    {
        writer.Run("savepoint job");
        try
        {
            job.Run(new SqliteTx(writer));
        }
        catch (Exception error) // The edge of one caller's work: the error is that caller's answer.
        {
            writer.Run("rollback to job");
            job.Fail(error);
        }

        writer.Run("release job");
    }

    private void TryRollback()
    {
        try
        {
            writer.Run("rollback");
        }
        catch (InvalidOperationException)
        {
            // SQLite has rolled back by itself (disk full); the first error is the one to tell.
        }
    }

    private static T Completed<T>(ValueTask<T> work)
    {
        Invariant.Check(work.IsCompleted, "work in a transaction waits for nothing but the transaction");
        return work.GetAwaiter().GetResult(); // tidy: blocking: it has completed.
    }

    private abstract class Job
    {
        public abstract void Run(SqliteTx tx);

        public abstract void Fail(Exception error);

        public abstract void Answer();
    }

    private sealed class Job<T>(Func<Tx, ValueTask<T>> work) : Job
    {
        private readonly TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private SqliteTx? done;
        private Exception? failure;
        private T? result;

        public Task<T> Result => answer.Task;

        public override void Run(SqliteTx tx)
        {
            result = Completed(work(tx));
            done = tx;
        }

        public override void Fail(Exception error) => failure ??= error;

        public override void Answer()
        {
            if (failure is not null)
            {
                answer.SetException(failure);
                return;
            }

            done!.RunCommitted();
            answer.SetResult(result!);
        }
    }
}
