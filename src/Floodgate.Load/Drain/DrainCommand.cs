using System.CommandLine;
using Floodgate.Load.Reports;

namespace Floodgate.Load.Drain;

/// <summary>The command line of <c>drain</c>.</summary>
internal static class DrainCommand
{
    private const string Help =
        "Pile up payments while processing is paused, then measure the time until all are final, and audit them.";

    private const string Examples = """
          ./floodgate load drain --expect-seconds 5 --html report/drain.html
          ./floodgate load drain --count 120000 --latency-ms 1000 --provider-url http://127.0.0.1:8090

          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var count = TargetOptions.Whole("--count", "Payments to pile up (default 120000).", (1, 100_000_000));
        var latency = TargetOptions.Whole(
            "--latency-ms", "The provider's latency while draining (default 1000).", (0, 60_000));
        var connections = TargetOptions.Whole(
            "--connections", "Connections of the closed loop that fills (default 64).", (1, 4096));
        var bound = TargetOptions.Whole("--drain-seconds", "The longest wait for that (default 300).", (1, 86_400));
        var command = new ExampleCommand("drain", Help, Examples) { count, latency, connections, bound };
        var target = new TargetOptions().AddTo(command, Goals.OfDrain);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) =>
            {
                var defaults = new DrainPlan();
                var plan = new DrainPlan
                {
                    Count = parsed.GetValue(count) ?? defaults.Count,
                    LatencyMs = parsed.GetValue(latency) ?? defaults.LatencyMs,
                    Connections = parsed.GetValue(connections) ?? defaults.Connections,
                    DrainSeconds = parsed.GetValue(bound) ?? defaults.DrainSeconds,
                };
                return new DrainRun(session, plan).RunAsync(blank, cancel);
            },
            cancel));
        return command;
    }
}
