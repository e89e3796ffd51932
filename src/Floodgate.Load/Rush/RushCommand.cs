using System.CommandLine;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;

namespace Floodgate.Load.Rush;

/// <summary>The command line of <c>rush</c>.</summary>
internal sealed class RushCommand
{
    private const string Help =
        "Play a whole on-sale: a crowd before the opening, a spike, a tail; waiting room, seats, payments, fairness.";

    private const string Examples = """
          ./floodgate load rush
          ./floodgate load rush --buyers 100000 --seats 100x50 --html report/rush.html --expect-overtaken 0
          ./floodgate load rush --buyers 100000 --seats 100x50 --rate-max 50     kill and restart the server meanwhile

          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    private readonly Option<int?> buyers = TargetOptions.Whole(
        "--buyers", "All who come (default 10000).", (1, 1_000_000));

    private readonly Option<string?> seats = RunOptions.Seats("Rows of seats, e.g. 100x50 (default 50x20).");

    private readonly Option<int?> perOrder = TargetOptions.Whole(
        "--best-available", "Seats side by side in an order (default 2).", (1, 10));

    private readonly Option<int?> earlyPercent = TargetOptions.Whole(
        "--early", "Percent who come before the opening (default 60).", (0, 100));

    private readonly Option<int?> earlySeconds = TargetOptions.Whole(
        "--early-seconds", "How long before the opening the first comes (default 20).", (1, 3600));

    private readonly Option<int?> spikePercent = TargetOptions.Whole(
        "--spike", "Percent who come right after the opening; the rest is the tail (default 30).", (0, 100));

    private readonly Option<int?> spikeSeconds = TargetOptions.Whole(
        "--spike-seconds", "How long the spike lasts (default 5).", (1, 3600));

    private readonly Option<int?> tailSeconds = TargetOptions.Whole(
        "--tail-seconds", "How long after the opening the last one comes (default 30).", (1, 86_400));

    private readonly Option<int?> giveUp = TargetOptions.Whole(
        "--give-up", "Percent who give up waiting, half of them without a word (default 6).", (0, 50));

    private readonly Option<int?> changeMind = TargetOptions.Whole(
        "--change-mind", "Percent who hold seats and give them back unpaid (default 3).", (0, 50));

    private readonly Option<int?> activeMax = TargetOptions.Whole(
        "--active-max", "Places inside (default 500).", (1, 1_000_000));

    private readonly Option<int?> rateMax = TargetOptions.Whole(
        "--rate-max", "The ceiling of the admission rate, per second (default 500).", (1, 100_000));

    private readonly Option<int?> connections = TargetOptions.Whole(
        "--connections", "Connections that carry everybody (default 256).", (1, 4096));

    private readonly Option<int?> secondsMax = TargetOptions.Whole(
        "--seconds-max", "The longest run, from the opening (default 900).", (1, 86_400));

    private readonly RunOptions common = new();

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new RushCommand();
        var command = new ExampleCommand("rush", Help, Examples)
        {
            options.buyers, options.seats, options.perOrder, options.earlyPercent, options.earlySeconds,
            options.spikePercent, options.spikeSeconds, options.tailSeconds, options.giveUp, options.changeMind,
            options.activeMax, options.rateMax, options.connections, options.secondsMax,
        };
        options.common.AddTo(command, withDesigns: false);
        command.Validators.Add(result =>
        {
            var plan = options.Plan(result.GetValue);
            if (plan.EarlyPercent + plan.SpikePercent > 100)
            {
                result.AddError(
                    $"--early {plan.EarlyPercent} and --spike {plan.SpikePercent} are more than 100 percent.");
            }

            if (plan.TailSeconds < plan.SpikeSeconds)
            {
                result.AddError($"--tail-seconds {plan.TailSeconds} is less than --spike-seconds {plan.SpikeSeconds}.");
            }
        });
        var target = new TargetOptions().AddTo(command, SaleGoals.OfRush);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) => new RushRun(session, options.Plan(parsed.GetValue) with
            {
                Seats = parsed.GetValue(options.seats) is { } text ? SeatBlock.Read(text)! : new RushPlan().Seats,
                NoOpSeconds = options.common.NoOpSeconds(parsed),
                TimeoutSeconds = options.common.TimeoutSeconds(parsed),
            }).RunAsync(blank, cancel),
            cancel));
        return command;
    }

    private RushPlan Plan(Func<Option<int?>, int?> valueOf)
    {
        var blank = new RushPlan();
        return blank with
        {
            Buyers = valueOf(buyers) ?? blank.Buyers,
            PerOrder = valueOf(perOrder) ?? blank.PerOrder,
            EarlyPercent = valueOf(earlyPercent) ?? blank.EarlyPercent,
            EarlySeconds = valueOf(earlySeconds) ?? blank.EarlySeconds,
            SpikePercent = valueOf(spikePercent) ?? blank.SpikePercent,
            SpikeSeconds = valueOf(spikeSeconds) ?? blank.SpikeSeconds,
            TailSeconds = valueOf(tailSeconds) ?? blank.TailSeconds,
            GiveUpPercent = valueOf(giveUp) ?? blank.GiveUpPercent,
            ChangeMindPercent = valueOf(changeMind) ?? blank.ChangeMindPercent,
            ActiveMax = valueOf(activeMax) ?? blank.ActiveMax,
            RateMax = valueOf(rateMax) ?? blank.RateMax,
            Connections = valueOf(connections) ?? blank.Connections,
            SecondsMax = valueOf(secondsMax) ?? blank.SecondsMax,
        };
    }
}
