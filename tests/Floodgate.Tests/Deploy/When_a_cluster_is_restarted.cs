using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Tidy;
using Xunit;

namespace Floodgate.Tests.Deploy;

// Goal: the cluster of deploy/ starts as it says, and nobody notices that each node in turn is stopped and started.
// Method: its own scripts, real Nginx, PostgreSQL with a replica, Redis with Sentinel and three brokers; orders come in
// meanwhile, and the load tool audits every one.
public sealed partial class When_a_cluster_is_restarted
{
    private const int Ports = 12;

    private static readonly string Scripts = Path.Combine(Repository.Root, "deploy", "cluster");

    [Fact]
    public async Task Node_by_node_no_order_is_refused_lost_or_paid_twice()
    {
        var folder = Directory.CreateTempSubdirectory("floodgate-cluster-").FullName;
        var around = new Dictionary<string, string?>
        {
            ["CLUSTER_DIR"] = Path.Combine(folder, "cluster"),
            ["CLUSTER_PORT"] = FreeRange().ToString(CultureInfo.InvariantCulture),
            ["CLUSTER_PROGRAM"] = await ProgramAsync(folder),
            ["KAFKA_BOOTSTRAP"] = "",
        };
        if (!OperatingSystem.IsWindows())
        {
            // PostgreSQL runs as another user than root.
            File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        }

        try
        {
            var (started, startText) = await RunAsync(around, "cluster", "start");
            Assert.True(started == 0, startText);
            var (code, text) = await RunAsync(around, "drill", "rolling", "40", "24");
            Assert.True(code == 0, text);
            Assert.True(Untouched().IsMatch(text) && Moved().IsMatch(text), text);
        }
        finally
        {
            var (_, told) = await RunAsync(around, "cluster", "clean");
            TestContext.Current.TestOutputHelper?.WriteLine(told);
            Directory.Delete(folder, recursive: true);
        }
    }

    [GeneratedRegex(@"refused +0 +errors: 0\n(?s:.)*Audit: every check holds")]
    private static partial Regex Untouched();

    [GeneratedRegex("partitions moved +[1-9]")]
    private static partial Regex Moved();

    // What the tests were built with, so that nothing is built again.
    private static async Task<string> ProgramAsync(string folder)
    {
        var program = Path.Combine(folder, "floodgate");
        await File.WriteAllTextAsync(program, $"""
            #!/usr/bin/env bash
            dll=Floodgate.dll
            if [[ "$1" == load ]]; then dll=floodgate-load.dll; shift; fi
            exec dotnet "{AppContext.BaseDirectory}$dll" "$@"
            """);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        return program;
    }

    private static async Task<(int Code, string Text)> RunAsync(
        Dictionary<string, string?> around, string script, params string[] arguments)
    {
        // Into a file: what stays running would keep a pipe open.
        var output = Path.Combine(Path.GetDirectoryName(around["CLUSTER_DIR"])!, "output");
        var start = new ProcessStartInfo(
            "bash", ["-c", "exec \"$@\" >\"$0\" 2>&1 </dev/null", output, Path.Combine(Scripts, script), .. arguments]);
        foreach (var (name, value) in around)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await File.ReadAllTextAsync(output));
    }

    // Below the ports that the kernel hands out by itself.
    private static int FreeRange() => Enumerable.Range(FreePort.Next(), 750)
        .Select(n => (1_250 + (n % 750)) * 16)
        .First(first => Enumerable.Range(first, Ports).All(IsFree));

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
