using System.Collections;
using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Checkout.Admission;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Results.Webhooks;
using Floodgate.Settlement.Batches;
using Floodgate.Settlement.Reconciliation;
using Floodgate.Signals.Ranking;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Supervision;
using Floodgate.Vocabulary;

namespace Floodgate;

/// <summary>Where the HTTP server listens and what it takes from a client before it refuses.</summary>
/// <param name="Urls">Addresses, <c>http</c> only: TLS ends at the proxy in front.</param>
/// <param name="Role">Which part of the work this process does.</param>
/// <param name="IsDemo">Fixed, publicly known keys and routes that inject faults.</param>
public sealed record ServerSettings(IReadOnlyList<string> Urls, string Role, bool IsDemo)
{
    /// <summary>The largest body, in bytes.</summary>
    public long BodyBytesMax { get; init; }

    /// <summary>All headers of a request together, in bytes.</summary>
    public int HeaderBytesMax { get; init; }

    /// <summary>Headers in a request.</summary>
    public int HeadersMax { get; init; }

    /// <summary>Time for a request's headers to arrive.</summary>
    public TimeSpan HeaderTimeout { get; init; }

    /// <summary>How long an idle connection is kept.</summary>
    public TimeSpan KeepAliveTimeout { get; init; }

    /// <summary>Open connections; one more is closed at once.</summary>
    public long ConnectionsMax { get; init; }

    /// <summary>How long running requests and loops may take to end after a stop is asked for.</summary>
    public TimeSpan StopTimeout { get; init; }

    /// <summary>Reads the settings of the server.</summary>
    public static ServerSettings Read(SettingsSource source)
    {
        var urls = source.Text("Server:Urls", "http://127.0.0.1:8080",
            "Addresses to listen on, separated by semicolons; http only, TLS ends at the proxy in front.");
        var role = source.Choice("Server:Role", "all", ["all", "api", "worker"],
            "Which part of the work this process does.");
        var isDemo = source.Flag("Server:Demo", false,
            "Fixed, publicly known keys and routes that inject faults; never for real money.");
        var settings = new ServerSettings(urls.Split(';', StringSplitOptions.RemoveEmptyEntries), role, isDemo)
        {
            BodyBytesMax = source.Long("Server:BodyBytesMax", 16_384, 1_024, 1_048_576, "bytes",
                "The largest request body."),
            HeaderBytesMax = source.Int("Server:HeaderBytesMax", 16_384, 1_024, 65_536, "bytes",
                "All headers of a request together."),
            HeadersMax = source.Int("Server:HeadersMax", 64, 8, 1_000, "headers", "Headers in a request."),
            HeaderTimeout = Span(source.Long("Server:HeaderTimeoutMs", 10_000, 100, 120_000, "ms",
                "Time for a request's headers to arrive.")),
            KeepAliveTimeout = Span(source.Long("Server:KeepAliveTimeoutMs", 120_000, 1_000, 3_600_000, "ms",
                "How long an idle connection is kept.")),
            ConnectionsMax = source.Long("Server:ConnectionsMax", 120_000, 1, 1_000_000, "connections",
                "Open connections; one more is closed at once."),
            StopTimeout = Span(source.Long("Server:StopTimeoutMs", 10_000, 100, 300_000, "ms",
                "How long running requests and loops may take to end after a stop is asked for.")),
        };
        if (settings.Urls.Count == 0 || settings.Urls.Any(url => !IsListenable(url)))
        {
            source.Refuse("Server:Urls", "which has no usable address. Write http://HOST:PORT, such as " +
                "http://127.0.0.1:8080, and nothing after the port.");
        }

        return settings;
    }

    private static bool IsListenable(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address is { Scheme: "http", PathBase: "", Port: >= 0 and <= 65_535 };
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static TimeSpan Span(long ms) => TimeSpan.FromMilliseconds(ms);
}

/// <summary>All settings of the program, one record for each module.</summary>
public sealed record Settings(
    ServerSettings Server,
    DatabaseSettings Database,
    CoordinationSettings Coordination,
    JobSettings Jobs,
    LogSettings Log,
    AccessSettings Access,
    IdentitySettings Identity,
    RateLimitSettings RateLimits,
    CatalogSettings Catalog,
    AdmissionSettings Admission,
    OrdersSettings Orders,
    ChargesSettings Charges,
    WebhooksSettings Webhooks,
    BatchesSettings Settlement,
    ReconciliationSettings Reconciliation,
    RankingSettings Ranking,
    SupervisionSettings Supervision)
{
    /// <summary>The file that is read from the working directory when no other is named.</summary>
    public const string DefaultFile = "floodgate.json";

    // A profile is only a set of defaults: everything in it can be overridden by file, environment and flags.
    private static readonly Dictionary<string, string> EmbeddedProfile = new() { ["Database:ConnectionString"] = "" };

    // A rehearsal holds nothing worth waiting for, so it ends quickly; its crowd comes from this machine, and its
    // merchants listen here too.
    private static readonly Dictionary<string, string> DemoProfile = new()
    {
        ["Server:StopTimeoutMs"] = "2000",
        ["RateLimits:LimitsLoopback"] = "false",
        ["Webhooks:AllowPrivateAddresses"] = "true",
        ["Webhooks:Ports"] = "*",
    };

    /// <summary>Every effective value with its source, for <c>./floodgate settings</c>.</summary>
    public IReadOnlyCollection<Setting> Effective { get; private init; } = [];

    /// <summary>Gathers the layers, weakest first: profile, demo, file, environment, flags, options.</summary>
    /// <param name="file">A settings file that must exist, or null for the default one if there is one.</param>
    /// <param name="environment">The environment variables.</param>
    /// <param name="flags">Settings from the command line.</param>
    /// <param name="options">Options that stand for settings, such as <c>--urls</c>.</param>
    public static SettingsSource Gather(
        string? file, IDictionary environment, SettingsLayer flags, SettingsLayer options)
    {
        var given = new[]
        {
            SettingsLayer.FromFile(file ?? DefaultFile, required: file is not null),
            SettingsLayer.FromEnvironment(environment),
            flags,
            options,
        };
        var demo = given.LastOrDefault(layer => layer.Values.ContainsKey("Server:Demo"))?.Values["Server:Demo"].Value;
        var isDemo = string.Equals(demo, "true", StringComparison.OrdinalIgnoreCase);
        return new(
        [
            SettingsLayer.Of("profile embedded", EmbeddedProfile),
            SettingsLayer.Of("profile demo", isDemo ? DemoProfile : []),
            .. given,
        ]);
    }

    /// <summary>Reads every module's settings and checks the relations between them.</summary>
    /// <exception cref="SettingsException">Everything that is wrong, together.</exception>
    public static Settings Read(SettingsSource source)
    {
        var server = ServerSettings.Read(source);
        var database = ReadDatabase(source);
        var settings = new Settings(
            server,
            database,
            CoordinationSettings.Read(source, database.IsPostgreSql),
            JobSettings.Read(source),
            LogSettings.Read(source),
            AccessSettings.Read(source, server.IsDemo),
            IdentitySettings.Read(source),
            RateLimitSettings.Read(source),
            CatalogSettings.Read(source, server.IsDemo),
            AdmissionSettings.Read(source, server.ConnectionsMax),
            OrdersSettings.Read(source),
            ChargesSettings.Read(source, JournalBeside(database)),
            WebhooksSettings.Read(source),
            BatchesSettings.Read(source, database.IsPostgreSql ? database.ConnectionsMax : 0),
            ReconciliationSettings.Read(source),
            RankingSettings.Read(source),
            SupervisionSettings.Read(source))
        {
            Effective = source.Effective,
        };
        if (server.Role != "all" && !database.IsPostgreSql)
        {
            source.Refuse("Server:Role", "which needs a database that several processes can share. Set " +
                "Database:ConnectionString to a PostgreSQL server, or Server:Role to all.");
        }

        source.Complete();
        return settings;
    }

    // What the database remembers, its provider must remember too. Several processes would need one provider for all.
    private static string JournalBeside(DatabaseSettings database) =>
        database.IsPostgreSql ? "" : Path.Combine(database.Directory, "provider.journal");

    private static DatabaseSettings ReadDatabase(SettingsSource source) => new(
        source.Text("Database:ConnectionString", "",
            "A PostgreSQL connection string; empty is SQLite in Database:Directory.", secret: true),
        source.Text("Database:Directory", "data", "The folder of the SQLite file."),
        source.Int("Database:ConnectionsMax", 30, 2, 200, "connections",
            "Connections to PostgreSQL, all uses together."),
        source.Int("Database:WritersMax", 2, 1, 8, "loops", "Group-commit loops that write at once."),
        source.Int("Database:ReadersMax", 8, 1, 64, "connections", "Connections that read SQLite at once."),
        source.Int("Database:StatementTimeoutMs", 30_000, 100, 600_000, "ms",
            "A statement that runs longer is cancelled."),
        source.Int("Database:LockTimeoutMs", 10_000, 100, 600_000, "ms",
            "A statement that waits longer for another's lock gives up, on PostgreSQL."),
        source.Int("Database:IdleTransactionTimeoutMs", 5_000, 500, 600_000, "ms",
            "PostgreSQL ends a transaction that says nothing for longer: its process stands still or is cut off."));
}
