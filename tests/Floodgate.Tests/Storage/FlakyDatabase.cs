using System.Collections.Concurrent;
using Floodgate.Storage.Database;

namespace Floodgate.Tests.Storage;

/// <summary>What happens to a transaction.</summary>
public enum Fault
{
    /// <summary>It runs.</summary>
    None,

    /// <summary>The database is away before it begins.</summary>
    Before,

    /// <summary>It is committed, and the answer is lost.</summary>
    After,
}

/// <summary>A real database whose transactions can be held and meet faults, in the order in which they come.</summary>
public sealed class FlakyDatabase(Database real) : Database
{
    private volatile Func<Task> hold = () => Task.CompletedTask;

    /// <summary>The faults of the next transactions; none when it is empty.</summary>
    public ConcurrentQueue<Fault> Faults { get; } = [];

    /// <summary>True while the database is away for good.</summary>
    public bool IsAway { get; set; }

    /// <summary>What every read meets first, such as a wait or an outage.</summary>
    public Func<Task> BeforeRead { get; set; } = () => Task.CompletedTask;

    /// <inheritdoc/>
    public override Dialect Dialect => real.Dialect;

    /// <inheritdoc/>
    public override int WritersMax => real.WritersMax;

    /// <inheritdoc/>
    public override int OpenConnections => real.OpenConnections;

    /// <summary>Holds the next transactions until the gate is set; tells when the first is held.</summary>
    public (Task Held, TaskCompletionSource Gate) Hold()
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        hold = () =>
        {
            held.TrySetResult();
            return gate.Task;
        };
        return (held.Task, gate);
    }

    /// <inheritdoc/>
    public override async ValueTask<T> WriteAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default)
    {
        await hold();
        var fault = IsAway ? Fault.Before : Faults.TryDequeue(out var next) ? next : Fault.None;
        if (fault == Fault.Before)
        {
            throw new DatabaseUnavailableException("Away.");
        }

        var result = await real.WriteAsync(work, cancel);
        return fault == Fault.None
            ? result
            : throw new DatabaseUnavailableException("The answer is lost.") { MayHaveHappened = true };
    }

    /// <inheritdoc/>
    public override async ValueTask<T> ReadAsync<T>(Func<Tx, ValueTask<T>> work, CancellationToken cancel = default)
    {
        await BeforeRead();
        return await real.ReadAsync(work, cancel);
    }

    /// <inheritdoc/>
    public override ValueTask<T> ReadSnapshotAsync<T>(
        Func<Tx, ValueTask<T>> work, CancellationToken cancel = default) => real.ReadSnapshotAsync(work, cancel);

    /// <inheritdoc/>
    public override ValueTask<int> MigrateAsync(IReadOnlyList<Migration> migrations, CancellationToken cancel) =>
        real.MigrateAsync(migrations, cancel);

    /// <inheritdoc/>
    public override ValueTask<bool> TryOwnLogAsync(CancellationToken cancel) => real.TryOwnLogAsync(cancel);

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => real.DisposeAsync();
}
