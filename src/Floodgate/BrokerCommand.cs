using System.Globalization;
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

        They read words from their input: "down 1" takes the first broker away, "up 1" brings it back with what it had.

        Example:
          ./floodgate broker            prints where they listen, as the setting that names them
          ./floodgate up --Log:Kafka:BootstrapServers HOST:PORT,... --Kafka:Client:fetch.wait.max.ms 10
        """;

    private const int Brokers = 3;

    /// <summary>Runs them until told to stop; tells where they are as soon as they listen.</summary>
    public static async Task<int> RunAsync(
        Report report, TextReader input, TextWriter error, CancellationToken stop)
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
        await ObeyAsync(cluster, input, error, stop);
        await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }

    /// <summary>Takes brokers away and brings them back as the lines of the input say, to its end.</summary>
    private static async Task ObeyAsync(
        RehearsalCluster cluster, TextReader input, TextWriter error, CancellationToken stop)
    {
        try
        {
            // The console's reader blocks whatever it is asked; the thread ends with the process.
            while (await Task.Run(input.ReadLine, stop).WaitAsync(stop) is { } line)
            {
                switch (line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                {
                    case ["down", var number] when IsBroker(number, out var broker):
                        cluster.TakeDown(broker);
                        break;
                    case ["up", var number] when IsBroker(number, out var broker):
                        cluster.BringUp(broker);
                        break;
                    default:
                        await error.WriteLineAsync(
                            $"\"{line}\" is neither \"down N\" nor \"up N\", N from 1 to {Brokers}.");
                        break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The normal end.
        }

        static bool IsBroker(string text, out int broker) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out broker)
            && broker is >= 1 and <= Brokers;
    }
}
