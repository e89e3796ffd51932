using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Floodgate.Tests.Tidy;
using Xunit;

namespace Floodgate.Tests.Deploy;

// Goal: what is deployed names settings that exist, fits the machine it is made for, and can be read by the programs it
// is for. Method: the files of deploy/ against the settings reference, and the shell itself.
public sealed partial class DeployTests
{
    private const decimal CoresMax = 4;
    private const decimal MegabytesMax = 16 * 1024;
    private static readonly string Folder = Path.Combine(Repository.Root, "deploy");

    [Fact]
    public void Every_setting_that_is_deployed_exists()
    {
        var reference = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "settings.md"));
        var known = SettingRow().Matches(reference)
            .Select(m => m.Groups[1].Value.Replace(":", "__", StringComparison.Ordinal).ToUpperInvariant()).ToHashSet();
        var used = Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
            .SelectMany(file => Variable().Matches(File.ReadAllText(file)).Select(m => (file, m.Groups[1].Value)))
            .ToList();

        Assert.True(known.Count > 50 && used.Count > 20, $"{known.Count} settings, {used.Count} uses");
        Assert.All(used, use => Assert.True(known.Contains(use.Value), $"{use.file}: FLOODGATE__{use.Value}"));
    }

    [Fact]
    public void The_containers_of_one_host_fit_four_cores_and_sixteen_gigabytes()
    {
        var file = File.ReadAllText(Path.Combine(Folder, "compose", "compose.yaml"));
        var end = file.IndexOf("\nvolumes:", StringComparison.Ordinal);
        var text = file[file.IndexOf("services:", StringComparison.Ordinal)..end];
        var limits = Limits().Matches(text)
            .Select(m => (
                m.Index,
                Cores: decimal.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture),
                Megabytes: decimal.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture)
                    * (m.Groups[3].Value == "G" ? 1024 : 1)))
            .ToList();

        // A service that is only another name of the one before it has that one's limits.
        var twins = Twin().Matches(text).Select(twin => limits.FindLast(limit => limit.Index < twin.Index)).ToList();
        Assert.Equal(2, twins.Count);
        Assert.Equal(Service().Count(text), limits.Count + twins.Count);
        var all = limits.Concat(twins).ToList();
        Assert.True(all.Sum(l => l.Cores) <= CoresMax, $"{all.Sum(l => l.Cores)} cores");
        Assert.True(all.Sum(l => l.Megabytes) <= MegabytesMax, $"{all.Sum(l => l.Megabytes)} MB");
    }

    [Theory]
    [InlineData("cluster/cluster")]
    [InlineData("cluster/drill")]
    [InlineData("single-server.sh")]
    [InlineData("compose/replication.sh")]
    public async Task A_script_can_be_read_by_its_shell(string script)
    {
        var path = Path.Combine(Folder, script);
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", "bash -n \"$0\" && test -x \"$0\"", path])
        {
            RedirectStandardError = true,
        })!;
        var told = await bash.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(bash.ExitCode == 0, $"{script} must be executable and without faults. {told}");
    }

    [GeneratedRegex(@"^\| `([A-Za-z0-9:]+)` \|", RegexOptions.Multiline)]
    private static partial Regex SettingRow();

    [GeneratedRegex(@"FLOODGATE__([A-Z_]+)\b")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^  ([a-z0-9-]+):(?: &\w+| \*\w+)?$", RegexOptions.Multiline)]
    private static partial Regex Service();

    [GeneratedRegex(@"cpus: ""([0-9.]+)"", memory: (\d+)([GM])")]
    private static partial Regex Limits();

    [GeneratedRegex(@"^  [a-z0-9]+2: \*(\w+)$", RegexOptions.Multiline)]
    private static partial Regex Twin();
}
