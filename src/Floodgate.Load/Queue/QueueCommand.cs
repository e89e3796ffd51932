using System.CommandLine;
using Floodgate.Load.Reports;

namespace Floodgate.Load.Queue;

/// <summary>The command line of <c>queue</c>.</summary>
internal static class QueueCommand
{
    private const string Help =
        "Fill a waiting room as fast as it takes people, look at every place, and listen to streams of tickets.";

    private const string Examples = """
          ./floodgate load queue --count 100000 --streams 10000 --expect-rate 20000 --expect-overtaken 0
          ./floodgate load queue --count 20000 --streams 2000 --stream-seconds 30 --html report/queue.html

          More streams than a process may open files: raise the limit of both processes first, e.g. ulimit -n 250000.
          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var defaults = new QueuePlan();
        var count = TargetOptions.Whole("--count", "Buyers who join (default 100000).", (2, 10_000_000));
        var connections = TargetOptions.Whole(
            "--connections", "Connections of the closed loops of joins and polls (default 64).", (1, 4096));
        var warmUp = TargetOptions.Whole(
            "--warm-up", "Joins before the measured ones, into another room (default 5000).", (0, 1_000_000));
        var streams = TargetOptions.Whole(
            "--streams", "Streams that are open at once, each a connection (default 1000).", (0, 1_000_000));
        var streamSeconds = TargetOptions.Whole(
            "--stream-seconds", "How long all streams are listened to (default 15).", (1, 3600));
        var common = new RunOptions();
        var command = new ExampleCommand("queue", Help, Examples)
        {
            count, connections, warmUp, streams, streamSeconds,
        };
        common.AddTo(command, withDesigns: false);
        var target = new TargetOptions().AddTo(command, SaleGoals.OfQueue);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) =>
            {
                var plan = new QueuePlan
                {
                    Count = parsed.GetValue(count) ?? defaults.Count,
                    Connections = parsed.GetValue(connections) ?? defaults.Connections,
                    WarmUp = parsed.GetValue(warmUp) ?? defaults.WarmUp,
                    Streams = parsed.GetValue(streams) ?? defaults.Streams,
                    StreamSeconds = parsed.GetValue(streamSeconds) ?? defaults.StreamSeconds,
                    NoOpSeconds = common.NoOpSeconds(parsed),
                    TimeoutSeconds = common.TimeoutSeconds(parsed),
                };
                return new QueueRun(session, plan).RunAsync(blank, cancel);
            },
            cancel));
        return command;
    }
}
