using System.Diagnostics;
using Floodgate.Tests.Fixtures;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgreSqlServer))]

namespace Floodgate.Tests.Fixtures;

/// <summary>
/// A real, temporary PostgreSQL cluster on 127.0.0.1, durable as in production. A test class that names it in its
/// constructor gets the one of this test process; it starts with the first database that is asked for, so runs
/// that need none pay nothing. A test that wants other server settings starts its own.
/// </summary>
/// <remarks>
/// A shell watches the server: it stops the server and removes the folder as soon as the pipe to this process
/// closes, which the kernel does however this process ends (return, Ctrl-C, kill -9). As root the whole thing runs as
/// the user <c>postgres</c>, because the server refuses to run as root.
/// </remarks>
public sealed class PostgreSqlServer : IAsyncDisposable
{
    private const string Watch = """
        trap '' INT TERM HUP
        start() { "$1/postgres" -D "$2/data" -h 127.0.0.1 -p "$3" -k "$2" $4 </dev/null >>"$2/log" 2>&1 & server=$!; }
        stop() {
          while kill -QUIT "$server"; do sleep 0.1; done 2>/dev/null & # Until it listens to signals.
          wait "$server"
          server=
        }
        "$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-instructions >"$2/log" 2>&1 && start "$@"
        while read -r order; do
          if [ "$order" = stop ]; then stop; echo stopped; else start "$@"; fi
        done
        if [ -n "$server" ]; then stop; fi
        rm -rf "$2"
        """;

    private readonly string[] settings;
    private readonly string folder = Path.Combine(Path.GetTempPath(), $"floodgate-pg-{Path.GetRandomFileName()}");
    private readonly int port = FreePort.Next();
    private readonly Lazy<Task<Process>> watcher;
    private int databases;

    /// <summary>The cluster of this test process, with the server's default settings.</summary>
    public PostgreSqlServer()
        : this([])
    {
    }

    private PostgreSqlServer(string[] settings)
    {
        this.settings = settings;
        watcher = new Lazy<Task<Process>>(StartWatcherAsync);
    }

    /// <summary>
    /// A cluster of its own for tests of special server settings, each as <c>name=value</c>; dispose it.
    /// </summary>
    public static PostgreSqlServer WithSettings(params string[] settings) => new(settings);

    /// <summary>Creates an empty database and returns its connection string. Safe to call concurrently.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        await watcher.Value;
        var name = $"test_{Interlocked.Increment(ref databases)}";
        await using var connection = new NpgsqlConnection(ConnectionString("postgres"));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"create database {name}", connection);
        await command.ExecuteNonQueryAsync();
        return ConnectionString(name);
    }

    /// <summary>
    /// Stops the server as a crash would (immediate mode: no checkpoint, every connection cut). Returns when it is
    /// gone. Only for a cluster of one's own.
    /// </summary>
    public async Task CrashAsync()
    {
        var shell = await watcher.Value;
        await shell.StandardInput.WriteLineAsync("stop");
        await shell.StandardInput.FlushAsync();
        Assert.Equal("stopped", await shell.StandardOutput.ReadLineAsync().WaitAsync(Eventually.Deadline));
    }

    /// <summary>Starts it again after <see cref="CrashAsync"/>, same data and port; returns when it answers.</summary>
    public async Task StartAgainAsync()
    {
        var shell = await watcher.Value;
        await shell.StandardInput.WriteLineAsync("start");
        await shell.StandardInput.FlushAsync();
        await Eventually.HoldsAsync(AnswersAsync, () => $"PostgreSQL answers again.\n{Log()}");
    }

    /// <summary>Stops the server at once and removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!watcher.IsValueCreated)
        {
            return;
        }

        using var shell = await watcher.Value;
        shell.StandardInput.Close();
        await shell.WaitForExitAsync().WaitAsync(Eventually.Deadline);
    }

    private string ConnectionString(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = port,
        Username = "postgres",
        Database = database,
        IncludeErrorDetail = true,
        // The connection that creates databases must not linger as a session of the template.
        Pooling = database != "postgres",
    }.ConnectionString;

    private async Task<Process> StartWatcherAsync()
    {
        var start = new ProcessStartInfo
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        Directory.CreateDirectory(folder);
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", "postgres", folder);
            start.FileName = "setpriv";
            Append(start, "--reuid", "postgres", "--regid", "postgres", "--init-groups", "sh");
        }
        else
        {
            start.FileName = "sh";
        }

        var options = string.Join(' ', ["-c max_connections=300", .. settings.Select(setting => $"-c {setting}")]);
        Append(start, "-c", Watch, "sh", BinFolder(), folder, $"{port}", options);
        var shell = Process.Start(start)!;
        await Eventually.HoldsAsync(AnswersAsync, () => $"PostgreSQL answers.\n{Log()}");
        return shell;
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString("postgres"));
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private string Log()
    {
        var log = Path.Combine(folder, "log");
        return File.Exists(log) ? File.ReadAllText(log) : "It wrote no log.";
    }

    /// <summary>Debian keeps the server's programs off PATH, one folder per major version; the newest wins.</summary>
    private static string BinFolder()
    {
        const string versions = "/usr/lib/postgresql";
        var debian = Directory.Exists(versions) ? Directory.GetDirectories(versions) : [];
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return debian
            .OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), out var version) ? version : 0)
            .Select(folder => Path.Combine(folder, "bin"))
            .Concat(path)
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")))
            ?? throw new InvalidOperationException(
                "PostgreSQL's initdb is not installed; ./test installs it, or: sudo apt-get install postgresql");
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private static void Append(ProcessStartInfo start, params string[] arguments)
    {
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
    }
}
