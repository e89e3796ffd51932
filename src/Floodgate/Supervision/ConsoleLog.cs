using System.Buffers;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Channels;
using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>
/// Writes events to standard output, one line each: JSON for machines, or text for people. Callers never wait for the
/// output: one loop writes, and when it falls behind too far, lines are dropped and counted.
/// </summary>
public sealed class ConsoleLog : ILoggerProvider
{
    private const int LinesWaitingMax = 10_000;

    private static readonly Counter<long> Dropped = new Meter("Floodgate").CreateCounter<long>(
        "floodgate_log_lines_dropped", null, "Log lines lost because the output was too slow.");

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly SupervisionSettings settings;
    private readonly TimeProvider time;
    private readonly Channel<ReadOnlyMemory<byte>> lines;
    private readonly Task loop;

    /// <summary>Starts the loop that writes to <paramref name="output"/>.</summary>
    public ConsoleLog(SupervisionSettings settings, TimeProvider time, Stream output)
    {
        this.settings = settings;
        this.time = time;
        var options = new BoundedChannelOptions(LinesWaitingMax) { FullMode = BoundedChannelFullMode.DropWrite };
        lines = Channel.CreateBounded<ReadOnlyMemory<byte>>(options, _ => Dropped.Add(1));
        loop = Task.Run(() => WriteAsync(output));
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new CategoryLogger(this, categoryName);

    /// <summary>Writes what waits and ends the loop.</summary>
    public void Dispose()
    {
        lines.Writer.TryComplete();
        loop.GetAwaiter().GetResult(); // tidy: blocking: the last lines tell why the program ended.
    }

    private async Task WriteAsync(Stream output)
    {
        try
        {
            await foreach (var line in lines.Reader.ReadAllAsync())
            {
                await output.WriteAsync(line);
                if (lines.Reader.Count == 0)
                {
                    await output.FlushAsync();
                }
            }
        }
        catch (IOException)
        {
            // Whoever read the output is gone. Lines are then dropped and counted, and the program goes on.
        }
    }

    private void Add(in Event line) =>
        lines.Writer.TryWrite(settings.IsLogJson ? ToJson(line) : Encoding.UTF8.GetBytes(ToText(line)));

    private static ReadOnlyMemory<byte> ToJson(in Event line)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("at", line.At.ToString());
            json.WriteString("level", Name(line.Level));
            json.WriteString("category", line.Category);
            json.WriteNumber("eventId", line.Id.Id);
            json.WriteString("event", line.Id.Name);
            json.WriteString("message", line.Message);
            foreach (var (name, value) in line.Fields.Where(field => field.Key != "{OriginalFormat}"))
            {
                json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
            }

            if (line.Error is { } error)
            {
                json.WriteString("error", error.ToString());
            }

            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }

    private static string ToText(in Event line)
    {
        var error = line.Error is null ? "" : $"{Environment.NewLine}{line.Error}";
        return $"{line.At} {Name(line.Level),-5} {line.Message}{error}{Environment.NewLine}";
    }

    private static string Name(LogLevel level) => level switch
    {
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Critical => "fatal",
        _ => level.ToString().ToLowerInvariant(),
    };

    private readonly record struct Event(UtcInstant At, LogLevel Level, string Category, EventId Id, string Message)
    {
        public IReadOnlyList<KeyValuePair<string, object?>> Fields { get; init; } = [];

        public Exception? Error { get; init; }
    }

    private sealed class CategoryLogger(ConsoleLog log, string category) : ILogger
    {
        // The framework's own events below warning tell about each request and connection, not about sales.
        private readonly LogLevel min = category.StartsWith("Microsoft.", StringComparison.Ordinal)
            ? (LogLevel)Math.Max((int)log.settings.LogLevelMin, (int)LogLevel.Warning)
            : log.settings.LogLevelMin;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= min && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            // A start that failed is told by the command in one line; the host's stack trace would hide it.
            if (IsEnabled(logLevel) && eventId.Name != "HostedServiceStartupFaulted")
            {
                log.Add(new(UtcInstant.Now(log.time), logLevel, category, eventId, formatter(state, exception))
                {
                    Fields = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [],
                    Error = exception,
                });
            }
        }
    }
}
