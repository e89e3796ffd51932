using System.Buffers.Text;
using System.Text;
using System.Text.RegularExpressions;

namespace Floodgate.Load.Traffic;

/// <summary>What goes into the places of a <see cref="RequestTemplate"/>.</summary>
internal readonly ref struct RequestValues
{
    /// <summary>For <c>&lt;n0&gt;</c>, <c>&lt;n1&gt;</c> and so on.</summary>
    public ReadOnlySpan<int> Numbers { get; init; }

    /// <summary>For <c>&lt;g0&gt;</c>, <c>&lt;g1&gt;</c> and so on.</summary>
    public ReadOnlySpan<Guid> Ids { get; init; }

    /// <summary>For <c>&lt;t&gt;</c> and <c>&lt;q&gt;</c>.</summary>
    public ReadOnlySpan<byte> Text { get; init; }
}

/// <summary>
/// A request of which a few places differ from one sending to the next. <c>&lt;n0&gt;</c> is a number of nine digits,
/// <c>&lt;g0&gt;</c> an id, <c>&lt;q&gt;</c> a quoted text that blanks fill up to <see cref="QuotedWidth"/>, and
/// <c>&lt;t&gt;</c> a text of any length, which may stand in the head only: the body's length is fixed.
/// </summary>
internal sealed partial class RequestTemplate
{
    /// <summary>The bytes of a quoted text with its quotes and blanks.</summary>
    public const int QuotedWidth = 32;

    private const int NumberWidth = 9;
    private const int IdWidth = 36;
    private const int TextWidthMax = 1024;
    private readonly List<(byte[] Before, char Kind, int Index)> places = [];
    private readonly byte[] tail;

    /// <summary>Cuts the request at its places. Content-Length is written here.</summary>
    /// <param name="start">Method and path, such as <c>POST /v1/orders</c>.</param>
    /// <param name="headers">Header lines, each with its line end.</param>
    /// <param name="body">JSON; null for none.</param>
    public RequestTemplate(string start, string headers, string? body)
    {
        var length = body is null ? "" : "Content-Type: application/json\r\nContent-Length: " + WidthOf(body) + "\r\n";
        var text = $"{start} HTTP/1.1\r\n{headers}{length}\r\n{body}";
        var from = 0;
        foreach (Match match in Place().Matches(text))
        {
            var digit = match.Groups["index"].Value;
            places.Add((
                Encoding.ASCII.GetBytes(text[from..match.Index]),
                match.Groups["kind"].Value[0],
                digit.Length == 0 ? 0 : digit[0] - '0'));
            from = match.Index + match.Length;
        }

        tail = Encoding.ASCII.GetBytes(text[from..]);
        BytesMax = places.Sum(place => place.Before.Length + WidthOf(place.Kind)) + tail.Length;
    }

    /// <summary>A buffer of this size holds the request.</summary>
    public int BytesMax { get; }

    /// <summary>Writes the request and returns its length.</summary>
    public int Write(Span<byte> buffer, RequestValues values)
    {
        var at = 0;
        foreach (var (before, kind, index) in places)
        {
            before.CopyTo(buffer[at..]);
            at += before.Length;
            switch (kind)
            {
                case 'n':
                    Utf8Formatter.TryFormat(values.Numbers[index], buffer[at..], out _, new('D', NumberWidth));
                    at += NumberWidth;
                    break;
                case 'g':
                    Utf8Formatter.TryFormat(values.Ids[index], buffer[at..], out _);
                    at += IdWidth;
                    break;
                case 'q':
                    buffer.Slice(at, QuotedWidth).Fill((byte)' ');
                    buffer[at] = (byte)'"';
                    values.Text.CopyTo(buffer[(at + 1)..]);
                    buffer[at + 1 + values.Text.Length] = (byte)'"';
                    at += QuotedWidth;
                    break;
                default:
                    values.Text.CopyTo(buffer[at..]);
                    at += values.Text.Length;
                    break;
            }
        }

        tail.CopyTo(buffer[at..]);
        return at + tail.Length;
    }

    private static int WidthOf(string body) =>
        body.Length + Place().Matches(body).Sum(match => WidthOf(match.Groups["kind"].Value[0]) - match.Length);

    private static int WidthOf(char kind) => kind switch
    {
        'n' => NumberWidth,
        'g' => IdWidth,
        'q' => QuotedWidth,
        _ => TextWidthMax,
    };

    [GeneratedRegex("<(?<kind>[ngtq])(?<index>[0-9]?)>")]
    private static partial Regex Place();
}
