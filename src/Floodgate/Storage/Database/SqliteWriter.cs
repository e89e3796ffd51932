using System.Threading.Channels;

namespace Floodgate.Storage.Database;

/// <summary>
/// The one thread that writes. Transactions that wait while it commits share the next commit, each in a savepoint
/// of its own, so that one that fails takes nobody with it.
/// </summary>
internal sealed class SqliteWriter
{
    private const int SharedCommitMax = 256;
    private const int WaitingMax = 10_000;

    // Continuations run at once: all that waits here is a thread's event, and handing that to the thread pool
    // would make every commit wait for a free pool thread.
    private readonly Channel<Job> jobs = Channel.CreateBounded<Job>(
        new BoundedChannelOptions(WaitingMax) { SingleReader = true, AllowSynchronousContinuations = true });

    private readonly SqliteConnection connection;
    private readonly Thread thread;
    private volatile bool isBusy;

    public SqliteWriter(SqliteConnection connection)
    {
        this.connection = connection;
        thread = new Thread(Write) { IsBackground = true, Name = "sqlite-writer" };
        thread.Start();
    }

    /// <summary>True while a transaction is open.</summary>
    public bool IsBusy => isBusy;

    /// <summary>Runs the work on the thread; its result after the commit.</summary>
    public async ValueTask<T> RunAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel)
    {
        var job = new Job<T>(work, cancel);
        try
        {
            await jobs.Writer.WriteAsync(job, cancel);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(Database));
        }

        return await job.Result;
    }

    /// <summary>Finishes what was given and ends the thread; the connection is the caller's to close.</summary>
    public void Stop()
    {
        jobs.Writer.TryComplete();
        thread.Join();
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
        isBusy = true;
        try
        {
            connection.Run("begin immediate");
            if (batch.Count == 1)
            {
                batch[0].Run(connection); // It shares with nobody, so it needs no savepoint to fail alone.
            }
            else
            {
                batch.ForEach(RunInSavepoint);
            }

            connection.Run("commit");
        }
        catch (Exception error) // The edge of the writer's loop: every waiting caller gets the error.
        {
            RollBack();
            batch.ForEach(job => job.Fail(error));
        }

        isBusy = false;
        batch.ForEach(job => job.Answer());
    }

    private void RunInSavepoint(Job job)
    {
        connection.Run("savepoint job");
        try
        {
            job.Run(connection);
        }
        catch (Exception error) // The edge of one caller's work: the error is that caller's answer.
        {
            job.Fail(error);
            if (!connection.IsInTransaction)
            {
                throw; // SQLite has rolled back the transaction of all, as it does when the disk is full.
            }

            connection.Run("rollback to job");
        }

        connection.Run("release job");
    }

    private void RollBack()
    {
        if (!connection.IsInTransaction)
        {
            return;
        }

        try
        {
            connection.Run("rollback");
        }
        catch (Exception error) when (error is StatementFailedException or DatabaseUnavailableException)
        {
            // The error that led here is the one to tell; the next begin fails if the transaction is still open.
        }
    }

    private abstract class Job
    {
        public abstract void Run(SqliteConnection connection);

        public abstract void Fail(Exception error);

        public abstract void Answer();
    }

    private sealed class Job<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel) : Job
    {
        private readonly TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private SqliteTx? done;
        private Exception? failure;
        private T? result;

        public Task<T> Result => answer.Task;

        public override void Run(SqliteConnection connection)
        {
            cancel.ThrowIfCancellationRequested();
            var tx = new SqliteTx(connection, isReadOnly: false);
            result = tx.Complete(work);
            tx.EndBeforeCommit();
            done = tx;
        }

        public override void Fail(Exception error) => failure ??= error;

        public override void Answer()
        {
            try
            {
                if (failure is null)
                {
                    done!.RunCommitted();
                }
            }
            catch (Exception error) // The edge of the writer's loop: one broken promise must not end the thread.
            {
                failure = error;
            }

            if (failure is null)
            {
                answer.SetResult(result!);
            }
            else if (failure is OperationCanceledException && cancel.IsCancellationRequested)
            {
                answer.SetCanceled(cancel);
            }
            else
            {
                answer.SetException(failure);
            }
        }
    }
}
