using System.Buffers.Text;

namespace Floodgate.Load.Traffic;

/// <summary>
/// Where one answer lies in the bytes received: its status, its body, and whether the connection stays.
/// </summary>
internal readonly record struct HttpReply(int Status, int BodyStart, int BodyLength, bool KeepAlive);

/// <summary>Bytes that are no HTTP/1.1 answer (RFC 9112), or one that this reader does not speak.</summary>
internal sealed class HttpReplyException(string message) : Exception(message);

/// <summary>
/// Reads one HTTP/1.1 answer with Content-Length or chunked body. It keeps no state between calls: it starts over
/// when more bytes have come, which is cheaper than remembering for answers that fit one packet.
/// </summary>
internal static class HttpReplyReader
{
    private static ReadOnlySpan<byte> HeadEnd => "\r\n\r\n"u8;

    private static ReadOnlySpan<byte> LineEnd => "\r\n"u8;

    /// <summary>
    /// True when <paramref name="received"/> holds the whole answer; false when more must be received. A chunked
    /// body is joined in place, so the bytes must not be read a second time after true.
    /// </summary>
    /// <exception cref="HttpReplyException">The bytes can never become an answer that this reader knows.</exception>
    public static bool TryRead(Span<byte> received, out HttpReply reply)
    {
        reply = default;
        var headLength = received.IndexOf(HeadEnd);
        if (headLength < 0)
        {
            return false;
        }

        var head = received[..(headLength + LineEnd.Length)];
        var bodyStart = headLength + HeadEnd.Length;
        var (status, lengthOfBody, chunked, keepAlive) = ReadHead(head);
        if (chunked)
        {
            return TryJoinChunks(received, bodyStart, out var joined)
                && Done(new HttpReply(status, bodyStart, joined, keepAlive), out reply);
        }

        return received.Length - bodyStart >= lengthOfBody
            && Done(new HttpReply(status, bodyStart, lengthOfBody, keepAlive), out reply);
    }

    private static bool Done(HttpReply whole, out HttpReply reply)
    {
        reply = whole;
        return true;
    }

    private static (int Status, int Length, bool Chunked, bool KeepAlive) ReadHead(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith("HTTP/1.1 "u8)
            || !Utf8Parser.TryParse(head[9..], out int status, out var digits) || digits != 3)
        {
            throw new HttpReplyException("The answer does not begin with an HTTP/1.1 status line.");
        }

        var length = status is 204 or 304 ? 0 : -1;
        var chunked = false;
        var keepAlive = true;
        for (var rest = AfterLine(head); rest.Length > 0; rest = AfterLine(rest))
        {
            var line = rest[..rest.IndexOf(LineEnd)];
            if (Value(line, "content-length:"u8, out var value))
            {
                if (!Utf8Parser.TryParse(value, out length, out var used) || used != value.Length || length < 0)
                {
                    throw new HttpReplyException("Content-Length is not a number.");
                }
            }
            else if (Value(line, "transfer-encoding:"u8, out value))
            {
                chunked = Same(value, "chunked"u8);
            }
            else if (Value(line, "connection:"u8, out value))
            {
                keepAlive = !Same(value, "close"u8);
            }
        }

        return length >= 0 || chunked
            ? (status, length, chunked, keepAlive)
            : throw new HttpReplyException($"An answer {status} with neither Content-Length nor chunks has no end.");
    }

    private static bool TryJoinChunks(Span<byte> received, int bodyStart, out int joined)
    {
        // First look whether the last chunk is there, only then move bytes: moving twice would corrupt them.
        joined = 0;
        if (!WalkChunks(received, bodyStart, move: false, ref joined))
        {
            return false;
        }

        joined = 0;
        return WalkChunks(received, bodyStart, move: true, ref joined);
    }

    private static bool WalkChunks(Span<byte> received, int bodyStart, bool move, ref int joined)
    {
        var at = bodyStart;
        while (true)
        {
            var sizeLine = received[at..].IndexOf(LineEnd);
            if (sizeLine < 0)
            {
                return false;
            }

            if (!Utf8Parser.TryParse(received.Slice(at, sizeLine), out int size, out var used, 'x') || used == 0)
            {
                throw new HttpReplyException("A chunk does not begin with its size.");
            }

            var start = at + sizeLine + LineEnd.Length;
            if (received.Length - start < size + LineEnd.Length)
            {
                return false;
            }

            if (move)
            {
                received.Slice(start, size).CopyTo(received[(bodyStart + joined)..]);
            }

            joined += size;
            at = start + size + LineEnd.Length;
            if (size == 0)
            {
                return true;
            }
        }
    }

    private static ReadOnlySpan<byte> AfterLine(ReadOnlySpan<byte> text) =>
        text[(text.IndexOf(LineEnd) + LineEnd.Length)..];

    private static bool Value(ReadOnlySpan<byte> line, ReadOnlySpan<byte> lowerName, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (line.Length < lowerName.Length || !Same(line[..lowerName.Length], lowerName))
        {
            return false;
        }

        value = line[lowerName.Length..].Trim((byte)' ');
        return true;
    }

    private static bool Same(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        System.Text.Ascii.EqualsIgnoreCase(left, right);
}
