using System.Collections;
using System.CommandLine;
using System.CommandLine.Help;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Catalog.Imports;
using Floodgate.Payment.Charges.Providers.Http;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>What the process answers to its caller; the numbers are those of sysexits(3).</summary>
internal static class ExitCode
{
    /// <summary>What was looked for was found: books that do not agree.</summary>
    public const int Findings = 1;

    /// <summary>The command line cannot be read.</summary>
    public const int Usage = 64;

    /// <summary>A file that was given has faults; they were printed.</summary>
    public const int Data = 65;

    /// <summary>Something that is needed does not answer, or the address is taken.</summary>
    public const int Unavailable = 69;

    /// <summary>It cannot be done yet; the same command may succeed later.</summary>
    public const int TryAgain = 75;

    /// <summary>Settings are wrong; every error was printed.</summary>
    public const int Config = 78;
}

/// <summary>The commands. Reports go to the output, everything for people beside them to the error stream.</summary>
internal sealed class Program(TextWriter output, TextWriter error, IDictionary environment)
{
    private const string Description = """
        Floodgate carries a flash sale from the waiting room to the reconciled payout.

        Examples:
          ./floodgate up --demo                          try it: everything in one process, fixed keys
          ./floodgate up --urls http://0.0.0.0:8080 --data /var/lib/floodgate
          ./floodgate merchant create "Acme" --json      a merchant and its key, shown once
          ./floodgate merchant keys ID                   its keys: id, first characters, created, revoked
          ./floodgate merchant revoke KEYID --json       end one of them
          ./floodgate user create --email ada@example.com --role admin
          ./floodgate catalogue import concert.json --dry-run --merchant ID
          ./floodgate serve --role api --Database:ConnectionString "Host=db;Database=floodgate;Username=fg"
          ./floodgate settle --date 2026-11-25 --json    settle a day that is over, or go on with it
          ./floodgate provider                           a simulated payment provider of its own
          ./floodgate reconcile --date 2030-01-31        compare a day's books with the provider's statement
          ./floodgate audit --order ID                   all that happened to one order
          ./floodgate settings                           every setting with its value, source and range

        Settings come from floodgate.json, the environment (FLOODGATE__SERVER__URLS) and the command line
        (--Server:Urls=...), the last one wins.
        Exit codes: 0 done, 1 books do not agree, 64 wrong command line, 65 faults in a file,
        69 something needed is unavailable, 75 not yet, 78 wrong settings.
        """;

    private const string ImportDescription = """
        Make and change sales and products as a file says, all or nothing; the same file again changes nothing.
        Servers that run show it within Catalog:StaleMsMax. See docs/examples for files.

        Examples:
          ./floodgate catalogue import docs/examples/concert.json --merchant ID --dry-run
          ./floodgate catalogue import docs/examples/drop.csv --merchant ID --json
          ./make-catalogue | ./floodgate catalogue import -
        """;

    private const int KeysPageMax = 1_000;
    private const int GeneratedPasswordBytes = 18; // 24 characters.

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

    private readonly Option<string?> journal = new("--journal")
    {
        Description = "The file that keeps the provider's memory over a restart.", HelpName = "FILE",
    };

    private readonly Option<string> email = new("--email")
    {
        Description = "The e-mail to log in with.", HelpName = "E-MAIL", Required = true,
    };

    private readonly Option<string> userRole = new("--role")
    {
        Description = "What the user may do: buyer, merchant or admin.", HelpName = "ROLE", Required = true,
    };

    private readonly Option<string?> userMerchant = new("--merchant")
    {
        Description = "The id of the merchant whose user it is, with --role merchant.", HelpName = "ID",
    };

    private readonly Option<string?> passwordFile = new("--password-file")
    {
        Description = "The file with the password in its first line, - for the input; left out, one is made.",
        HelpName = "FILE",
    };

    private readonly Option<string?> importMerchant = new("--merchant")
    {
        Description = "Import as this merchant: its own sales only. Left out, as an operator.", HelpName = "ID",
    };

    private readonly Option<bool> dryRun = new("--dry-run")
    {
        Description = "Check everything and tell what would change; store nothing.",
    };

    private readonly Argument<string> catalogue = new("FILE")
    {
        Description = "The file, JSON or CSV in UTF-8; - for the input.",
    };

    private readonly Argument<string> name = new("NAME") { Description = "The merchant's name." };
    private readonly Argument<string> merchantId = new("ID") { Description = "The merchant's id." };
    private readonly Argument<Guid> keyId = new("KEYID") { Description = "The key's id, as merchant keys shows it." };

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

    private Command Commands(SettingsLayer flags)
    {
        var books = new BookCommands(error, parsed => Load(flags, parsed, null), ReportTo, RefuseUsageAsync);
        Command[] commands =
        [
            Of("up", "Everything in one process.", [demo, urls], parsed => ServeAsync(Load(flags, parsed, "all"))),
            Of("serve", "One role of several processes.", [role, demo, urls],
                parsed => ServeAsync(Load(flags, parsed, parsed.GetValue(role)))),
            new("merchant", "Merchants and their keys.")
            {
                Of("create", "Create a merchant and print its key, once.", [name],
                    parsed => CreateMerchantAsync(Load(flags, parsed, null), parsed)),
                Of("keys", "List a merchant's keys by id; a key itself is never shown again.", [merchantId],
                    parsed => ListKeysAsync(Load(flags, parsed, null), parsed)),
                Of("revoke", "End a merchant's key; servers that run refuse it within Access:KeyCachedSeconds.",
                    [keyId], parsed => RevokeKeyAsync(Load(flags, parsed, null), parsed)),
            },
            new("admin", "Keys of operators.")
            {
                Of("create", "Create an operator's key and print it, once.", [],
                    parsed => CreateAdminAsync(Load(flags, parsed, null), parsed)),
            },
            new("user", "Users who log in.")
            {
                Of("create", "Create a user; a password that is made here is printed, once.",
                    [email, userRole, userMerchant, passwordFile],
                    parsed => CreateUserAsync(Load(flags, parsed, null), parsed)),
            },
            new("catalogue", "Sales and what is sold in them.")
            {
                Of("import", ImportDescription, [catalogue, importMerchant, dryRun],
                    parsed => ImportCatalogueAsync(Load(flags, parsed, null), parsed)),
            },
            books.Settle,
            Of("provider", "A stand-alone payment provider simulator (http://127.0.0.1:8090) with fault knobs.",
                [urls, journal], parsed => RunProviderAsync(flags, parsed)),
            Of("broker", BrokerCommand.Description, [], parsed => RunBrokerAsync(flags, parsed)),
            books.Reconcile,
            books.Audit,
            Of("settings", "Every setting with its value in force, where it comes from and what is allowed.",
                [role, demo, urls], parsed => Print(Load(flags, parsed, parsed.GetValue(role)), parsed)),
            Of("migrate", "Bring the database schema up to date, and end.", [],
                parsed => MigrateAsync(Load(flags, parsed, null), parsed)),
        ];
        // Not a RootCommand: that one is named for the file of the program, which nobody types.
        var root = new Command("./floodgate", Description) { new HelpOption(), new VersionOption(), file, data, json };
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }

        return root;
    }

    internal static Command Of(string name, string description, Symbol[] takes, Func<ParseResult, Task<int>> run)
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
        var isTakenOver = LogModule.IsTakenOver(app.Services);
        await error.WriteLineAsync(isTakenOver ? Server.TakenMessage(settings) : "Floodgate has stopped.");
        return isTakenOver ? ExitCode.Unavailable : 0;
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
        ReportTo(parsed).Write($"merchant {merchant.MerchantId} has the key {merchant.Key} (shown once)", writer =>
        {
            writer.WriteString("merchantId", merchant.MerchantId);
            writer.WriteString("name", merchant.Name);
            writer.WriteString("key", merchant.Key);
        });
        return 0;
    }

    private async Task<int> ListKeysAsync(Settings settings, ParseResult parsed)
    {
        await using var database = await OpenAsync(settings);
        var keys = Keys(database, settings);
        var id = parsed.GetRequiredValue(merchantId);
        var all = new List<MerchantKey>();
        for (var isMore = true; isMore;)
        {
            var after = all.Count == 0 ? Guid.Empty : all[^1].Id;
            if (await keys.ListAsync(id, after, KeysPageMax, CancellationToken.None) is not { } page)
            {
                await error.WriteLineAsync("ID names no merchant of this database.");
                return ExitCode.Usage;
            }

            all.AddRange(page);
            isMore = page.Count == KeysPageMax;
        }

        ReportTo(parsed).Write(all);
        return 0;
    }

    private async Task<int> RevokeKeyAsync(Settings settings, ParseResult parsed)
    {
        await using var database = await OpenAsync(settings);
        var id = parsed.GetRequiredValue(keyId);
        if (await Keys(database, settings).RevokeAsync(id, null, CancellationToken.None) is not { } key)
        {
            await error.WriteLineAsync("KEYID names no merchant's key of this database.");
            return ExitCode.Usage;
        }

        ReportTo(parsed).Write(
            $"key {key.Id} of merchant {key.MerchantId} is revoked since {key.RevokedAt}; servers that run refuse it "
                + $"within {settings.Access.KeyCachedSeconds} s (Access:KeyCachedSeconds)",
            writer => MerchantsHttp.WriteFields(writer, key));
        return 0;
    }

    private async Task<int> CreateAdminAsync(Settings settings, ParseResult parsed)
    {
        await using var database = await OpenAsync(settings);
        var key = await Keys(database, settings).CreateAdminKeyAsync(CancellationToken.None);
        ReportTo(parsed).Write($"operator's key {key} (shown once)", writer => writer.WriteString("key", key));
        return 0;
    }

    private async Task<int> CreateUserAsync(Settings settings, ParseResult parsed)
    {
        var userEmail = parsed.GetRequiredValue(email);
        var ofRole = User.RoleOf(parsed.GetRequiredValue(userRole));
        var merchant = parsed.GetValue(userMerchant);
        var file = parsed.GetValue(passwordFile);
        if (file is not (null or "-") && !File.Exists(file))
        {
            return await RefuseUsageAsync($"--password-file {file} is not there.");
        }

        var made = file is null ? Ids.Secret(GeneratedPasswordBytes) : null;
        var password = made
            ?? (file == "-" ? await Console.In.ReadLineAsync() : File.ReadLines(file!).FirstOrDefault());
        var fault = User.FaultOfEmail(userEmail) is { } wrongEmail ? $"--email {wrongEmail}."
            : ofRole is null ? "--role must be buyer, merchant or admin."
            : (ofRole == Role.Merchant) != (merchant is not null) ? "--merchant goes with --role merchant, and only so."
            : User.FaultOfPassword(password ?? "") is { } wrongPassword ? $"The password {wrongPassword}."
            : null;
        if (fault is not null)
        {
            return await RefuseUsageAsync(fault);
        }

        await using var database = await OpenAsync(settings);
        using var passwords = new Passwords(settings.Identity);
        var time = TimeProvider.System;
        var users = new UserBook(database, passwords, new(settings.Identity, News.Alone(), time), time, new(time));
        var created = await users.CreateAsync(userEmail, password!, ofRole!.Value, merchant, CancellationToken.None);
        if (created.User is not { } user)
        {
            return await RefuseUsageAsync(created.Outcome == CreateUserOutcome.EmailTaken
                ? "--email is that of another user."
                : "--merchant is not known. See what './floodgate merchant create' printed.");
        }

        var shown = made is null ? "" : $" has the password {made} (shown once)";
        ReportTo(parsed).Write($"user {user.Id}{shown}", writer =>
        {
            writer.WriteString("userId", user.Id);
            writer.WriteString("email", user.Email);
            writer.WriteString("role", User.NameOf(user.Role));
            writer.WriteString("merchantId", user.MerchantId);
            writer.WriteString("password", made);
        });
        return 0;
    }

    private async Task<int> ImportCatalogueAsync(Settings settings, ParseResult parsed)
    {
        var path = parsed.GetRequiredValue(catalogue);
        if (path != "-" && !File.Exists(path))
        {
            return await RefuseUsageAsync($"FILE {path} is not there.");
        }

        var max = settings.Catalog.ImportBytesMax;
        await using var source = path == "-" ? Console.OpenStandardInput() : File.OpenRead(path);
        var bytes = new byte[path == "-" ? max + 1 : Math.Min(max + 1, source.Length)];
        var length = await source.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length > max)
        {
            return await RefuseUsageAsync($"FILE has more than {max} bytes (Catalog:ImportBytesMax). Divide it.");
        }

        await using var database = await OpenAsync(settings);
        var keys = Keys(database, settings);
        var merchant = parsed.GetValue(importMerchant);
        if (merchant is not null && await keys.FindMerchantAsync(merchant, CancellationToken.None) is null)
        {
            return await RefuseUsageAsync("--merchant is not known. See what './floodgate merchant create' printed.");
        }

        var (file, isDryRun, ids) = (bytes.AsMemory(0, length), parsed.GetValue(dryRun), new Ids(TimeProvider.System));
        var catalog = new CatalogBook(database, ids, SharedAnswers.None(), News.Alone());
        var book = new ImportBook(database, catalog, keys, ids);
        var result = await book.ImportAsync(
            new(merchant), file, ImportBook.FormatOf(file.Span), isDryRun, CancellationToken.None);
        foreach (var fault in result.Faults)
        {
            await error.WriteLineAsync($"{fault.At}: {fault.Says}");
        }

        var report = ReportTo(parsed);
        var summary = ImportReport.Summary(result, isDryRun);
        if (result.FaultCount > 0)
        {
            await error.WriteLineAsync(summary);
            report.WriteJson(json => ImportReport.WriteFaults(json, result));
            return ExitCode.Data;
        }

        report.Write(summary, json => ImportReport.Write(json, result, isDryRun));
        return 0;
    }

    private async Task<int> RefuseUsageAsync(string why)
    {
        await error.WriteLineAsync(why);
        return ExitCode.Usage;
    }

    private async Task<int> MigrateAsync(Settings settings, ParseResult parsed)
    {
        await using var database = Roles.OpenDatabase(settings.Database);
        var applied = await database.MigrateAsync(Roles.Migrations, CancellationToken.None);
        ReportTo(parsed).Write($"{applied} migrations applied; the schema is up to date",
            writer => writer.WriteNumber("applied", applied));
        return 0;
    }

    private Task<int> Print(Settings settings, ParseResult parsed)
    {
        ReportTo(parsed).Write(settings.Effective);
        return Task.FromResult(0);
    }

    private async Task<int> RunProviderAsync(SettingsLayer flags, ParseResult parsed)
    {
        new SettingsSource([flags]).Complete(); // It has options only, so any setting is refused.
        using var stop = new StopSignal();
        var options = new ProviderServerOptions { JournalPath = parsed.GetValue(journal) };
        return await ProviderServer.RunAsync(
            parsed.GetValue(urls) is { } url ? options with { Url = url } : options, stop.Token);
    }

    private async Task<int> RunBrokerAsync(SettingsLayer flags, ParseResult parsed)
    {
        new SettingsSource([flags]).Complete(); // As above.
        using var stop = new StopSignal();
        return await BrokerCommand.RunAsync(ReportTo(parsed), Console.In, error, stop.Token);
    }

    private Report ReportTo(ParseResult parsed) => new(output, parsed.GetValue(json));

    internal static async Task<Database> OpenAsync(Settings settings)
    {
        var database = Roles.OpenDatabase(settings.Database);
        await database.MigrateAsync(Roles.Migrations, CancellationToken.None);
        return database;
    }

    private static ApiKeys Keys(Database database, Settings settings) =>
        new(database, settings.Access, TimeProvider.System, new(TimeProvider.System), News.Alone());
}
