using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Drills;

// Goal: who starts the program with wrong settings learns everything that is wrong at once, from its output and its
// exit code, and nothing is served. Method: the real process, with settings from file, environment and flags.
[Collection(Drill.Collection)]
public sealed class When_settings_are_wrong
{
    // Goal: one start shows all errors. Method: four wrong ones in three places.
    [Fact]
    public async Task All_of_them_are_named_with_their_source_and_the_code_is_78()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("floodgate-settings-").FullName, "wrong.json");
        await File.WriteAllTextAsync(file, """{"Charges":{"QueueMax":0,"QueueSize":10}}""");
        var environment = new Dictionary<string, string>
        {
            ["FLOODGATE__DATABASE__READERSMAX"] = "many",
            ["FLOODGATE__LOG__POLLMS"] = "5",
        };
        var (code, output) = await FloodgateProcess.RunAsync(
            environment, "up", "--settings", file, "--Providers:Gateway=paper", "--Charges:RetryDelayMsFirst=20000");
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);

        Assert.Equal(78, code);
        string[] expected =
        [
            "Charges:QueueMax is \"0\"",
            "Charges:QueueSize (from ",
            "Database:ReadersMax is \"many\"",
            "Log:PollMs is \"5\"",
            "Providers:Gateway is \"paper\"",
            "Charges:RetryDelayMsFirst is \"20000\"",
        ];
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(expected, start => Assert.Contains(lines, line => line.StartsWith(start)));
        Assert.Equal(expected.Length, lines.Length);
    }

    // Goal: a database that does not answer is another kind of error than a wrong setting. Method: a port where
    // nobody listens.
    [Fact]
    public async Task A_database_that_does_not_answer_ends_the_start_with_69()
    {
        var (code, output) = await FloodgateProcess.RunAsync(
            FrozenDictionary<string, string>.Empty,
            "serve",
            "--urls",
            $"http://127.0.0.1:{FreePort.Next()}",
            $"--Database:ConnectionString=Host=127.0.0.1;Port={FreePort.Next()};Username=u;Password=hunter2");

        Assert.Equal(69, code);
        Assert.Contains("Database:ConnectionString", output);
        Assert.DoesNotContain("hunter2", output);
    }

    // Goal: an address that is taken is named. Method: listen on it first.
    [Fact]
    public async Task A_port_in_use_ends_the_start_with_69()
    {
        using var other = new TcpListener(IPAddress.Loopback, port: 0);
        other.Start();
        var folder = Directory.CreateTempSubdirectory("floodgate-data-").FullName;
        var (code, output) = await FloodgateProcess.RunAsync(
            FrozenDictionary<string, string>.Empty,
            "up",
            "--data",
            folder,
            "--urls",
            $"http://127.0.0.1:{((IPEndPoint)other.LocalEndpoint).Port}");
        Directory.Delete(folder, recursive: true);

        Assert.Equal(69, code);
        Assert.Contains("Server:Urls", output);
        Assert.Contains("--urls", output);
    }
}
