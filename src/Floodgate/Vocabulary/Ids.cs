using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Floodgate.Vocabulary;

/// <summary>
/// The only source of ids: UUID version 7 (RFC 9562), ordered by time so that indexes grow at one end.
/// </summary>
public sealed class Ids(TimeProvider time)
{
    /// <summary>A new id; its first 48 bits are the milliseconds of the clock.</summary>
    public Guid Next() => Guid.CreateVersion7(time.GetUtcNow());

    /// <summary>
    /// A new id that nobody can guess, for what is shown to whoever knows its id: as <see cref="Next"/>, and its other
    /// 74 bits are from the system's source of secrets, whatever the framework does for plain ids.
    /// </summary>
    public Guid NextSecret()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        var ms = UtcInstant.Now(time).Ms;
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)(ms >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], (uint)ms);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x70); // Version 7.
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80); // The variant of RFC 9562.
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>Random bytes fit for secrets, as URL-safe text without padding.</summary>
    public static string Secret(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes))
        .Replace('+', '-').Replace('/', '_').TrimEnd('=');
}
