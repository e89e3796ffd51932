using System.CommandLine;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;

namespace Floodgate.Load.Hold;

/// <summary>The command line of <c>hold</c>.</summary>
internal sealed class HoldCommand
{
    private const string Help =
        "Let a crowd fight for one product, an order without payment each, and check that just what there was is held.";

    private const string Examples = """
          ./floodgate load hold --buyers 10000 --units 1000 --html report/hold.html
          ./floodgate load hold --buyers 500 --units 10 --repeat 50
          ./floodgate load hold --buyers 500 --seats 5x10 --repeat 50
          ./floodgate load hold --buyers 160 --seats 100x80 --best-available 2 --until-sold-out
          ./floodgate load hold --yardstick-postgres "Host=127.0.0.1;Username=postgres" --yardstick-redis :6379 \
            --expect-designs 10 --expect-lock 20

          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    private readonly Option<int?> buyers = TargetOptions.Whole(
        "--buyers", "Buyers in a crowd (default 10000).", (1, 10_000_000));

    private readonly Option<int?> units = TargetOptions.Whole(
        "--units", "Units of the product (default 1000).", (1, 1_000_000_000));

    private readonly Option<string?> seats = RunOptions.Seats(
        "A product with rows of seats instead, e.g. 100x80; each buyer names a seat unless --best-available.");

    private readonly Option<int?> bestAvailable = TargetOptions.Whole(
        "--best-available", "Each order asks for so many units, or of the best seats.", (1, 100));

    private readonly Option<bool> untilSoldOut = new("--until-sold-out")
    {
        Description = "Each buyer orders again and again until nothing is left, on a connection of its own.",
    };

    private readonly Option<int?> connections = TargetOptions.Whole(
        "--connections", "Connections (default 64, or one for each buyer with --until-sold-out).", (1, 4096));

    private readonly Option<int?> repeat = TargetOptions.Whole(
        "--repeat", "Crowds, one after the other, each for a product of its own (default 1).", (1, 1000));

    private readonly Option<int?> warmUp = TargetOptions.Whole(
        "--warm-up", "Crowds before the measured ones; audited, not measured (default 0).", (0, 100));

    private readonly RunOptions common = new();

    private readonly Option<string?> redis = new("--yardstick-redis")
    {
        Description = "HOST:PORT of a Redis for the design with a lock; needs --yardstick-postgres.",
    };

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new HoldCommand();
        var command = new ExampleCommand("hold", Help, Examples)
        {
            options.buyers, options.units, options.seats, options.bestAvailable, options.untilSoldOut,
            options.connections, options.repeat, options.warmUp,
        };
        options.common.AddTo(command, withDesigns: true);
        command.Options.Add(options.redis);
        command.Validators.Add(result =>
        {
            if (result.GetValue(options.redis) is not null && result.GetValue(options.common.Postgres) is null)
            {
                result.AddError("--yardstick-redis needs --yardstick-postgres: the lock stands around a database.");
            }
        });
        var target = new TargetOptions().AddTo(command, SaleGoals.OfHold);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) => new HoldRun(session, options.Plan(parsed)).RunAsync(blank, cancel),
            cancel));
        return command;
    }

    private HoldPlan Plan(ParseResult parsed)
    {
        var blank = new HoldPlan();
        return blank with
        {
            Buyers = parsed.GetValue(buyers) ?? blank.Buyers,
            Units = parsed.GetValue(units) ?? blank.Units,
            Seats = parsed.GetValue(seats) is { } text ? SeatBlock.Read(text) : null,
            BestAvailable = parsed.GetValue(bestAvailable) ?? blank.BestAvailable,
            UntilSoldOut = parsed.GetValue(untilSoldOut),
            Connections = parsed.GetValue(connections),
            Repeat = parsed.GetValue(repeat) ?? blank.Repeat,
            WarmUp = parsed.GetValue(warmUp) ?? blank.WarmUp,
            NoOpSeconds = common.NoOpSeconds(parsed),
            TimeoutSeconds = common.TimeoutSeconds(parsed),
            YardstickPostgres = parsed.GetValue(common.Postgres),
            YardstickRedis = parsed.GetValue(redis),
            YardstickSeconds = common.YardstickSeconds(parsed),
        };
    }
}
