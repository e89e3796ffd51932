using System.Text;
using System.Text.Json;
using Floodgate.Supervision;
using Floodgate.Tests.Access;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Floodgate.Tests.Supervision;

// Goal: one event is one line that a machine can read, whatever is in it, and logging never holds up a caller.
// Method: the provider on an in-memory stream; one on a stream that blocks.
public sealed class ConsoleLogTests
{
    [Fact]
    public void An_event_is_one_JSON_line_with_its_fields()
    {
        var line = Assert.Single(Lines(isJson: true, LogLevel.Information, logger => logger.Log(
            LogLevel.Warning, new EventId(7, "stock_low"), new InvalidOperationException("first\nsecond"),
            "Pool {Pool} has {Left} left", "a\"b", 3)));

        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        Assert.Equal("1970-01-01T00:00:00.000Z", root.GetProperty("at").GetString());
        Assert.Equal("warn", root.GetProperty("level").GetString());
        Assert.Equal("Floodgate.Test", root.GetProperty("category").GetString());
        Assert.Equal(7, root.GetProperty("eventId").GetInt32());
        Assert.Equal("stock_low", root.GetProperty("event").GetString());
        Assert.Equal("Pool a\"b has 3 left", root.GetProperty("message").GetString());
        Assert.Equal("a\"b", root.GetProperty("Pool").GetString());
        Assert.Equal("3", root.GetProperty("Left").GetString());
        Assert.Contains("first\nsecond", root.GetProperty("error").GetString());
    }

    [Fact]
    public void Text_is_for_people()
    {
        var line = Assert.Single(Lines(isJson: false, LogLevel.Information, logger => logger.LogInformation("Hello")));
        Assert.Equal("1970-01-01T00:00:00.000Z info  Hello", line);
    }

    [Theory]
    [InlineData("Floodgate.Test", LogLevel.Information, 3)]
    [InlineData("Floodgate.Test", LogLevel.Warning, 2)]
    [InlineData("Floodgate.Test", LogLevel.Error, 1)]
    [InlineData("Microsoft.AspNetCore", LogLevel.Information, 2)]
    public void Events_below_the_level_are_left_out(string category, LogLevel min, int lines)
    {
        var written = Lines(isJson: true, min, logger =>
        {
            logger.LogDebug("debug");
            logger.LogInformation("info");
            logger.LogWarning("warn");
            logger.LogError("error");
        }, category);
        Assert.Equal(lines, written.Count);
    }

    [Fact]
    public void A_stuck_output_never_holds_up_the_caller()
    {
        using var stuck = new StuckStream();
        using var log = new ConsoleLog(new(LogLevel.Information, true, 0), new ManualClock(), stuck);
        var logger = log.CreateLogger("Floodgate.Test");
        for (var i = 0; i < 20_000; i++)
        {
            logger.LogInformation("line");
        }

        stuck.Release();
    }

    private static List<string> Lines(
        bool isJson, LogLevel min, Action<ILogger> write, string category = "Floodgate.Test")
    {
        using var output = new MemoryStream();
        using (var log = new ConsoleLog(new(min, isJson, 0), new FixedClock(), output))
        {
            write(log.CreateLogger(category));
        }

        var text = Encoding.UTF8.GetString(output.ToArray());
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }

    private sealed class StuckStream : MemoryStream
    {
        private readonly TaskCompletionSource released = new();

        public void Release() => released.SetResult();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancel) =>
            await released.Task;
    }
}
