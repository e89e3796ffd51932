using Floodgate.Storage.Log.Kafka;

namespace Floodgate;

/// <summary>
/// <c>./floodgate broker</c>: Kafka brokers for tests and rehearsals, in a process of their own. They keep everything
/// in memory and forget it when they stop.
/// </summary>
internal static class BrokerCommand
{
    public const string Description = """
        Three Kafka brokers for rehearsals, with the topics; they forget everything when they stop.

        Example:
          ./floodgate broker            prints where they listen, as the setting that names them
          ./floodgate up --Log:Kafka:BootstrapServers HOST:PORT,... --Kafka:Client:fetch.wait.max.ms 10
        """;

    private const int Brokers = 3;

    /// <summary>Runs them until told to stop; tells where they are as soon as they listen.</summary>
    public static async Task<int> RunAsync(Report report, TextWriter error, CancellationToken stop)
    {
        if (KafkaNative.Fault is { } fault)
        {
            await error.WriteLineAsync($"The command broker {fault}");
            return ExitCode.Unavailable;
        }

        using var cluster = new RehearsalCluster(Brokers);
        cluster.Create(KafkaLog.WithLetters(Roles.Topics));
        report.Write(
            $"Log:Kafka:BootstrapServers={cluster.BootstrapServers}",
            json => json.WriteString("bootstrapServers", cluster.BootstrapServers));
        await error.WriteLineAsync("Rehearsal brokers are ready. They forget everything when they stop.");
        await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }
}
