using System.Collections;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Floodgate.Tests.Docs;
using Xunit;

namespace Floodgate.Tests;

// Goal: a wrong command or setting ends at once with a line that says what to do and an exit code that tells which.
// Method: the real commands in this process, with their output caught and their data in a folder of their own.
public sealed class CommandTests : IDisposable
{
    private readonly string directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
    private readonly Hashtable environment = [];

    public void Dispose()
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task All_wrong_settings_are_reported_together()
    {
        environment["FLOODGATE__SERVER__BODYBYTESMAX"] = "12";
        var (code, _, error) = await RunAsync(
            "up", "--urls", "https://x:1", "--Databse:Directory=x", "--Log:Level", "loud");

        Assert.Equal(78, code);
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.Contains(lines, line => line.StartsWith("Server:Urls is \"https://x:1\" (from command line)"));
        Assert.Contains(lines, line => line.StartsWith("Server:BodyBytesMax is \"12\" (from environment FLOODGATE__"));
        Assert.Contains(lines, line => line.StartsWith("Log:Level is \"loud\" (from flag --Log:Level)"));
        Assert.Contains(lines, line => line.EndsWith("Did you mean Database:Directory?"));
    }

    [Theory]
    [InlineData("127.0.0.1:8080")]
    [InlineData("http://")]
    [InlineData("http://127.0.0.1:99999")]
    [InlineData("http://127.0.0.1:80/path")]
    [InlineData("ftp://127.0.0.1")]
    [InlineData(";")]
    public async Task A_bad_address_is_refused_by_its_setting(string url)
    {
        var (code, _, error) = await RunAsync("up", "--urls", url);
        Assert.Equal(78, code);
        Assert.StartsWith("Server:Urls is ", error);
    }

    [Theory]
    [InlineData("Server:Role", "serve", "--role", "api")]
    [InlineData("Database:Directory", "migrate", "--data", "/dev/null")]
    [InlineData("Database:ConnectionString", "migrate", "--Database:ConnectionString", "garbage")]
    [InlineData("Coordination:Redis", "up", "--Coordination:Redis", "cache:6379")]
    [InlineData("Coordination:Redis", "up", "--Coordination:Redis", "cache:6379,abortConnect=perhaps")]
    [InlineData("Coordination:Cluster", "up", "--Coordination:Cluster", "")]
    [InlineData("Settings file nowhere.json", "up", "--settings", "nowhere.json")]
    [InlineData("X:Y", "provider", "--X:Y=1")]
    public async Task A_setting_that_cannot_work_is_refused_by_its_name(string setting, params string[] args)
    {
        var (code, _, error) = await RunAsync(args);
        Assert.Equal(78, code);
        Assert.StartsWith(setting, error);
    }

    [Fact]
    public async Task An_unreachable_database_ends_the_start_and_its_password_is_not_shown()
    {
        var (code, _, error) = await RunAsync(
            "up", "--Database:ConnectionString=Host=127.0.0.1;Port=1;Username=u;Password=hunter2");
        Assert.Equal(69, code);
        Assert.Contains("Database:ConnectionString", error);
        Assert.DoesNotContain("hunter2", error);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task An_address_in_use_ends_the_start()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var url = $"http://{other.LocalEndpoint}";
        var (code, _, error) = await RunAsync("up", "--urls", url, "--data", directory);
        Assert.Equal(69, code);
        Assert.Equal(
            $"Server:Urls is {url}, where another program listens. Stop it, or choose another address with --urls.",
            error.Trim());
    }

    [Theory]
    [InlineData("up", "--bogus")]
    [InlineData("fly")]
    [InlineData("merchant", "create")]
    [InlineData("merchant", "create", "")]
    [InlineData("up", "--urls")]
    public async Task A_command_line_that_cannot_be_read_is_a_usage_error(params string[] args)
    {
        var (code, _, error) = await RunAsync(args);
        Assert.Equal(64, code);
        Assert.NotEqual("", error);
    }

    [Fact]
    public async Task Merchants_and_operators_are_created_with_a_key()
    {
        var (code, merchant, _) = await RunAsync("merchant", "create", "Acme", "--json", "--data", directory);
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(merchant);
        Assert.Equal("Acme", json.RootElement.GetProperty("name").GetString());
        Assert.StartsWith("fg_live_", json.RootElement.GetProperty("key").GetString());
        Assert.NotEqual("", json.RootElement.GetProperty("merchantId").GetString());

        var (_, admin, _) = await RunAsync("admin", "create", "--json", "--data", directory);
        using var key = JsonDocument.Parse(admin);
        Assert.StartsWith("fg_live_", key.RootElement.GetProperty("key").GetString());

        var (_, migrated, _) = await RunAsync("migrate", "--json", "--data", directory);
        Assert.Equal("""{"applied":0}""", migrated.Trim());
    }

    [Fact]
    public async Task A_merchants_keys_are_listed_without_their_secret_and_ended()
    {
        var (_, created, _) = await RunAsync("merchant", "create", "Acme", "--json", "--data", directory);
        var merchant = JsonSerializer.Deserialize<JsonElement>(created);
        var (id, secret) = (merchant.GetProperty("merchantId").GetString()!, merchant.GetProperty("key").GetString()!);

        var (code, listed, _) = await RunAsync("merchant", "keys", id, "--json", "--data", directory);
        Assert.Equal(0, code);
        Assert.DoesNotContain(secret, listed);
        var key = Assert.Single(JsonSerializer.Deserialize<JsonElement>(listed).GetProperty("keys").EnumerateArray());
        var keyId = key.GetProperty("id").GetString()!;
        Assert.Equal(secret[..12], key.GetProperty("prefix").GetString());
        Assert.Equal(JsonValueKind.Null, key.GetProperty("revokedAt").ValueKind);

        var (revokedCode, revoked, _) = await RunAsync("merchant", "revoke", keyId, "--json", "--data", directory);
        var (_, again, _) = await RunAsync("merchant", "revoke", keyId, "--json", "--data", directory);
        Assert.Equal((0, revoked), (revokedCode, again));
        var revokedAt = JsonSerializer.Deserialize<JsonElement>(revoked).GetProperty("revokedAt").GetString()!;
        var (_, text, _) = await RunAsync("merchant", "revoke", keyId, "--data", directory);
        Assert.Contains("within 30 s (Access:KeyCachedSeconds)", text);
        var (_, table, _) = await RunAsync("merchant", "keys", id, "--data", directory);
        Assert.Contains(revokedAt, table);
    }

    [Fact]
    public async Task A_catalogue_is_imported_with_its_faults_told()
    {
        var (_, created, _) = await RunAsync("merchant", "create", "Acme", "--json", "--data", directory);
        var merchant = JsonSerializer.Deserialize<JsonElement>(created).GetProperty("merchantId").GetString()!;
        var file = Path.Combine(directory, "drop.csv");
        var text = Document.Read("docs/examples/drop.csv");
        await File.WriteAllTextAsync(file, text);
        string[] import = ["catalogue", "import", file, "--merchant", merchant, "--data", directory];

        var (dryCode, dry, _) = await RunAsync([.. import, "--dry-run"]);
        Assert.Equal(
            (0, "A dry run, so nothing was stored. Sales: 1 created, 0 updated, 0 unchanged. "
                + "Products: 3 created, 0 updated, 0 unchanged."),
            (dryCode, dry.Trim()));
        var (code, made, _) = await RunAsync([.. import, "--json"]);
        Assert.Equal(0, code);
        Assert.Equal(3, JsonSerializer.Deserialize<JsonElement>(made).GetProperty("products").GetProperty("created")
            .GetInt32());
        var (_, again, _) = await RunAsync(import);
        Assert.StartsWith("Nothing to change: 1 sales and 3 products", again);

        await File.WriteAllTextAsync(file, text.Replace("18900", "lots"));
        var (wrong, told, error) = await RunAsync([.. import, "--json"]);
        Assert.Equal(65, wrong);
        Assert.StartsWith("line 3: price is lots; it must be a whole number.", error);
        Assert.EndsWith("Nothing was imported: 2 faults.", error.Trim());
        Assert.Equal(2, JsonSerializer.Deserialize<JsonElement>(told).GetProperty("faultCount").GetInt32());

        // An operator's file says whose things these are.
        await File.WriteAllTextAsync(file, Document.Read("docs/examples/concert.json"));
        var (nobodys, _, why) = await RunAsync("catalogue", "import", file, "--data", directory);
        Assert.Equal(65, nobodys);
        Assert.StartsWith("$.sales[0].products[0].merchantId: merchantId is needed from an operator", why);
    }

    [Theory]
    [InlineData("FILE nowhere is not there", "nowhere")]
    [InlineData("--merchant is not known", "/dev/null", "--merchant", "m-1")]
    [InlineData("FILE has more than 1024 bytes", "/bin/sh", "--Catalog:ImportBytesMax=1024")]
    public async Task A_file_that_cannot_be_taken_is_a_usage_error(string why, params string[] args)
    {
        var (code, _, error) = await RunAsync(["catalogue", "import", .. args, "--data", directory]);
        Assert.Equal(64, code);
        Assert.StartsWith(why, error);
    }

    [Theory]
    [InlineData("merchant", "keys", "nobody")]
    [InlineData("merchant", "revoke", "01a1fbb4-05d7-78b8-88a5-2b97f381b800")]
    [InlineData("merchant", "revoke", "1")]
    public async Task A_merchant_or_key_that_is_not_there_is_a_usage_error(params string[] args)
    {
        var (code, _, error) = await RunAsync([.. args, "--data", directory]);
        Assert.Equal(64, code);
        Assert.NotEqual("", error);
    }

    [Fact]
    public async Task Users_are_created_with_a_password_given_or_made()
    {
        string[] create = ["user", "create", "--json", "--data", directory, "--email", "Ada@example.com", "--role"];
        var (code, text, _) = await RunAsync([.. create, "admin"]);
        Assert.Equal(0, code);
        using var user = JsonDocument.Parse(text);
        Assert.Equal("ada@example.com", user.RootElement.GetProperty("email").GetString());
        Assert.Equal("admin", user.RootElement.GetProperty("role").GetString());
        Assert.Equal(24, user.RootElement.GetProperty("password").GetString()!.Length);

        var (taken, _, why) = await RunAsync([.. create, "buyer"]);
        Assert.Equal((64, "--email is that of another user."), (taken, why.Trim()));

        var file = Path.Combine(directory, "password");
        await File.WriteAllTextAsync(file, "correct horse battery\n");
        create[6] = "bob@example.com";
        var (given, shown, _) = await RunAsync([.. create, "buyer", "--password-file", file]);
        Assert.Equal(0, given);
        Assert.Contains("\"password\":null", shown);
        Assert.DoesNotContain("horse", shown);
    }

    [Theory]
    [InlineData("--role must be", "ada@example.com", "root")]
    [InlineData("--email must be", "ada", "admin")]
    [InlineData("--merchant goes with", "ada@example.com", "merchant")]
    [InlineData("--merchant goes with", "ada@example.com", "buyer", "--merchant", "m-1")]
    [InlineData("--merchant is not known", "ada@example.com", "merchant", "--merchant", "m-1")]
    [InlineData("--password-file nowhere is not there", "ada@example.com", "admin", "--password-file", "nowhere")]
    [InlineData("The password must have", "ada@example.com", "admin", "--password-file", "/dev/null")]
    public async Task A_user_that_cannot_be_is_a_usage_error(
        string why, string email, string role, params string[] more)
    {
        var (code, _, error) = await RunAsync(
            ["user", "create", "--data", directory, "--email", email, "--role", role, .. more]);
        Assert.Equal(64, code);
        Assert.StartsWith(why, error);
    }

    [Theory]
    [InlineData("Identity:SigningKey", "secret-but-not-base64")]
    [InlineData("Identity:SigningKey", "c2hvcnQ=")]
    [InlineData("Identity:PreviousSigningKey", "c2hvcnQ=")]
    [InlineData("Identity:Issuer", " ")]
    [InlineData("Identity:ThrottleSecondsMax", "30")]
    public async Task Settings_of_identity_that_cannot_work_are_refused_and_keys_not_shown(string setting, string value)
    {
        var (code, _, error) = await RunAsync("settings", $"--{setting}={value}");
        Assert.Equal(78, code);
        Assert.StartsWith(setting, error);
        Assert.Equal(setting is not ("Identity:SigningKey" or "Identity:PreviousSigningKey"), error.Contains(value));
    }

    [Fact]
    public async Task Settings_are_printed_with_value_source_and_range_and_without_secrets()
    {
        environment["FLOODGATE__LOG__LEVEL"] = "WARN";
        var (code, text, _) = await RunAsync(
            "settings", "--demo", "--json", "--Database:ConnectionString", "Host=x;Password=hunter2");
        Assert.Equal(0, code);
        Assert.DoesNotContain("hunter2", text);
        using var json = JsonDocument.Parse(text);
        var settings = json.RootElement.GetProperty("settings").EnumerateArray()
            .ToDictionary(setting => setting.GetProperty("name").GetString()!);
        Assert.Equal("warn", settings["Log:Level"].GetProperty("value").GetString());
        Assert.Equal("environment FLOODGATE__LOG__LEVEL", settings["Log:Level"].GetProperty("source").GetString());
        Assert.Equal("profile demo", settings["Server:StopTimeoutMs"].GetProperty("source").GetString());
        Assert.Equal("(secret)", settings["Database:ConnectionString"].GetProperty("value").GetString());
        Assert.All(settings.Values, setting => Assert.NotEqual("", setting.GetProperty("meaning").GetString()));

        var (_, table, _) = await RunAsync("settings");
        Assert.Equal(settings.Count + 1, table.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [InlineData("", "d/provider.journal")]
    [InlineData("Host=x", "")]
    public async Task The_simulated_provider_remembers_where_SQLite_does(string database, string journal)
    {
        var (_, text, _) = await RunAsync(
            "settings", "--json", "--data", "d", "--Database:ConnectionString", database);
        using var json = JsonDocument.Parse(text);
        var setting = json.RootElement.GetProperty("settings").EnumerateArray()
            .Single(setting => setting.GetProperty("name").GetString() == "Providers:Simulated:Journal");
        Assert.Equal(journal, setting.GetProperty("value").GetString());
    }

    [Fact]
    public async Task A_journal_that_is_none_is_refused_by_its_setting()
    {
        Directory.CreateDirectory(directory);
        var file = Path.Combine(directory, "letter");
        await File.WriteAllTextAsync(file, "This is not a journal.");
        var (code, _, error) = await RunAsync("up", "--urls", "http://127.0.0.1:0", "--data", directory,
            "--Providers:Simulated:Journal", file);
        Assert.Equal(78, code);
        Assert.StartsWith($"Providers:Simulated:Journal is {file}, which cannot be used", error);
    }

    [Fact]
    public async Task Help_shows_examples_and_exit_codes()
    {
        var (code, text, _) = await RunAsync("--help");
        Assert.Equal(0, code);
        Assert.Contains("  ./floodgate up --demo", text);
        Assert.Contains("  ./floodgate [command] [options]", text);
        Assert.Contains("78 wrong settings", text);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var code = await new Program(output, error, environment).RunAsync(args);
        return (code, output.ToString(), error.ToString());
    }
}
