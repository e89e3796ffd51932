using System.Buffers.Text;

namespace Floodgate.Load.Traffic;

/// <summary>
/// Finds single members in the JSON of an answer. Reading whole documents would cost the load tool more than sending
/// the requests, so it looks for the first place where the member's name stands.
/// </summary>
internal static class JsonPeek
{
    /// <summary>The id after <paramref name="member"/>, which ends with the opening quote.</summary>
    public static bool TryGuid(ReadOnlySpan<byte> body, ReadOnlySpan<byte> member, out Guid id)
    {
        var at = body.IndexOf(member);
        id = default;
        return at >= 0 && Utf8Parser.TryParse(body[(at + member.Length)..], out id, out _);
    }

    /// <summary>The whole number after <paramref name="member"/>, which ends with the colon.</summary>
    public static bool TryLong(ReadOnlySpan<byte> body, ReadOnlySpan<byte> member, out long value)
    {
        var at = body.IndexOf(member);
        value = 0;
        return at >= 0 && Utf8Parser.TryParse(body[(at + member.Length)..], out value, out _);
    }

    /// <summary>The text after <paramref name="member"/>, which ends with the opening quote; empty when there is none.
    /// </summary>
    public static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> body, ReadOnlySpan<byte> member)
    {
        var at = body.IndexOf(member);
        if (at < 0)
        {
            return default;
        }

        var rest = body[(at + member.Length)..];
        var end = rest.IndexOf((byte)'"');
        return end < 0 ? default : rest[..end];
    }
}
