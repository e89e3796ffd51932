using System.Collections;
using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>What the process answers to its caller; the numbers are those of sysexits(3).</summary>
internal static class ExitCode
{
    /// <summary>The command line cannot be read.</summary>
    public const int Usage = 64;

    /// <summary>Something that is needed does not answer, or the address is taken.</summary>
    public const int Unavailable = 69;

    /// <summary>Settings are wrong; every error was printed.</summary>
    public const int Config = 78;
}

/// <summary>The commands. Reports go to the output, everything for people beside them to the error stream.</summary>
internal sealed class Program(TextWriter output, TextWriter error, IDictionary environment)
{
    private const string Description = """
        Floodgate carries a flash sale from the waiting room to the reconciled payout.

        Examples:
          floodgate up --demo                            try it: everything in one process, fixed keys
          floodgate up --urls http://0.0.0.0:8080 --data /var/lib/floodgate
          floodgate merchant create "Acme" --json        a merchant and its key, shown once
          floodgate serve --role api --Database:ConnectionString "Host=db;Database=floodgate;Username=fg"
          floodgate settings                             every setting with its value, source and range

        Settings come from floodgate.json, the environment (FLOODGATE__SERVER__URLS) and the command line
        (--Server:Urls=...), the last one wins.
        Exit codes: 0 done, 64 wrong command line, 69 something needed is unavailable, 78 wrong settings.
        """;

    private static readonly JsonWriterOptions JsonOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly Option<string?> file = new("--settings")
    {
        Description = "The settings file, instead of floodgate.json.", HelpName = "FILE", Recursive = true,
    };

    private readonly Option<string?> data = new("--data")
    {
        Description = "The folder of the SQLite file (Database:Directory).", HelpName = "DIR", Recursive = true,
    };

    private readonly Option<bool> json = new("--json") { Description = "Print JSON.", Recursive = true };
    private readonly Option<bool> demo = new("--demo")
    {
        Description = "Take fixed, publicly known keys and serve routes that inject faults (Server:Demo).",
    };

    private readonly Option<string?> urls = new("--urls")
    {
        Description = "Addresses to listen on, separated by semicolons (Server:Urls).", HelpName = "URLS",
    };

    private readonly Option<string?> role = new("--role")
    {
        Description = "Which part of the work this process does: api, worker or all (Server:Role).", HelpName = "ROLE",
    };

    private readonly Argument<string> name = new("NAME") { Description = "The merchant's name." };

    /// <summary>Runs one command and answers its exit code.</summary>
    public async Task<int> RunAsync(IReadOnlyList<string> args)
    {
        var flags = SettingsLayer.FromFlags(args, out var rest);
        var parsed = Commands(flags).Parse(rest);
        try
        {
            // Signals are the host's: it stops gracefully and has its own time-out.
            var code = await parsed.InvokeAsync(new()
            {
                Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
            });
            return parsed.Errors.Count > 0 ? ExitCode.Usage : code;
        }
        catch (SettingsException e)
        {
            foreach (var line in e.Errors)
            {
                await error.WriteLineAsync(line);
            }

            return ExitCode.Config;
        }
        catch (Exception e) when (e is StartException or DatabaseUnavailableException)
        {
            await error.WriteLineAsync(e.Message);
            return ExitCode.Unavailable;
        }
    }

    private static Task<int> Main(string[] args) =>
        new Program(Console.Out, Console.Error, Environment.GetEnvironmentVariables()).RunAsync(args);

    private RootCommand Commands(SettingsLayer flags)
    {
        Command[] commands =
        [
            Of("up", "Everything in one process.", [demo, urls], parsed => ServeAsync(Load(flags, parsed, "all"))),
            Of("serve", "One role of several processes.", [role, demo, urls],
                parsed => ServeAsync(Load(flags, parsed, parsed.GetValue(role)))),
            new("merchant", "Merchants and their keys.")
            {
                Of("create", "Create a merchant and print its key, once.", [name],
                    parsed => CreateMerchantAsync(Load(flags, parsed, null), parsed)),
            },
            new("admin", "Keys of operators.")
            {
                Of("create", "Create an operator's key and print it, once.", [],
                    parsed => CreateAdminAsync(Load(flags, parsed, null), parsed)),
            },
            Of("settings", "Every setting with its value in force, where it comes from and what is allowed.",
                [role, demo, urls], parsed => PrintAsync(Load(flags, parsed, parsed.GetValue(role)), parsed)),
            Of("migrate", "Bring the database schema up to date, and end.", [],
                parsed => MigrateAsync(Load(flags, parsed, null), parsed)),
        ];
        var root = new RootCommand(Description) { file, data, json };
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }

        return root;
    }

    private static Command Of(string name, string description, Symbol[] takes, Func<ParseResult, Task<int>> run)
    {
        var command = new Command(name, description);
        foreach (var symbol in takes)
        {
            if (symbol is Option option)
            {
                command.Options.Add(option);
            }
            else
            {
                command.Arguments.Add((Argument)symbol);
            }
        }

        command.SetAction((parsed, _) => run(parsed));
        return command;
    }

    private Settings Load(SettingsLayer flags, ParseResult parsed, string? roleName)
    {
        var options = new Dictionary<string, string>();
        Add("Server:Urls", parsed.GetValue(urls));
        Add("Server:Role", roleName);
        Add("Server:Demo", parsed.GetValue(demo) ? "true" : null);
        Add("Database:Directory", parsed.GetValue(data));
        var layer = SettingsLayer.Of("command line", options);
        return Settings.Read(Settings.Gather(parsed.GetValue(file), environment, flags, layer));

        void Add(string setting, string? value)
        {
            if (value is not null)
            {
                options[setting] = value;
            }
        }
    }

    private async Task<int> ServeAsync(Settings settings)
    {
        await using var log = Console.OpenStandardOutput();
        await using var app = Server.Build(settings, TimeProvider.System, log);
        await Server.StartAsync(app, settings, CancellationToken.None);
        await error.WriteLineAsync(Server.ReadyMessage(settings, app.Urls));
        await app.WaitForShutdownAsync();
        await error.WriteLineAsync("Floodgate has stopped.");
        return 0;
    }

    private async Task<int> CreateMerchantAsync(Settings settings, ParseResult parsed)
    {
        var merchantName = parsed.GetRequiredValue(name);
        if (ApiKeys.FaultOfName(merchantName) is { } fault)
        {
            await error.WriteLineAsync($"NAME {fault}.");
            return ExitCode.Usage;
        }

        await using var database = await OpenAsync(settings);
        var keys = Keys(database, settings);
        var merchant = await keys.CreateMerchantAsync(merchantName, requestKey: null, CancellationToken.None);
        Report(parsed, $"merchant {merchant.MerchantId} has the key {merchant.Key} (shown once)", writer =>
        {
            writer.WriteString("merchantId", merchant.MerchantId);
            writer.WriteString("name", merchant.Name);
            writer.WriteString("key", merchant.Key);
        });
        return 0;
    }

    private async Task<int> CreateAdminAsync(Settings settings, ParseResult parsed)
    {
        await using var database = await OpenAsync(settings);
        var key = await Keys(database, settings).CreateAdminKeyAsync(CancellationToken.None);
        Report(parsed, $"operator's key {key} (shown once)", writer => writer.WriteString("key", key));
        return 0;
    }

    private async Task<int> MigrateAsync(Settings settings, ParseResult parsed)
    {
        await using var database = Roles.OpenDatabase(settings.Database);
        var applied = await database.MigrateAsync(Roles.Migrations, CancellationToken.None);
        Report(parsed, $"{applied} migrations applied; the schema is up to date",
            writer => writer.WriteNumber("applied", applied));
        return 0;
    }

    private async Task<int> PrintAsync(Settings settings, ParseResult parsed)
    {
        if (parsed.GetValue(json))
        {
            Report(parsed, "", writer => WriteSettings(writer, settings.Effective));
            return 0;
        }

        var rows = settings.Effective.Select(s => new[] { s.Name, s.Value, s.Unit, s.Range, s.Source, s.Meaning });
        var table = rows.Prepend(["SETTING", "VALUE", "UNIT", "ALLOWED", "FROM", "MEANING"]).ToList();
        var widths = Enumerable.Range(0, 6).Select(column => table.Max(row => row[column].Length)).ToArray();
        foreach (var row in table)
        {
            var cells = row.Select((cell, column) => cell.PadRight(widths[column]));
            await output.WriteLineAsync(string.Join("  ", cells).TrimEnd());
        }

        return 0;
    }

    private static void WriteSettings(Utf8JsonWriter writer, IEnumerable<Setting> settings)
    {
        writer.WriteStartArray("settings");
        foreach (var setting in settings)
        {
            writer.WriteStartObject();
            writer.WriteString("name", setting.Name);
            writer.WriteString("value", setting.Value);
            writer.WriteString("source", setting.Source);
            writer.WriteString("unit", setting.Unit);
            writer.WriteString("range", setting.Range);
            writer.WriteString("meaning", setting.Meaning);
            writer.WriteBoolean("secret", setting.Secret);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static async Task<Database> OpenAsync(Settings settings)
    {
        var database = Roles.OpenDatabase(settings.Database);
        await database.MigrateAsync(Roles.Migrations, CancellationToken.None);
        return database;
    }

    private static ApiKeys Keys(Database database, Settings settings) =>
        new(database, settings.Access, TimeProvider.System, new(TimeProvider.System));

    private void Report(ParseResult parsed, string text, Action<Utf8JsonWriter> write)
    {
        if (!parsed.GetValue(json))
        {
            output.WriteLine(text);
            return;
        }

        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, JsonOptions))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        output.WriteLine(System.Text.Encoding.UTF8.GetString(buffer.ToArray()));
    }
}
