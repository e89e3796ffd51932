using System.CommandLine;
using Floodgate.Load.Reports;

namespace Floodgate.Load.Browse;

/// <summary>The command line of <c>browse</c>.</summary>
internal static class BrowseCommand
{
    private const string Help =
        "Read pages of a catalogue of 1,000 products, cached and uncached, beside the no-op endpoint.";

    private const string Examples = """
          ./floodgate load browse --expect-ratio 0.6 --expect-speed-up 3.3 --expect-mean-ms 6.99
          ./floodgate load browse --connections 16 --seconds 20 --html report/browse.html

          Exit codes: 0 all good, 1 could not run, 2 a page was wrong, 3 a goal given with --expect-... was missed.
        """;

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var connections = TargetOptions.Whole(
            "--connections", "Connections of each closed loop (default 64).", (1, 4096));
        var seconds = TargetOptions.Whole("--seconds", "How long each loop lasts (default 5).", (1, 3600));
        var products = TargetOptions.Whole("--products", "Products in the sale (default 1000).", (1, 100_000));
        var limit = TargetOptions.Whole("--limit", "Products on the long page (default 1000).", (1, 1000));
        var timeout = TargetOptions.Whole(
            "--timeout-seconds", "An answer that takes longer counts as an error (default 30).", (1, 600));
        var command = new ExampleCommand("browse", Help, Examples) { connections, seconds, products, limit, timeout };
        var target = new TargetOptions().AddTo(command, SaleGoals.OfBrowse);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) =>
            {
                var defaults = new BrowsePlan();
                var plan = new BrowsePlan
                {
                    Connections = parsed.GetValue(connections) ?? defaults.Connections,
                    Seconds = parsed.GetValue(seconds) ?? defaults.Seconds,
                    Products = parsed.GetValue(products) ?? defaults.Products,
                    Limit = parsed.GetValue(limit) ?? defaults.Limit,
                    TimeoutSeconds = parsed.GetValue(timeout) ?? defaults.TimeoutSeconds,
                };
                return new BrowseRun(session, plan).RunAsync(blank, cancel);
            },
            cancel));
        return command;
    }
}
