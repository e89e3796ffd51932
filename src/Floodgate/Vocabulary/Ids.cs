using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

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

    /// <summary>
    /// The id of what may be told more than once: the same for the same moment and words, so that a repeat is known by
    /// it. In form and order like the others: the moment's milliseconds, then SHA-256 of the words.
    /// </summary>
    public static Guid Of(UtcInstant at, params ReadOnlySpan<string> words)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        foreach (var word in words)
        {
            // With its length, or "ab" and "c" would be "a" and "bc".
            var bytes = Encoding.UTF8.GetBytes(word);
            BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }

        Span<byte> id = stackalloc byte[32];
        hash.GetHashAndReset(id);
        Span<byte> time = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(time, Math.Clamp(at.Ms, 0, (1L << 48) - 1));
        time[2..].CopyTo(id);
        id[6] = (byte)(0x70 | (id[6] & 0x0F));
        id[8] = (byte)(0x80 | (id[8] & 0x3F));
        return new Guid(id[..16], bigEndian: true);
    }

    /// <summary>The least id of a moment: every id of before is smaller, every one of it or later is not.</summary>
    public static Guid FirstOf(UtcInstant at)
    {
        Span<byte> id = stackalloc byte[16];
        id.Clear();
        Span<byte> time = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(time, Math.Clamp(at.Ms, 0, (1L << 48) - 1));
        time[2..].CopyTo(id);
        return new Guid(id, bigEndian: true);
    }

    /// <summary>Random bytes fit for secrets, as URL-safe text without padding.</summary>
    public static string Secret(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes))
        .Replace('+', '-').Replace('/', '_').TrimEnd('=');
}
