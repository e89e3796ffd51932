using System.Collections;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Payment.Charges.Providers.Simulated;
using Floodgate.Supervision;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Floodgate.Tests.Docs;

/// <summary>The pages in <c>docs/reference</c>, made from the program alone, so the same on every machine.</summary>
internal static class ReferencePages
{
    private const string MadeFromCode = """
        <!-- Made from the code; to change it, change that and run:
             UPDATE_REFERENCE=1 ./test --filter-class 'Floodgate.Tests.Docs.*' -->
        """;

    private static readonly Assembly Program = typeof(Server).Assembly;

    private static readonly string[] ServerCommands =
    [
        "", "up", "serve", "merchant create", "merchant keys", "merchant revoke", "admin create", "user create",
        "catalogue import", "settle", "provider", "reconcile", "audit", "settings", "migrate",
    ];

    private static readonly string[] LoadCommands =
        ["accept", "drain", "hold", "order", "browse", "queue", "rush", "settle", "audit"];

    /// <summary>Every page by its name, and how it is made.</summary>
    public static IReadOnlyDictionary<string, Func<Task<string>>> All { get; } =
        new Dictionary<string, Func<Task<string>>>
        {
            ["settings"] = () => Task.FromResult(Settings()),
            ["routes"] = RoutesAsync,
            ["problems"] = () => Task.FromResult(Problems()),
            ["metrics"] = MetricsAsync,
            ["commands"] = CommandsAsync,
        };

    /// <summary>Every metric as it is scraped: name, type, help.</summary>
    public static Task<IReadOnlyList<(string Name, string Type, string Help)>> MetricsOfServerAsync() =>
        OfServerAsync<IReadOnlyList<(string Name, string Type, string Help)>>(app =>
        {
            _ = app.Services.GetServices<IHostedService>().ToList(); // What is observed, they make.
            var instruments = Program.GetTypes()
                .Where(type => !type.IsGenericTypeDefinition || type.GetGenericArguments().Length == 2)
                .Select(type =>
                    type.IsGenericTypeDefinition ? type.MakeGenericType(typeof(object), typeof(object)) : type)
                .SelectMany(StaticFields)
                .Where(field => field.FieldType.IsAssignableTo(typeof(Instrument)))
                .Select(field => (Instrument)field.GetValue(null)!)
                .Concat(Observed())
                .Select(instrument => new Metric(instrument))
                .Select(metric => (metric.Name, Type: TypeOf(metric.Kind), metric.Help));
            using var own = new Floodgate.Supervision.Metrics(
                "none", NullLogger<Floodgate.Supervision.Metrics>.Instance);
            var lines = own.Scrape().Split('\n');
            var process = lines.Where(line => line.StartsWith("# HELP ", StringComparison.Ordinal)).Select(line =>
            {
                var parts = line.Split(' ', 4);
                var type = lines.Single(other => other.StartsWith($"# TYPE {parts[2]} ", StringComparison.Ordinal));
                return (Name: parts[2], Type: type.Split(' ')[3], Help: parts[3]);
            });
            return [.. instruments.Concat(process).OrderBy(metric => metric.Name, StringComparer.Ordinal)];
        });

    /// <summary>The gauges that are asked for their value: this server's and those of other tests, once each.</summary>
    private static List<Instrument> Observed()
    {
        var observed = new Dictionary<string, Instrument>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            lock (observed) // Another test may make one at this moment.
            {
                if (instrument.IsObservable && instrument.Meter.Name == Floodgate.Supervision.Metrics.MeterName)
                {
                    observed.TryAdd(instrument.Name, instrument);
                }
            }
        };
        listener.Start();
        lock (observed)
        {
            return [.. observed.Values];
        }
    }

    /// <summary>What is told of a server that was built and not started.</summary>
    private static async Task<T> OfServerAsync<T>(Func<WebApplication, T> tell)
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-docs-" + Path.GetRandomFileName());
        var (app, _) = DocsServer.Build(directory);
        try
        {
            return tell(app);
        }
        finally
        {
            await app.DisposeAsync();
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string Settings()
    {
        var demo = Read(new() { ["Server:Demo"] = "true" }).ToDictionary(setting => setting.Name);
        var page = Start("Settings", """
            Each can be given in `floodgate.json` (`{"Server":{"Urls":"..."}}`), in the environment
            (`FLOODGATE__SERVER__URLS`) or on the command line (`--Server:Urls=...`); the last one wins.
            All errors are reported together before anything starts. `./floodgate settings` prints what is
            in force and where it comes from. None is read again while the program runs.
            """);
        foreach (var section in Read([]).GroupBy(setting => setting.Name.Split(':')[0]))
        {
            page.Append($"\n## {section.Key}\n\n");
            page.Append("| setting | default | unit | allowed | meaning |\n|---|---|---|---|---|\n");
            foreach (var setting in section)
            {
                var also = demo[setting.Name].Source == "profile demo" ? $" (demo: {demo[setting.Name].Value})" : "";
                Row(page, $"`{setting.Name}`", Shown(setting.Value) + also, setting.Unit, setting.Range,
                    setting.Secret ? $"{setting.Meaning} Never printed." : setting.Meaning);
            }
        }

        return page.ToString();
    }

    private static IEnumerable<Setting> Read(Dictionary<string, string> flags)
    {
        var none = Path.GetTempFileName();
        try
        {
            File.WriteAllText(none, "{}");
            var layer = SettingsLayer.Of("flags", flags);
            var options = SettingsLayer.Of("options", new Dictionary<string, string>());
            return Floodgate.Settings.Read(Floodgate.Settings.Gather(none, new Hashtable(), layer, options)).Effective;
        }
        finally
        {
            File.Delete(none);
        }
    }

    private static Task<string> RoutesAsync() => OfServerAsync(app =>
    {
        var routes = new Routes(
            app,
            app.Services.GetRequiredService<ApiKeys>(),
            app.Services.GetRequiredService<SessionBook>(),
            app.Services.GetRequiredService<RateLimitHttp>(),
            isDemo: false);
        Roles.Map(routes, app.Services, "all");
        var page = Start("Routes", """
            Keys of merchants and operators, and access tokens of users, go in `Authorization: Bearer KEY`.
            A *merchant* or *operator* calls by key or by token. Bodies and answers are JSON; refusals are
            [problems](problems.md). Routes marked *demo* are served with `--demo` only. A process of role
            `worker` serves `/health`, `/metrics` and `/v1/ops` only. The stand-alone provider
            (`./floodgate provider`) serves `POST /charges`, `GET /charges/{id}`, `GET /statement` and
            `GET`, `PUT /faults`, without keys.

            | route | who may call | |
            |---|---|---|
            """);
        foreach (var route in routes.All.OrderBy(route => route.Pattern, StringComparer.Ordinal))
        {
            var name = $"{route.Method} {route.Pattern}";
            Row(page, $"`{name}`", WhoOf(route.Who) + (route.IsDemoOnly ? ", *demo*" : ""),
                RouteNotes.All.GetValueOrDefault(name, $"**{nameof(RouteNotes)} has no line for this route.**"));
        }

        return page.ToString();
    });

    private static string Problems()
    {
        var page = Start("Problems", """
            Refusals are `application/problem+json` (RFC 9457): `type` (`urn:floodgate:problem:CODE`), `title`,
            `status`, `detail` (this occurrence: the value, what is allowed, what to do) and `code`. Codes never
            change; branch on them. 503 comes with `Retry-After`.

            | status | code | title | from |
            |---|---|---|---|
            """);
        var kinds = Program.GetTypes()
            .Where(type => !type.IsGenericTypeDefinition)
            .SelectMany(type => StaticFields(type).Where(field => field.FieldType == typeof(ProblemKind))
                .Select(field => (Kind: (ProblemKind)field.GetValue(null)!, From: FromOf(type))))
            .OrderBy(kind => kind.Kind.Status).ThenBy(kind => kind.Kind.Code, StringComparer.Ordinal);
        foreach (var (kind, from) in kinds)
        {
            Row(page, $"{kind.Status}", $"`{kind.Code}`", kind.Title, from);
        }

        page.Append("""

            ## Why a payment or operation failed

            An accepted payment or operation that fails says why in `failReason`. A provider over HTTP may give
            reasons of its own; `declined` is one without a reason.

            | failReason | from |
            |---|---|
            | `insufficient_funds` | the wallet |
            | `rejected` | a provider over HTTP that answers 400 or 422 |

            """.ReplaceLineEndings("\n"));
        foreach (var reason in Enum.GetValues<DeclineReason>().Where(reason => reason != DeclineReason.None))
        {
            Row(page, $"`{ProviderLine.CodeOf(reason)}`", "the simulated provider");
        }

        return page.ToString();
    }

    private static string FromOf(Type type) => type.Name == nameof(ProviderHttp)
        ? "the stand-alone provider"
        : type.Namespace!.Split('.')[^1];

    private static async Task<string> MetricsAsync()
    {
        var page = Start("Metrics", """
            Prometheus text at `GET /metrics`. Times are seconds. A metric appears with its first value. A
            histogram has `_bucket`, `_sum` and `_count`.

            | metric | type | meaning |
            |---|---|---|
            """);
        foreach (var (name, type, help) in await MetricsOfServerAsync())
        {
            Row(page, $"`{name}`", type, help);
        }

        return page.ToString();
    }

    private static async Task<string> CommandsAsync()
    {
        var page = Start("Commands", """
            What `./floodgate COMMAND --help` and `./floodgate load COMMAND --help` print. A setting can stand
            behind every command of the server, as in `--Log:Level=warn`.
            """);
        var server = ServerCommands.Select(command => HelpAsync("./floodgate", Program, command));
        var load = LoadCommands.Select(
            command => HelpAsync("./floodgate load", typeof(Floodgate.Load.Surroundings).Assembly, command));
        foreach (var section in await Task.WhenAll(server.Concat(load)))
        {
            page.Append(section);
        }

        return page.ToString();
    }

    /// <summary>In a process of its own, because help is wrapped to the width of a terminal if there is one.</summary>
    private static async Task<string> HelpAsync(string launcher, Assembly program, string command)
    {
        string[] arguments =
            [program.Location, .. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"];
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var help = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var lines = help.ReplaceLineEndings("\n").Split('\n').Select(line => line.TrimEnd());
        return $"\n## `{$"{launcher} {command}".TrimEnd()}`\n\n```\n{string.Join('\n', lines).Trim()}\n```\n";
    }

    private static StringBuilder Start(string title, string text) =>
        new($"# {title}\n\n{MadeFromCode}\n\n{text}\n".ReplaceLineEndings("\n"));

    private static void Row(StringBuilder page, params string[] cells) =>
        page.Append($"| {string.Join(" | ", cells.Select(cell => cell.Replace("|", "\\|")))} |\n");

    private static string Shown(string value) => value.Length == 0 ? "" : $"`{value}`";

    private static string WhoOf(Who who) => who switch
    {
        Who.Public => "anyone",
        Who.User => "user (token)",
        _ => string.Join(", ", new[]
        {
            (Who.Buyer, "buyer"),
            (Who.MerchantKey, who.HasFlag(Who.MerchantUser) ? "merchant" : "merchant (key)"),
            (Who.AdminKey, "operator"),
        }.Where(one => who.HasFlag(one.Item1)).Select(one => one.Item2)),
    };

    private static string TypeOf(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
        _ => "gauge",
    };

    private static IEnumerable<FieldInfo> StaticFields(Type type) => type.GetFields(
        BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
}
