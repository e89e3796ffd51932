using Floodgate.Load;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: load tool and server, written apart, keep one contract: the tool's own audit finds nothing. Method: both for
// real, with little load.
[Collection(Drill.Collection)]
public sealed class When_the_load_tool_meets_the_server(PostgreSqlServer postgres)
{
    private static readonly string[] Accept =
        ["accept", "--rate", "200", "--seconds", "3", "--no-op-seconds", "1", "--warm-up", "20"];

    private static readonly string[] Drain = ["drain", "--count", "500", "--latency-ms", "100"];

    private static readonly string[][] Sale =
    [
        ["hold", "--buyers", "300", "--units", "20", "--repeat", "2"],
        ["hold", "--buyers", "20", "--seats", "10x10", "--best-available", "2", "--until-sold-out"],
        ["order", "--rate", "100", "--seconds", "3", "--mixed", "--expect-success", "1"],
        ["order", "--closed", "--count", "300", "--method", "wallet", "--wallets", "20", "--expect-success", "1"],
        ["browse", "--seconds", "1", "--products", "60", "--limit", "60"],
        ["queue", "--count", "500", "--warm-up", "50", "--streams", "50", "--stream-seconds", "6",
            "--expect-overtaken", "0"],
        ["rush", "--buyers", "300", "--seats", "5x10", "--early-seconds", "1", "--spike-seconds", "1", "--tail-seconds",
            "2", "--expect-sold", "50", "--expect-overtaken", "0"],
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Its_runs_succeed_and_its_audit_finds_nothing(bool onPostgreSql)
    {
        var environment = new Dictionary<string, string>
        {
            ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = onPostgreSql ? await postgres.CreateDatabaseAsync() : "",
            ["FLOODGATE__PROVIDERS__SIMULATED__LATENCYMS"] = "20",
        };
        await using var server = await FloodgateProcess.StartAsync(environment, "up", "--demo");
        // Sales on one of the databases: the rules are the same, and these are the longest runs.
        var runs = new[] { Accept, Drain }.Concat(onPostgreSql ? [] : Sale).Append(["audit"]);
        foreach (var (run, number) in runs.Select((run, i) => (run, i)))
        {
            using var output = new StringWriter();
            using var progress = new StringWriter();
            var around = new Surroundings(
                TimeProvider.System, output, TextWriter.Synchronized(progress), $"drill{number:D3}");
            string[] quick = run[0] is "hold" or "order" or "queue" or "rush" ? ["--no-op-yardstick", "false"] : [];
            var code = await CommandLine.RunAsync([.. run, .. quick, "--url", server.Url.OriginalString], around);
            Assert.True(code == 0, $"{run[0]} ended with {code}\n{output}\n{progress}");
        }
    }
}
