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

    private readonly RunOptions common = new();
    private readonly LoopOptions loop;

    private OrderCommand() => loop = new(common, 2, OrderPlan.RateDefault);

    /// <summary>The command, ready to add to the root.</summary>
    public static Command Build(Surroundings around)
    {
        var options = new OrderCommand();
        var loop = options.loop;
        var command = new ExampleCommand("order", Help, Examples)
        {
            loop.Rate, loop.Seconds, loop.Closed, loop.Count, loop.Connections, options.method, options.wallets,
            options.products, options.mixed, options.wait, loop.WarmUp, loop.DrainSeconds, loop.LateMs,
        };
        options.method.AcceptOnlyFromAmong("wallet", "gateway");
        options.common.AddTo(command, withDesigns: true);
        loop.Validate(command);
        command.Validators.Add(result =>
        {
            if (!result.GetValue(loop.Closed) && result.GetValue(loop.Count) is not null)
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
        var blank = loop.Read(parsed, new OrderPlan());
        return blank with
        {
            ByWallet = parsed.GetValue(method) == "wallet",
            Wallets = parsed.GetValue(wallets) ?? blank.Wallets,
            Products = parsed.GetValue(products) ?? blank.Products,
            Mixed = parsed.GetValue(mixed),
            WaitPercent = parsed.GetValue(wait) ?? blank.WaitPercent,
            YardstickPostgres = parsed.GetValue(common.Postgres),
            YardstickSeconds = common.YardstickSeconds(parsed),
        };
    }
}
