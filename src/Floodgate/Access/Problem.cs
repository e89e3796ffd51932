using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Floodgate.Access;

/// <summary>One kind of refusal: clients branch on <paramref name="Code"/>, which never changes.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">Stable, snake case.</param>
/// <param name="Title">A short sentence, the same for every occurrence (RFC 9457 section 3.1.3).</param>
public sealed record ProblemKind(int Status, string Code, string Title);

/// <summary>Answers with <c>application/problem+json</c> (RFC 9457): the only way a request is refused.</summary>
public static class Problem
{
    /// <summary>The media type of every refusal.</summary>
    public const string ContentType = "application/problem+json";

    // The relaxed encoder keeps quotes and other scripts readable; the media type is never taken for HTML.
    private static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Writes the refusal. Nothing may have been written to the response before.</summary>
    /// <param name="context">The request to refuse.</param>
    /// <param name="kind">What is wrong.</param>
    /// <param name="detail">This occurrence: the value, what is allowed, what to do. No secrets.</param>
    /// <param name="retryAfterSeconds">When the same request may succeed; sent as <c>Retry-After</c>.</param>
    /// <param name="more">Writes further fields (RFC 9457 section 3.2).</param>
    public static async Task WriteAsync(
        HttpContext context,
        ProblemKind kind,
        string detail,
        int? retryAfterSeconds = null,
        Action<Utf8JsonWriter>? more = null)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type", $"urn:floodgate:problem:{kind.Code}");
            json.WriteString("title", kind.Title);
            json.WriteNumber("status", kind.Status);
            json.WriteString("detail", detail);
            json.WriteString("code", kind.Code);
            more?.Invoke(json);
            json.WriteEndObject();
        }

        var response = context.Response;
        response.StatusCode = kind.Status;
        response.ContentType = ContentType;
        response.ContentLength = body.WrittenCount;
        if (retryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        await response.BodyWriter.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }
}

/// <summary>The refusals that any route can give. Those of one module are beside its routes.</summary>
public static class Problems
{
    /// <summary>The body is not what the route reads.</summary>
    public static readonly ProblemKind InvalidBody = new(400, "invalid_body", "The body is not valid.");

    /// <summary>A field of the body has a value that it cannot have.</summary>
    public static readonly ProblemKind InvalidField = new(400, "invalid_field", "A field is not valid.");

    /// <summary>A currency is not one of ISO 4217, in capitals.</summary>
    public static readonly ProblemKind UnknownCurrency = new(400, "unknown_currency", "The currency is not known.");

    /// <summary>A parameter in the path or query is not what the route reads.</summary>
    public static readonly ProblemKind InvalidParameter = new(400, "invalid_parameter", "A parameter is not valid.");

    /// <summary>The request cannot be read at the level of HTTP.</summary>
    public static readonly ProblemKind BadRequest = new(400, "bad_request", "The request cannot be read.");

    /// <summary>The route moves or creates something and needs an idempotency key.</summary>
    public static readonly ProblemKind IdempotencyKeyMissing = new(
        400, "idempotency_key_missing", "The Idempotency-Key header is missing.");

    /// <summary>The idempotency key is repeated, too long or has unprintable characters.</summary>
    public static readonly ProblemKind IdempotencyKeyInvalid = new(
        400, "idempotency_key_invalid", "The Idempotency-Key header is not valid.");

    /// <summary>The idempotency key was used before with another body.</summary>
    public static readonly ProblemKind IdempotencyKeyReused = new(
        422, "idempotency_key_reused", "The idempotency key was used with another request.");

    /// <summary>No key or access token, or one that is not known or over.</summary>
    public static readonly ProblemKind Unauthorized = new(
        401, "unauthorized", "A valid key or access token is needed.");

    /// <summary>The caller is known and may not call this route.</summary>
    public static readonly ProblemKind Forbidden = new(403, "forbidden", "This caller may not call this route.");

    /// <summary>There is no such path, or nothing that the caller may see under this id.</summary>
    public static readonly ProblemKind NotFound = new(404, "not_found", "There is nothing here.");

    /// <summary>The path exists with other methods; the <c>Allow</c> header names them.</summary>
    public static readonly ProblemKind MethodNotAllowed = new(
        405, "method_not_allowed", "The path does not take this method.");

    /// <summary>The request did not arrive in time.</summary>
    public static readonly ProblemKind RequestTimeout = new(408, "request_timeout", "The request came too slowly.");

    /// <summary>The body is larger than the server reads.</summary>
    public static readonly ProblemKind BodyTooLarge = new(413, "body_too_large", "The body is too large.");

    /// <summary>The body is not JSON by its content type.</summary>
    public static readonly ProblemKind UnsupportedMediaType = new(
        415, "unsupported_media_type", "The body must be application/json.");

    /// <summary>A bug; the log has more.</summary>
    public static readonly ProblemKind Internal = new(500, "internal", "Something went wrong on our side.");

    /// <summary>The server is at its limit or lacks what it needs; the same request may succeed soon.</summary>
    public static readonly ProblemKind Unavailable = new(503, "unavailable", "The server cannot take this now.");

    /// <summary>The database went away during the commit: it may have happened; its key tells.</summary>
    public static readonly ProblemKind OutcomeUnknown = new(
        503, "outcome_unknown", "It is not known whether this happened.");
}
