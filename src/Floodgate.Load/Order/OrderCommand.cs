using System.CommandLine;
using Floodgate.Load.Reports;

namespace Floodgate.Load.Order;

/// <summary>The command line of <c>order</c>.</summary>
internal sealed class OrderCommand
{
    private const string Help =
        "Send whole orders with their payment, wait until all are final, and audit orders, stock and money.";

    private const string Examples = """
          ./floodgate load order --rate 1000 --seconds 180 --method wallet --mixed --expect-success 1
          ./floodgate load order --closed --count 100000 --method wallet --expect-rate 5000 --expect-final-p95-ms 500
          ./floodgate load order --closed --seconds 20 --yardstick-postgres "Host=127.0.0.1;Username=postgres"

          Exit codes: 0 all good, 1 could not run, 2 the audit failed, 3 a goal given with --expect-... was missed.
        """;

    private readonly Option<int?> rate = TargetOptions.Whole(
        "--rate", "Open loop: orders per second, evenly spaced (default 200).", (2, 100_000));

    private readonly Option<int?> seconds = TargetOptions.Whole(
        "--seconds", "How long the load lasts (default 10).", (1, 86_400));

    private readonly Option<bool> closed = new("--closed")
    {
        Description = "Closed loop: each connection sends its next order when the last one is answered.",
    };

    private readonly Option<int?> count = TargetOptions.Whole(
        "--count", "Closed loop: end after so many orders instead of --seconds.", (1, 100_000_000));

    private readonly Option<int?> connections = TargetOptions.Whole(
        "--connections", "Connections: all of them in a closed loop (default 64), at most in an open one (256).",
        (1, 4096));

    private readonly Option<string?> method = new("--method")
    {
        Description = "How buyers pay: wallet or gateway (default gateway).",
    };

    private readonly Option<int?> wallets = TargetOptions.Whole(
        "--wallets", "Buyers with a wallet, filled before the load (default 1000).", (1, 100_000));

    private readonly Option<int?> products = TargetOptions.Whole(
        "--products", "Products over which the orders are spread (default 20).", (1, 1000));

    private readonly Option<bool> mixed = new("--mixed")
    {
        Description = "With declines, abandoned holds, cancellations whole and in part, repeats and double payments.",
    };

    private readonly Option<int?> wait = TargetOptions.Whole(
        "--wait", "Percent of the orders whose buyer waits for the final state, which times it (default 2).", (0, 50));

    private readonly Option<int?> warmUp = TargetOptions.Whole(
        "--warm-up", "Orders before the measured load; audited, not measured (default 0).", (0, 1_000_000));

    private readonly Option<int?> drainSeconds = TargetOptions.Whole(
        "--drain-seconds", "The longest wait for the final states (default 300).", (1, 86_400));

    private readonly Option<int?> lateMs = TargetOptions.Whole(
        "--late-ms", "Open loop: an arrival that waits longer for a free connection is dropped (default 1000).",
        (1, 60_000));

    private readonly SaleOptions common = new();

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new OrderCommand();
        var command = new ExampleCommand("order", Help, Examples)
        {
            options.rate, options.seconds, options.closed, options.count, options.connections, options.method,
            options.wallets, options.products, options.mixed, options.wait, options.warmUp, options.drainSeconds,
            options.lateMs,
        };
        options.method.AcceptOnlyFromAmong("wallet", "gateway");
        options.common.AddTo(command, withDesigns: true);
        command.Validators.Add(result =>
        {
            if (result.GetValue(options.closed) && result.GetValue(options.rate) is not null)
            {
                result.AddError("--rate is for the open loop; leave it out or leave out --closed.");
            }

            if (!result.GetValue(options.closed) && result.GetValue(options.count) is not null)
            {
                result.AddError("--count is for the closed loop; say --seconds, or --closed.");
            }
        });
        var target = new TargetOptions().AddTo(command, SaleGoals.OfOrder);
        command.SetAction((parsed, cancel) => target.RunAsync(
            parsed,
            around,
            (session, blank) => new OrderRun(session, options.Plan(parsed)).RunAsync(blank, cancel),
            cancel));
        return command;
    }

    private OrderPlan Plan(ParseResult parsed)
    {
        var blank = new OrderPlan();
        return blank with
        {
            Closed = parsed.GetValue(closed),
            RatePerSecond = parsed.GetValue(rate) ?? blank.RatePerSecond,
            Seconds = parsed.GetValue(seconds) ?? blank.Seconds,
            Count = parsed.GetValue(count),
            Connections = parsed.GetValue(connections),
            ByWallet = parsed.GetValue(method) == "wallet",
            Wallets = parsed.GetValue(wallets) ?? blank.Wallets,
            Products = parsed.GetValue(products) ?? blank.Products,
            Mixed = parsed.GetValue(mixed),
            WaitPercent = parsed.GetValue(wait) ?? blank.WaitPercent,
            WarmUp = parsed.GetValue(warmUp) ?? blank.WarmUp,
            DrainSeconds = parsed.GetValue(drainSeconds) ?? blank.DrainSeconds,
            LateMsMax = parsed.GetValue(lateMs) ?? blank.LateMsMax,
            NoOpSeconds = common.NoOpSeconds(parsed),
            TimeoutSeconds = common.TimeoutSeconds(parsed),
            YardstickPostgres = parsed.GetValue(common.Postgres),
            YardstickSeconds = common.YardstickSeconds(parsed),
        };
    }
}
