using System.CommandLine;
using System.Globalization;
using Floodgate.Load.Reports;

namespace Floodgate.Load.Accept;

/// <summary>The command line of <c>accept</c>.</summary>
internal sealed class AcceptCommand
{
    private const string Help = "Send payments, wait until all are final, and audit every one of them.";

    private const string Examples = """
          ./floodgate load accept --rate 2000 --seconds 60 --expect-mean-ms 1 --expect-p99-ms 10 --expect-dropped 0
          ./floodgate load accept --closed --seconds 20 --expect-ratio 0.6
          ./floodgate load accept --closed --count 100000 --merchants 1000 --html report/spread.html
          ./floodgate load accept --rate 500 --seconds 120 --outage-at 20 --outage-seconds 30 --html report/outage.html
          ./floodgate load accept --curve 10000,100000,1000000 --expect-flat 1.2

          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    private readonly Option<int?> merchants = TargetOptions.Whole(
        "--merchants", "Create so many merchants and spread payments over them (default 1 = the one of --key).",
        (1, 10_000));

    private readonly Option<int?> users = TargetOptions.Whole(
        "--users", "Different users who pay (default: each payment has its own).", (1, 100_000_000));

    private readonly Option<string?> curve = new("--curve")
    {
        Description = "Fill to each of these sizes and measure the cost per payment there, e.g. 10000,100000,1000000.",
    };

    private readonly Option<int?> curveSample = TargetOptions.Whole(
        "--curve-sample", "Payments measured at each point of the curve (default 20000).", (100, 1_000_000));

    private readonly Option<int?> outageAt = TargetOptions.Whole(
        "--outage-at", "Take the provider away so many seconds into the load.", (0, 86_400));

    private readonly Option<int?> outageSeconds = TargetOptions.Whole(
        "--outage-seconds", "How long the provider stays away (default 30).", (1, 86_400));

    private readonly Option<bool> waitFinal = new("--wait-final")
    {
        Description = "Wait after the load until every accepted payment is final (the audit demands it).",
        DefaultValueFactory = _ => true,
    };

    private readonly RunOptions common = new();
    private readonly LoopOptions loop;

    private AcceptCommand() => loop = new(common, 1, AcceptPlan.RateDefault);

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new AcceptCommand();
        var loop = options.loop;
        var command = new ExampleCommand("accept", Help, Examples)
        {
            loop.Rate, loop.Seconds, loop.Closed, loop.Count, loop.Connections, options.merchants, options.users,
            loop.WarmUp, options.curve, options.curveSample, options.outageAt, options.outageSeconds, options.waitFinal,
            loop.DrainSeconds, loop.LateMs,
        };
        options.common.AddTo(command, withDesigns: false);
        loop.Validate(command);
        options.Validate(command);
        var target = new TargetOptions().AddTo(command, Goals.OfAccept);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) => new AcceptRun(session, options.Plan(parsed)).RunAsync(blank, cancel),
            cancel));
        return command;
    }

    private void Validate(Command command)
    {
        command.Validators.Add(result =>
        {
            if (result.GetValue(curve) is { } sizes && !TrySizes(sizes, out _))
            {
                result.AddError($"--curve {sizes} must be growing whole numbers with commas, e.g. 10000,100000.");
            }
        });
    }

    private AcceptPlan Plan(ParseResult parsed)
    {
        var blank = loop.Read(parsed, new AcceptPlan());
        return blank with
        {
            Merchants = parsed.GetValue(merchants) ?? blank.Merchants,
            Users = parsed.GetValue(users) ?? blank.Users,
            Curve = parsed.GetValue(curve) is { } text && TrySizes(text, out var sizes) ? sizes : blank.Curve,
            CurveSample = parsed.GetValue(curveSample) ?? blank.CurveSample,
            OutageAt = parsed.GetValue(outageAt),
            OutageSeconds = parsed.GetValue(outageSeconds) ?? blank.OutageSeconds,
            WaitFinal = parsed.GetValue(waitFinal),
        };
    }

    private static bool TrySizes(string text, out IReadOnlyList<int> sizes)
    {
        var read = new List<int>();
        foreach (var part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                || size < 2 || size <= read.LastOrDefault())
            {
                sizes = [];
                return false;
            }

            read.Add(size);
        }

        sizes = read;
        return true;
    }
}
