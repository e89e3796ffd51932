using Npgsql;

namespace Floodgate.Load.Target;

/// <summary>A schema of the run's own in somebody's PostgreSQL; gone when this is disposed.</summary>
internal sealed class ScratchDatabase : IAsyncDisposable
{
    private ScratchDatabase(NpgsqlDataSource source, string schema) => (Source, Schema) = (source, schema);

    /// <summary>Connections to it.</summary>
    public NpgsqlDataSource Source { get; }

    /// <summary>The name of the schema.</summary>
    public string Schema { get; }

    /// <summary>Makes the schema.</summary>
    /// <exception cref="CannotRunException">The database does not answer.</exception>
    public static async Task<ScratchDatabase> OpenAsync(
        string connectionString, string runId, int connections, CancellationToken cancel)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connectionString)
            {
                MaxPoolSize = connections + 1,
                MaxAutoPrepare = 20,
                AutoPrepareMinUsages = 2,
            };
            var source = NpgsqlDataSource.Create(builder);
            var scratch = new ScratchDatabase(source, $"floodgate_load_{runId}");
            await using var command = source.CreateCommand($"create schema {scratch.Schema}");
            await command.ExecuteNonQueryAsync(cancel);
            return scratch;
        }
        catch (Exception broken) when (broken is NpgsqlException or ArgumentException)
        {
            throw new CannotRunException($"--yardstick-postgres: {broken.Message}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await using (var command = Source.CreateCommand($"drop schema {Schema} cascade"))
        {
            await command.ExecuteNonQueryAsync();
        }

        await Source.DisposeAsync();
    }
}

/// <summary>Several workers that do one thing after the other for some time.</summary>
internal static class WorkerLoop
{
    /// <summary>How often the workers together did it per second.</summary>
    public static async Task<double> PerSecondAsync(
        int workers, TimeSpan span, TimeProvider time, Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        var start = time.GetTimestamp();
        long done = 0;
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(
            async () =>
            {
                while (time.GetElapsedTime(start) < span)
                {
                    await work(cancel);
                    Interlocked.Increment(ref done);
                }
            },
            cancel)));
        return done / time.GetElapsedTime(start).TotalSeconds;
    }
}
