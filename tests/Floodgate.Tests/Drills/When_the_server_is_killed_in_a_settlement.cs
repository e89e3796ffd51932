using System.Globalization;
using Floodgate.Load;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: a server that dies again and again in the middle of a settlement pays every merchant the right amount, once.
// Method: the load tool's settle against the real process, kill -9 at random places of the run, start again. The tool
// computes every payout by itself, which is the total of an undisturbed run, and asks for the server's invariants.
[Collection(Drill.Collection)]
public sealed class When_the_server_is_killed_in_a_settlement(PostgreSqlServer postgres)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_payouts_are_those_of_an_undisturbed_run(bool onPostgreSql)
    {
        var (lines, kills, chance) = (Drill.Lines(24_000), Drill.Kills(3), Drill.Chance());
        var connection = onPostgreSql ? await postgres.CreateDatabaseAsync() : "";
        var environment = new Dictionary<string, string>
        {
            ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = connection,
            ["FLOODGATE__SETTLEMENT__RANGELINES"] = (lines / 100).ToString(CultureInfo.InvariantCulture),
        };
        await using var server = await FloodgateProcess.StartAsync(environment, "up", "--demo");
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Synchronized(progress), "settlekill");
        var settling = CommandLine.RunAsync(
            [
                "settle", "--url", server.Url.OriginalString, "--merchants", "200", "--ladder-lines", "0",
                "--database", onPostgreSql ? connection : Path.Combine(server.DataFolder, "floodgate.db"),
                "--lines", lines.ToString(CultureInfo.InvariantCulture), "--json",
            ],
            around);

        var api = new ServerApi(server.Http);
        var killed = 0;
        foreach (var share in Enumerable.Range(0, kills).Select(_ => chance.NextDouble() * 0.9).Order())
        {
            var (done, isSettled) = (0L, false);
            await Eventually.HoldsAsync(
                async () =>
                {
                    (done, isSettled) = await FarAsync(api);
                    return isSettled || (done > 0 && done >= share * lines) || settling.IsCompleted;
                },
                () => $"the settlement comes to {share:P0}.\n{progress}\n{server.Output}");
            if (isSettled || settling.IsCompleted)
            {
                break;
            }

            server.Kill();
            Drill.Tell($"killed after {done} of {lines} lines");
            killed++;
            await server.StartAgainAsync();
        }

        var code = await settling;
        Assert.True(code == 0, $"settle ended with {code}\n{output}\n{progress}\n{server.Output}");
        Assert.True(killed > 0, "it was killed in the middle");
    }

    /// <summary>Lines settled of the latest run, and whether it is at its end.</summary>
    private static async Task<(long Done, bool IsSettled)> FarAsync(ServerApi api)
    {
        var runs = (await api.GetAsAdminAsync("/v1/settlements")).Json.GetProperty("data");
        return runs.GetArrayLength() == 0
            ? (0, false)
            : (runs[0].GetProperty("linesDone").GetInt64(), runs[0].GetProperty("status").GetString() == "SETTLED");
    }
}
