using System.Text.Json;
using Floodgate.Load;
using Floodgate.Load.Settle;
using Floodgate.Tests.Drills;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Load;

// Goal: settle measures and judges the real server, on both databases, and a server that pays wrongly does not get
// through. Method: the real program and the whole command line, with little load.
[Collection(Drill.Collection)]
public sealed class When_days_are_settled_under_load(PostgreSqlServer postgres)
{
    private static readonly string[] Small = ["--merchants", "60", "--ladder-lines", "3000"];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_payout_is_right_and_the_ladder_stands_beside_it(bool onPostgreSql)
    {
        var connection = onPostgreSql ? await postgres.CreateDatabaseAsync() : "";
        await using var server = await StartAsync(connection);
        var database = onPostgreSql ? connection : FileOf(server);

        var run = await RunAsync(
            server,
            "first001",
            ["--database", database, "--curve", "500,4000", "--expect-raw-ratio", "0.0001", .. Small]);

        Assert.True(run.ExitCode == 3, run.Told); // All but the goal, which nobody meets.
        Assert.Contains("settle --url", run.Told, StringComparison.Ordinal);
        Assert.DoesNotContain(database, run.Told, StringComparison.Ordinal);
        var checks = run.Report.GetProperty("audit").GetProperty("checks").EnumerateArray().ToList();
        Assert.Equal(5, checks.Count);
        Assert.All(checks, check => Assert.True(
            check.GetProperty("holds").GetBoolean() && check.GetProperty("checked").GetInt64() > 0, run.Told));
        Assert.Equal(6, run.Report.GetProperty("designs").GetArrayLength());
        var figures = run.Report.GetProperty("figures").EnumerateArray()
            .ToLookup(f => f.GetProperty("name").GetString()!, f => f.GetProperty("value").GetDouble());
        Assert.Equal(4_000, figures["captured and refunded lines"].Single());
        Assert.True(figures["500 lines, peak memory"].Single() > 0 && figures["4,000 lines"].Single() > 0, run.Told);
        Assert.Equal(2, run.Report.GetProperty("pictures").GetArrayLength());

        // The days that it can use are taken now, but for one.
        var third = await RunAsync(
            server, "third001", ["--database", database, "--lines", "50", "--lines-only", .. Small]);
        Assert.True(third.ExitCode == 0, third.Told);
        Assert.Contains("--lines-only", third.Report.GetProperty("notes")[0].GetString(), StringComparison.Ordinal);
        var fourth = await RunAsync(server, "fourth01", ["--database", database, "--lines", "50", .. Small]);
        Assert.Equal(1, fourth.ExitCode);
        Assert.Contains("start a server on an empty database", fourth.Told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_pays_wrongly_fails_the_audit()
    {
        await using var server = await StartAsync("");
        using (var planted = SqliteBulk.Open(FileOf(server), "planted1"))
        {
            planted.Run("""
                create trigger planted after insert on settlement_rate when new.basis_points = 450 begin
                    update settlement_rate set basis_points = 451 where day = new.day
                        and account_id = new.account_id and class = new.class;
                end
                """);
        }

        var run = await RunAsync(server, "wrong001", ["--database", FileOf(server), "--lines", "4000", .. Small]);

        Assert.True(run.ExitCode == 2, run.Told);
        var failed = run.Report.GetProperty("audit").GetProperty("checks").EnumerateArray()
            .Where(check => !check.GetProperty("holds").GetBoolean())
            .Select(check => check.GetProperty("name").GetString()!).ToList();
        Assert.Contains("every payout is what the policies say, to the last minor unit", failed);
        Assert.DoesNotContain("the server's own invariants hold", failed);
    }

    [Fact]
    public async Task A_database_of_another_server_is_refused()
    {
        await using var server = await StartAsync("");
        await using var other = await StartAsync("");

        var run = await RunAsync(server, "other001", ["--database", FileOf(other), "--lines", "50", .. Small]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is not the one that the server", run.Told, StringComparison.Ordinal);

        var none = await RunAsync(server, "other002", ["--database", "/nowhere/floodgate.db", .. Small]);
        Assert.Equal(1, none.ExitCode);
        Assert.Contains("--data folder", none.Told, StringComparison.Ordinal);
    }

    private static string FileOf(FloodgateProcess server) => Path.Combine(server.DataFolder, "floodgate.db");

    private static Task<FloodgateProcess> StartAsync(string connection) => FloodgateProcess.StartAsync(
        new Dictionary<string, string> { ["FLOODGATE__DATABASE__CONNECTIONSTRING"] = connection }, "up", "--demo");

    private static async Task<(int ExitCode, JsonElement Report, string Told)> RunAsync(
        FloodgateProcess server, string runId, string[] args)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Synchronized(progress), runId);
        var code = await CommandLine.RunAsync(
            ["settle", "--url", server.Url.OriginalString, .. args, "--json"], around);
        var text = output.ToString();
        return (
            code, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default, $"{code}\n{text}\n{progress}");
    }
}
