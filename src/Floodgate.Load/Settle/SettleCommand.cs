using System.CommandLine;
using System.Globalization;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Npgsql;

namespace Floodgate.Load.Settle;

/// <summary>The command line of <c>settle</c>.</summary>
internal sealed class SettleCommand
{
    private const int LinesMax = 20_000_000;

    private const string Help =
        "Write captured lines of few large and many small merchants into the server's database, have the day settled, "
            + "compute every payout independently and compare; beside it the same work in other designs.";

    private const string Examples = """
          ./floodgate load settle --database data/floodgate.db --lines 1000000 --expect-raw-ratio 1.5
          ./floodgate load settle --database "Host=127.0.0.1;Username=postgres;Database=floodgate" \
            --expect-seconds 4 --expect-raw-ratio 1.5 --expect-bulk-seconds 0.2
          ./floodgate load settle --database data/floodgate.db --lines-only \
            --curve 10000,100000,1000000,10000000 --html report/settle.html

          The server must be an empty one for tests: its last days must not be closed, and the lines stay in it.
          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    private readonly Option<string> database = new("--database")
    {
        Description = "The database of the server under test: a PostgreSQL connection string, or the path of its "
            + "SQLite file (floodgate.db in the folder given by --data).",
        Required = true,
    };

    private readonly Option<int?> lines = TargetOptions.Whole(
        "--lines", "Captured and refunded lines of the day (default 1000000).", (1, LinesMax));

    private readonly Option<string?> curve = new("--curve")
    {
        Description = "Numbers of lines instead, e.g. 10000,100000,1000000: each gets a day; the last is measured.",
    };

    private readonly Option<int?> merchants = TargetOptions.Whole(
        "--merchants", "Merchants; number n has a share of 1/n (default 1000).", (1, 100_000));

    private readonly Option<bool> linesOnly = new("--lines-only")
    {
        Description = "Write no ledger entries for the lines: faster; the server's invariants are not judged.",
    };

    private readonly Option<int?> ladder = TargetOptions.Whole(
        "--ladder-lines", "Lines for the other designs; 0 measures none (default 100000).", (0, 1_000_000));

    private readonly Option<int?> pause = TargetOptions.Whole(
        "--pause-seconds", "Wait between writing the lines and settling them, to begin another load (default 0).",
        (0, 3_600));

    private readonly Option<int?> timeout = TargetOptions.Whole(
        "--timeout-seconds", "The longest that a day may take, in seconds (default 1800).", (1, 86_400));

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new SettleCommand();
        var command = new ExampleCommand("settle", Help, Examples)
        {
            options.database, options.lines, options.curve, options.merchants, options.linesOnly, options.ladder,
            options.pause, options.timeout,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(options.curve) is { } text && Sizes(text) is null)
            {
                result.AddError($"--curve {text} must be numbers from 1 to {LinesMax} by commas, at most 20 of them.");
            }

            if (result.GetValue(options.curve) is not null && result.GetValue(options.lines) is not null)
            {
                result.AddError("--lines and --curve exclude each other: the last of --curve is what is measured.");
            }
        });
        var target = new TargetOptions().AddTo(command, SaleGoals.OfSettle);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) => RunAsync(new SettleRun(session, options.Plan(parsed)), blank, cancel),
            cancel));
        return command;
    }

    private static async Task<RunReport> RunAsync(SettleRun run, RunReport blank, CancellationToken cancel)
    {
        try
        {
            return await run.RunAsync(blank, cancel);
        }
        catch (NpgsqlException broken)
        {
            throw new CannotRunException($"--database: {broken.Message}");
        }
    }

    private SettlePlan Plan(ParseResult parsed)
    {
        var blank = new SettlePlan();
        return blank with
        {
            Database = parsed.GetValue(database)!,
            Sizes = parsed.GetValue(curve) is { } text ? Sizes(text)!
                : parsed.GetValue(lines) is { } one ? [one]
                : blank.Sizes,
            Merchants = parsed.GetValue(merchants) ?? blank.Merchants,
            IsLinesOnly = parsed.GetValue(linesOnly),
            LadderLines = parsed.GetValue(ladder) ?? blank.LadderLines,
            PauseSeconds = parsed.GetValue(pause) ?? blank.PauseSeconds,
            TimeoutSeconds = parsed.GetValue(timeout) ?? blank.TimeoutSeconds,
        };
    }

    private static List<int>? Sizes(string text)
    {
        var sizes = text.Split(',').Select(word => int.TryParse(
            word, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0).ToList();
        return sizes.Count <= 20 && sizes.TrueForAll(size => size is > 0 and <= LinesMax) ? sizes : null;
    }
}
