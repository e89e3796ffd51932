using System.Text.Json;
using Floodgate.Load;

namespace Floodgate.Tests.Load;

/// <summary>Runs the load tool in this process as the command line would, and reads its JSON report.</summary>
internal sealed record LoadRun(int ExitCode, JsonElement Report, string Progress)
{
    /// <summary>Runs with <c>--json</c>; the report is empty when the tool printed none.</summary>
    public static Task<LoadRun> OfAsync(FakeServer server, params string[] args) =>
        NamedAsync(server, "testrun1", args);

    /// <summary>The same under another run id, as a second run would have.</summary>
    public static async Task<LoadRun> NamedAsync(FakeServer server, string runId, params string[] args)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var around = new Surroundings(TimeProvider.System, output, TextWriter.Synchronized(progress), runId);
        var code = await CommandLine.RunAsync([.. args, "--url", server.Url, "--json"], around);
        var text = output.ToString();
        return new LoadRun(
            code,
            text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default,
            progress.ToString());
    }

    /// <summary>The names of the audit's checks that do not hold.</summary>
    public List<string> FailedChecks() =>
    [
        .. Report.GetProperty("audit").GetProperty("checks").EnumerateArray()
            .Where(check => !check.GetProperty("holds").GetBoolean())
            .Select(check => check.GetProperty("name").GetString()!),
    ];
}
