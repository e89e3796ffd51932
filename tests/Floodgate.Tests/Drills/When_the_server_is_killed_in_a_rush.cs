using System.Text.Json;
using Floodgate.Load;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a server that dies while a crowd waits loses nobody's place, sells every seat once, and goes on where it was.
// Method: the load tool's rush against the real process, kill -9 when a part is sold, start again; the tool's own audit
// of places, order of admission, seats and money is the witness.
[Collection(Drill.Collection)]
public sealed class When_the_server_is_killed_in_a_rush(PostgreSqlServer postgres)
{
    private static readonly string[] Rush =
    [
        "rush", "--buyers", "600", "--seats", "10x10", "--early", "20", "--spike", "60", "--early-seconds", "2",
        "--spike-seconds", "2", "--tail-seconds", "4", "--rate-max", "30", "--active-max", "30", "--connections", "32",
        "--no-op-yardstick", "false", "--json", "--expect-sold", "100", "--expect-overtaken", "0",
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Everybody_keeps_the_place_and_all_is_sold(bool onPostgreSql)
    {
        var environment = new Dictionary<string, string>
        {
            ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = onPostgreSql ? await postgres.CreateDatabaseAsync() : "",
            ["FLOODGATE__PROVIDERS__SIMULATED__LATENCYMS"] = "20",
            ["FLOODGATE__PROVIDERS__CALLTIMEOUTMS"] = "500",
            ["FLOODGATE__CHARGES__RETRYDELAYMSMAX"] = "500",
            ["FLOODGATE__ADMISSION__ABANDONEDSECONDS"] = "20",
        };
        var journals = Directory.CreateTempSubdirectory("floodgate-journal-");
        environment["FLOODGATE__PROVIDERS__SIMULATED__JOURNAL"] = Path.Combine(journals.FullName, "provider");
        await using var server = await FloodgateProcess.StartAsync(environment, "up", "--demo");
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Synchronized(progress), "rushkill");
        var rush = CommandLine.RunAsync([.. Rush, "--url", server.Url.OriginalString], around);

        var api = new ServerApi(server.Http);
        await Eventually.HoldsAsync(
            async () => (await api.ListAsync("/v1/orders?limit=1000"))
                .Count(order => order.GetProperty("status").GetString() == "CONFIRMED") >= 10,
            () => $"some have bought.\n{progress}\n{server.Output}");
        server.Kill();
        await server.StartAgainAsync();

        var code = await rush;
        Assert.True(code == 0, $"the rush ended with {code}\n{output}\n{progress}\n{server.Output}");
        var report = JsonDocument.Parse(output.ToString()).RootElement;
        Assert.True(report.GetProperty("load").GetProperty("errors").GetInt64() > 0, "the server was away");
        journals.Delete(recursive: true);
    }
}
