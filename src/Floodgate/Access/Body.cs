using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Floodgate.Access;

/// <summary>
/// Reads JSON bodies strictly: unknown, repeated, missing and wrongly typed fields are refused with the place and
/// what is expected there, so that a typing error in a client never becomes a payment with defaults.
/// </summary>
public static class Body
{
    private const string Json = "application/json";

    /// <summary>
    /// The body, or null after the request was refused: <c>body_too_large</c> (413),
    /// <c>unsupported_media_type</c> (415) or <c>invalid_body</c> (400).
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="type">From a source-generated context with <c>JsonSerializerDefaults.Strict</c>.</param>
    public static ValueTask<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class => ReadAsync(context, type, null);

    /// <summary>Like <see cref="ReadAsync{T}(HttpContext, JsonTypeInfo{T})"/>, and a request without a body is
    /// allowed and means <paramref name="whenEmpty"/>.</summary>
    public static async ValueTask<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type, T? whenEmpty)
        where T : class
    {
        Invariant.Check(
            type.Options.UnmappedMemberHandling == JsonUnmappedMemberHandling.Disallow
                && !type.Options.AllowDuplicateProperties,
            "bodies are read with strict JSON options");
        var length = context.Request.ContentLength;
        if (whenEmpty is not null && !CanHaveBody(context))
        {
            return whenEmpty;
        }

        if (await RefuseByHeadersAsync(context, length))
        {
            return null;
        }

        var reader = context.Request.BodyReader;
        var result = await ReadWholeAsync(reader, length, context.RequestAborted);
        var value = Parse(result.Buffer, type, out var fault);
        reader.AdvanceTo(result.Buffer.End);
        if (fault is not null)
        {
            await Problem.WriteAsync(context, Problems.InvalidBody, fault);
        }

        return value;
    }

    /// <summary>
    /// The value of a piece of JSON, read as strictly; null with a sentence that names the place in it, which begins
    /// with <paramref name="path"/>.
    /// </summary>
    public static T? Parse<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string path, out string? fault)
        where T : class
    {
        T? value = null;
        JsonException? error = null;
        try
        {
            value = JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException e)
        {
            error = e;
        }

        // PostgreSQL stores no U+0000 in texts, so it is refused here for every database alike.
        var isGood = value is not null && json.IndexOf("\\u0000"u8) < 0;
        fault = isGood ? null : BodyFault.Find(json, type, error, path);
        return fault is null ? value : null;
    }

    // A body of any size is bounded by the server's limit, beyond which the reader throws (413 at the request edge).
    private static async ValueTask<ReadResult> ReadWholeAsync(PipeReader reader, long? length, CancellationToken cancel)
    {
        while (true)
        {
            var result = await reader.ReadAsync(cancel);
            if (result.IsCompleted || result.Buffer.Length >= length)
            {
                return result;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static T? Parse<T>(ReadOnlySequence<byte> body, JsonTypeInfo<T> type, out string? fault)
        where T : class
    {
        if (body.IsSingleSegment)
        {
            return Parse(body.FirstSpan, type, "$", out fault);
        }

        var length = (int)body.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        body.CopyTo(copy);
        var value = Parse(copy.AsSpan(0, length), type, "$", out fault);
        ArrayPool<byte>.Shared.Return(copy);
        return value;
    }

    private static bool CanHaveBody(HttpContext context) =>
        context.Request.ContentLength is not 0 &&
        context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: false };

    private static ValueTask<bool> RefuseByHeadersAsync(HttpContext context, long? length)
    {
        var limit = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize;
        if (length > limit)
        {
            // The body is not read, so the connection cannot be used again: say so, or the next request is lost.
            context.Response.Headers.Connection = "close";
            return RefuseAsync(context, Problems.BodyTooLarge,
                $"The body has {length} bytes; at most {limit} are read (setting Server:BodyBytesMax).");
        }

        var headers = context.Request.Headers;
        return IsJson(context.Request.ContentType) && headers.ContentEncoding.Count == 0
            ? new(false)
            : RefuseAsync(context, Problems.UnsupportedMediaType,
                $"Send the body as UTF-8 JSON with Content-Type: {Json} and without Content-Encoding.");
    }

    private static bool IsJson(string? contentType)
    {
        if (Json.Equals(contentType, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        return MediaTypeHeaderValue.TryParse(contentType, out var type) &&
            type.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase) &&
            (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    private static async ValueTask<bool> RefuseAsync(HttpContext context, ProblemKind kind, string detail)
    {
        await Problem.WriteAsync(context, kind, detail);
        return true;
    }
}
