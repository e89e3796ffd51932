using System.Collections.Frozen;
using System.Diagnostics;
using System.Text;
using Xunit;

namespace Floodgate.Tests.Fixtures;

/// <summary>
/// The real program in a process of its own, as a user starts it: <c>dotnet Floodgate.dll up|serve|provider ...</c>
/// on a free port, with an empty data folder that is removed at the end. For drills that kill it.
/// </summary>
public sealed class FloodgateProcess : IAsyncDisposable
{
    /// <summary>The commands that keep data, and so take <c>--data</c>.</summary>
    private static readonly FrozenSet<string> KeepsData = ["up", "serve"];

    private readonly string[] arguments;
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly StringBuilder output = new();
    private Process? process;

    private FloodgateProcess(string[] arguments, IReadOnlyDictionary<string, string> environment)
    {
        this.environment = environment;
        DataFolder = Directory.CreateTempSubdirectory("floodgate-data-").FullName;
        Url = new Uri($"http://127.0.0.1:{FreePort.Next()}");
        var data = KeepsData.Contains(arguments[0]) ? new[] { "--data", DataFolder } : [];
        this.arguments = [.. arguments, "--urls", Url.OriginalString, .. data];
        Http = new HttpClient { BaseAddress = Url };
    }

    /// <summary>Where it listens; the same after a restart.</summary>
    public Uri Url { get; }

    /// <summary>A client with <see cref="Url"/> as its base address and no default headers.</summary>
    public HttpClient Http { get; }

    /// <summary>Its data, kept over restarts, removed at the end.</summary>
    public string DataFolder { get; }

    /// <summary>All that it wrote to standard output and error so far, over all its starts.</summary>
    public string Output
    {
        get
        {
            lock (output)
            {
                return output.ToString();
            }
        }
    }

    /// <summary>
    /// Starts the command and returns when it is ready to serve. Throws with its output when it ends early or is not
    /// ready within a minute.
    /// </summary>
    /// <param name="arguments">The command and its options, without <c>--urls</c> and <c>--data</c>.</param>
    public static Task<FloodgateProcess> StartAsync(params string[] arguments) =>
        StartAsync(FrozenDictionary<string, string>.Empty, arguments);

    /// <summary>
    /// As <see cref="StartAsync(string[])"/>, with settings such as <c>FLOODGATE__LOG__PARTITIONS</c>.
    /// </summary>
    public static async Task<FloodgateProcess> StartAsync(
        IReadOnlyDictionary<string, string> environment,
        params string[] arguments)
    {
        var program = new FloodgateProcess(arguments, environment);
        try
        {
            await program.StartAgainAsync();
            return program;
        }
        catch (Exception failure) when (failure is TimeoutException or InvalidOperationException)
        {
            await program.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a command that ends by itself; returns its exit code and all its output.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        IReadOnlyDictionary<string, string> environment,
        params string[] arguments)
    {
        var output = new StringBuilder();
        using var process = Launch(environment, arguments, output);
        try
        {
            await process.WaitForExitAsync().WaitAsync(Eventually.Deadline);
        }
        catch (TimeoutException)
        {
            process.Kill();
            throw;
        }

        return (process.ExitCode, output.ToString());
    }

    /// <summary>
    /// Starts it again on the same data and port, after <see cref="Kill"/> or <see cref="StopAsync"/>.
    /// </summary>
    public async Task StartAgainAsync()
    {
        process?.Dispose();
        process = Launch(environment, arguments, output);
        await Eventually.HoldsAsync(IsReadyAsync, () => $"{arguments[0]} is ready.\n{Output}");
    }

    /// <summary>kill -9: the program gets no chance to finish anything. Returns when it is gone.</summary>
    public void Kill()
    {
        process!.Kill();
        Assert.True(process.WaitForExit(Eventually.Deadline), "a killed process is gone");
    }

    /// <summary>Asks it to end (SIGTERM), as a service manager does, and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", $"{process!.Id}"]);
        await kill.WaitForExitAsync();
        return await EndAsync();
    }

    /// <summary>Waits until it has ended by itself, and returns its exit code.</summary>
    public async Task<int> EndAsync()
    {
        await process!.WaitForExitAsync().WaitAsync(Eventually.Deadline);
        return process.ExitCode;
    }

    /// <summary>Kills it if it still runs and removes its data.</summary>
    public async ValueTask DisposeAsync()
    {
        if (process is { HasExited: false })
        {
            process.Kill();
            await process.WaitForExitAsync().WaitAsync(Eventually.Deadline);
        }

        process?.Dispose();
        Http.Dispose();
        Directory.Delete(DataFolder, recursive: true);
    }

    /// <summary>The server has a route for this; the stand-alone provider is ready when it answers at all.</summary>
    private async Task<bool> IsReadyAsync()
    {
        if (process!.HasExited)
        {
            throw new InvalidOperationException($"It ended with exit code {process.ExitCode}.\n{Output}");
        }

        try
        {
            using var answer = await Http.GetAsync(KeepsData.Contains(arguments[0]) ? "/health/ready" : "/faults");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static Process Launch(
        IReadOnlyDictionary<string, string> environment,
        string[] arguments,
        StringBuilder output)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Vocabulary.Money).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(output, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static void Append(StringBuilder output, string? line)
    {
        lock (output)
        {
            output.AppendLine(line);
        }
    }
}
