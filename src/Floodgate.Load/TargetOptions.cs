using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;

namespace Floodgate.Load;

/// <summary>The options that every command has: which server, which keys, which report.</summary>
internal sealed class TargetOptions
{
    private readonly Option<string> url = new("--url")
    {
        Description = "The server.",
        DefaultValueFactory = _ => "http://127.0.0.1:8080",
    };

    private readonly Option<string> key = new("--key")
    {
        Description = "Merchant key that pays.",
        DefaultValueFactory = _ => "fg_demo_merchant",
    };

    private readonly Option<string> adminKey = new("--admin-key")
    {
        Description = "Admin key that reads, steers and audits.",
        DefaultValueFactory = _ => "fg_demo_admin",
    };

    private readonly Option<string?> providerUrl = new("--provider-url")
    {
        Description = "A stand-alone provider whose statement and faults to use, e.g. http://127.0.0.1:8090.",
    };

    private readonly Option<bool> json = new("--json") { Description = "Print one JSON document instead of text." };

    private readonly Option<FileInfo?> html = new("--html")
    {
        Description = "Also write a self-contained HTML report with pictures to this file.",
    };

    private readonly List<(Goal Goal, Option<double?> Option)> goals = [];

    /// <summary>Adds the options, and one per goal, to a command.</summary>
    public TargetOptions AddTo(Command command, IReadOnlyList<Goal> goalsKnown)
    {
        command.Options.Add(url);
        command.Options.Add(key);
        command.Options.Add(adminKey);
        command.Options.Add(providerUrl);
        command.Options.Add(json);
        command.Options.Add(html);
        foreach (var goal in goalsKnown)
        {
            var option = new Option<double?>(goal.Option)
            {
                Description = $"Goal: {goal.Meaning}.",
            };
            goals.Add((goal, option));
            command.Options.Add(option);
        }

        return this;
    }

    /// <summary>
    /// Runs <paramref name="run"/> against the server of the options, judges the goals, writes the reports and returns
    /// the exit code. What makes a run impossible ends as one line on stderr and exit code 1.
    /// </summary>
    public async Task<int> RunAsync(
        ParseResult parsed,
        Surroundings around,
        Func<Session, RunReport, Task<RunReport>> run,
        CancellationToken cancel)
    {
        try
        {
            using var session = await Session.OpenAsync(Address(parsed), around, cancel);
            var blank = new RunReport
            {
                Command = parsed.CommandResult.Command.Name,
                CommandLine = Repeatable(parsed),
                StartedAt = around.Time.GetUtcNow(),
                Server = session.Address.Url.ToString(),
                Machine = Machine.Facts(),
            };
            var report = Judge(parsed, await run(session, blank));
            await WriteAsync(parsed, around, report, cancel);
            return report.ExitCode;
        }
        catch (Exception impossible) when (
            impossible is CannotRunException or HttpRequestException or SocketException or IOException)
        {
            await around.Progress.WriteLineAsync($"floodgate load: {impossible.Message}");
            return ExitCode.CouldNotRun;
        }
        catch (OperationCanceledException)
        {
            await around.Progress.WriteLineAsync("floodgate load: stopped before the end; nothing is reported.");
            return ExitCode.CouldNotRun;
        }
    }

    private string Repeatable(ParseResult parsed)
    {
        // Reports are mailed around, so they never show a key.
        var words = parsed.Tokens.Select((token, i) =>
            i > 0 && parsed.Tokens[i - 1].Value is var option && (option == key.Name || option == adminKey.Name
                || option is "--yardstick-postgres" or "--database")
                ? "***"
                : token.Value);
        return $"./floodgate {string.Join(' ', words)}"; // The first of them is load.
    }

    private TargetAddress Address(ParseResult parsed) => new(
        Absolute(url.Name, parsed.GetValue(url)!),
        parsed.GetValue(key)!,
        parsed.GetValue(adminKey)!,
        parsed.GetValue(providerUrl) is { } provider ? Absolute(providerUrl.Name, provider) : null);

    private static Uri Absolute(string option, string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var absolute) && absolute.Scheme.StartsWith("http")
            ? absolute
            : throw new CannotRunException($"{option} {value} is no address such as http://127.0.0.1:8080.");

    private RunReport Judge(ParseResult parsed, RunReport report)
    {
        var judged = goals
            .Select(goal => (goal.Goal, Expected: parsed.GetValue(goal.Option)))
            .Where(goal => goal.Expected is not null)
            .Select(goal => Goals.Judge(goal.Goal, goal.Expected!.Value, report))
            .ToList();
        var code = report.Audit is { Holds: false } ? ExitCode.AuditFailed
            : judged.TrueForAll(goal => goal.Met) ? ExitCode.Good
            : ExitCode.GoalMissed;
        return report with { Goals = judged, ExitCode = code };
    }

    private async Task WriteAsync(ParseResult parsed, Surroundings around, RunReport report, CancellationToken cancel)
    {
        var text = parsed.GetValue(json)
            ? System.Text.Json.JsonSerializer.Serialize(report, ReportJson.Default.RunReport)
            : TextReport.Write(report);
        await around.Output.WriteLineAsync(text.AsMemory(), cancel);
        if (parsed.GetValue(html) is { } file)
        {
            file.Directory?.Create();
            await File.WriteAllTextAsync(file.FullName, HtmlReport.Write(report), cancel);
            await around.Progress.WriteLineAsync($"HTML report: {file.FullName}");
        }
    }

    /// <summary>An option for a whole number within a range, whose help names unit, range and default.</summary>
    public static Option<int?> Whole(string name, string description, (int Least, int Most) range)
    {
        var option = new Option<int?>(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(
                    result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                && (value < range.Least || value > range.Most))
            {
                result.AddError($"{name} {value} is out of range: {range.Least} to {range.Most}.");
            }
        });
        return option;
    }
}
