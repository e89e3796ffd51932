using System.Security.Cryptography;

namespace Floodgate.Vocabulary;

/// <summary>
/// The only source of ids: UUID version 7 (RFC 9562), ordered by time so that indexes grow at one end.
/// </summary>
public sealed class Ids(TimeProvider time)
{
    /// <summary>A new id; its first 48 bits are the milliseconds of the clock.</summary>
    public Guid Next() => Guid.CreateVersion7(time.GetUtcNow());

    /// <summary>Random bytes fit for secrets, as URL-safe text without padding.</summary>
    public static string Secret(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes))
        .Replace('+', '-').Replace('/', '_').TrimEnd('=');
}
