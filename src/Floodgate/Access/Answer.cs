using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Floodgate.Access;

/// <summary>Writes JSON answers with their length known, without an object for each.</summary>
public static class Answer
{
    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    [ThreadStatic]
    private static Scratch? scratch;

    /// <summary>
    /// Answers with the JSON that <paramref name="write"/> makes of the value. Synchronous until the flush.
    /// </summary>
    public static Task WriteAsync<T>(HttpContext context, int status, T value, Action<Utf8JsonWriter, T> write)
    {
        var response = context.Response;
        var json = Render(value, write);
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        json.CopyTo(response.BodyWriter.GetSpan(json.Length));
        response.BodyWriter.Advance(json.Length);
        return response.BodyWriter.FlushAsync(context.RequestAborted) is { IsCompletedSuccessfully: false } flush
            ? flush.AsTask()
            : Task.CompletedTask;
    }

    /// <summary>Answers 200 with JSON that was rendered before.</summary>
    public static async Task WriteAsync(HttpContext context, byte[] json)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted);
    }

    /// <summary>Answers 200 with a page, as <see cref="WritePage"/> makes it.</summary>
    public static Task WritePageAsync<T>(
        HttpContext context, IReadOnlyList<T> page, bool hasMore, Action<Utf8JsonWriter, T> write) => WriteAsync(
        context, 200, (page, hasMore, write), static (json, it) => WritePage(json, it.page, it.hasMore, it.write));

    /// <summary>A page as every list shows it: <c>{"data":[...],"has_more":bool}</c>.</summary>
    public static void WritePage<T>(
        Utf8JsonWriter json, IReadOnlyList<T> page, bool hasMore, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartObject();
        json.WriteStartArray("data");
        foreach (var item in page)
        {
            write(json, item);
        }

        json.WriteEndArray();
        json.WriteBoolean("has_more", hasMore);
        json.WriteEndObject();
    }

    /// <summary>The JSON of a value, valid until the next call on this thread.</summary>
    public static ReadOnlySpan<byte> Render<T>(T value, Action<Utf8JsonWriter, T> write)
    {
        var own = scratch ??= new();
        own.Buffer.ResetWrittenCount();
        own.Json.Reset(own.Buffer);
        write(own.Json, value);
        own.Json.Flush();
        return own.Buffer.WrittenSpan;
    }

    private sealed class Scratch
    {
        public ArrayBufferWriter<byte> Buffer { get; } = new(1_024);

        public Utf8JsonWriter Json { get; }

        public Scratch() => Json = new Utf8JsonWriter(Buffer, WriterOptions);
    }
}
