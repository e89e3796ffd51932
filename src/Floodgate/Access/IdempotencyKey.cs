namespace Floodgate.Access;

/// <summary>
/// The <c>Idempotency-Key</c> header: required wherever money or a thing of value is created or moved, so that a
/// client that got no answer can ask again safely.
/// </summary>
public static class IdempotencyKey
{
    /// <summary>The header.</summary>
    public const string Header = "Idempotency-Key";

    /// <summary>The header of an answer that was given before to the same key and body.</summary>
    public const string ReplayedHeader = "Idempotent-Replayed";

    /// <summary>The longest key, in characters: a UUID with room for a prefix.</summary>
    public const int LengthMax = 64;

    /// <summary>
    /// The key, or null after the request was refused with <c>idempotency_key_missing</c> or
    /// <c>idempotency_key_invalid</c> (repeated, empty, over-long or not printable ASCII).
    /// </summary>
    public static ValueTask<string?> ReadAsync(HttpContext context)
    {
        var values = context.Request.Headers[Header];
        var key = values.Count == 1 ? values[0] : null;
        return IsValid(key) ? new(key) : RefuseAsync(context, values.Count, key);
    }

    /// <summary>The same check for a key that came in the body; null after the request was refused.</summary>
    public static ValueTask<string?> CheckAsync(HttpContext context, string key) =>
        IsValid(key) ? new(key) : RefuseAsync(context, 1, key);

    private static bool IsValid(string? key) =>
        key is { Length: > 0 and <= LengthMax } && !key.AsSpan().ContainsAnyExceptInRange(' ', '~');

    private static async ValueTask<string?> RefuseAsync(HttpContext context, int count, string? key)
    {
        if (count == 0)
        {
            await Problem.WriteAsync(context, Problems.IdempotencyKeyMissing,
                $"Send {Header} with 1 to {LengthMax} printable ASCII characters that are new for each intent, " +
                "such as a UUID, and send the same one again when you retry.");
            return null;
        }

        var fault = count > 1 ? $"was sent {count} times; send it once"
            : string.IsNullOrEmpty(key) ? $"is empty; send 1 to {LengthMax} printable ASCII characters"
            : key.Length > LengthMax ? $"has {key.Length} characters; send at most {LengthMax}"
            : "has characters outside printable ASCII; send letters, digits and signs only";
        await Problem.WriteAsync(context, Problems.IdempotencyKeyInvalid, $"{Header} {fault}.");
        return null;
    }
}
