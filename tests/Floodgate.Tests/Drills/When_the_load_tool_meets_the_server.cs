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
        foreach (var run in new[] { Accept, Drain, ["audit"] })
        {
            using var output = new StringWriter();
            using var progress = new StringWriter();
            var around = new Surroundings(TimeProvider.System, output, TextWriter.Synchronized(progress), "drill001");
            var code = await CommandLine.RunAsync([.. run, "--url", server.Url.OriginalString], around);
            Assert.True(code == 0, $"{run[0]} ended with {code}\n{output}\n{progress}");
        }
    }
}
