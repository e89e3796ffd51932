using System.Diagnostics;
using System.Net.Sockets;
using Xunit;

namespace Floodgate.Tests.Fixtures;

/// <summary>
/// A real Redis of one test, on a port and in a folder of its own, that keeps nothing over a restart. A shell watches
/// it and stops it as soon as the pipe to this process closes, however this process ends.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string Watch = """
        trap '' INT TERM HUP
        start() {
          redis-server --port "$1" --bind 127.0.0.1 --dir "$2" --save '' --appendonly no \
            </dev/null >>"$2/log" 2>&1 &
          server=$!
        }
        stop() { kill -KILL "$server" 2>/dev/null; wait "$server" 2>/dev/null; server=; }
        start "$@"
        while read -r order; do
          case "$order" in
            kill) stop ;;
            start) start "$@" ;;
            pause) kill -STOP "$server" ;;
            resume) kill -CONT "$server" ;;
          esac
          echo done
        done
        if [ -n "$server" ]; then stop; fi
        rm -rf "$2"
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("floodgate-redis-").FullName;
    private readonly int port = FreePort.Next();
    private readonly Process shell;

    private RedisServer()
    {
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in new[] { "-c", Watch, "sh", $"{port}", folder })
        {
            start.ArgumentList.Add(argument);
        }

        shell = Process.Start(start)!;
    }

    /// <summary>As the setting <c>Coordination:Redis</c> names it.</summary>
    public string Address => $"127.0.0.1:{port}";

    /// <summary>Starts one and returns when it answers.</summary>
    public static async Task<RedisServer> StartAsync()
    {
        var server = new RedisServer();
        await server.AnswersAsync();
        return server;
    }

    /// <summary>kill -9: every connection breaks, and all that it knew is lost.</summary>
    public Task KillAsync() => OrderAsync("kill");

    /// <summary>
    /// Starts it again after <see cref="KillAsync"/>, empty, on the same port; returns when it answers.
    /// </summary>
    public async Task StartAgainAsync()
    {
        await OrderAsync("start");
        await AnswersAsync();
    }

    /// <summary>It stands still: connections stay open and nobody answers.</summary>
    public Task PauseAsync() => OrderAsync("pause");

    /// <summary>Goes on after <see cref="PauseAsync"/> as if nothing had been.</summary>
    public Task ResumeAsync() => OrderAsync("resume");

    /// <summary>Stops it at once and removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        shell.StandardInput.Close();
        await shell.WaitForExitAsync().WaitAsync(Eventually.Deadline);
        shell.Dispose();
    }

    private async Task OrderAsync(string order)
    {
        await shell.StandardInput.WriteLineAsync(order);
        await shell.StandardInput.FlushAsync();
        Assert.Equal("done", await shell.StandardOutput.ReadLineAsync().WaitAsync(Eventually.Deadline));
    }

    private Task AnswersAsync() => Eventually.HoldsAsync(
        async () =>
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", port);
                await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
                using var reader = new StreamReader(client.GetStream());
                return await reader.ReadLineAsync() == "+PONG";
            }
            catch (Exception error) when (error is SocketException or IOException)
            {
                return false;
            }
        },
        () => "Redis answers; is redis-server installed? ./test installs it, or: sudo apt-get install redis-server");
}
