using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace Floodgate.Tests.Docs;

/// <summary>
/// A <c>curl</c> of a document as a request: what the options do there, they do here. Understands as much shell as
/// documents use: quotes, continued lines and one loop <c>for n in $(seq N); do ... done</c>.
/// </summary>
internal sealed partial record ShellCall(string Method, string Path, string? Body, IReadOnlyList<string> Headers)
{
    private const string Server = "http://127.0.0.1:8080";

    /// <summary>The calls of a block, the loop unrolled.</summary>
    public static IEnumerable<ShellCall> In(string block)
    {
        var repeat = 1;
        var lines = block.Replace("\\\n", " ").Split('\n', StringSplitOptions.TrimEntries);
        var body = new List<string>();
        foreach (var line in lines)
        {
            if (Loop().Match(line) is { Success: true } loop)
            {
                repeat = int.Parse(loop.Groups[1].ValueSpan);
            }
            else if (line == "done")
            {
                foreach (var call in Enumerable.Range(1, repeat).SelectMany(n => body.Select(one => Parse(one, n))))
                {
                    yield return call;
                }

                (repeat, body) = (1, []);
            }
            else if (line.StartsWith("curl ", StringComparison.Ordinal))
            {
                if (repeat > 1)
                {
                    body.Add(line);
                }
                else
                {
                    yield return Parse(line, 0);
                }
            }
        }
    }

    /// <summary>The request; <c>THE-ID</c> becomes the id of the last answer.</summary>
    public HttpRequestMessage ToRequest(string? id)
    {
        var request = new HttpRequestMessage(new HttpMethod(Method), Path.Replace("THE-ID", id));
        // What curl sends with -d unless it is told otherwise.
        var type = "application/x-www-form-urlencoded";
        foreach (var parts in Headers.Select(header => header.Split(": ", 2)))
        {
            if (parts[0] == "Content-Type")
            {
                type = parts[1];
            }
            else
            {
                request.Headers.TryAddWithoutValidation(parts[0], parts[1]);
            }
        }

        if (Body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(Body));
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        }

        return request;
    }

    private static ShellCall Parse(string line, int n)
    {
        var words = new Queue<string>(Words().Matches(line).Skip(1).Select(word =>
            word.Groups["plain"].Success ? word.Groups["plain"].Value
            : (word.Groups["double"].Success ? word.Groups["double"].Value : word.Value).Replace("$n", $"{n}")));
        var headers = new List<string>();
        string? method = null, body = null, path = null;
        while (words.TryDequeue(out var word))
        {
            switch (word)
            {
                case "-H":
                    headers.Add(words.Dequeue());
                    break;
                case "-d":
                    body = words.Dequeue();
                    break;
                case "-X":
                    method = words.Dequeue();
                    break;
                case "-o" or "-w":
                    words.Dequeue();
                    break;
                case "-s" or "-i":
                    break;
                default:
                    path = word.StartsWith(Server, StringComparison.Ordinal)
                        ? word[Server.Length..]
                        : throw new FormatException($"'{word}' in a document's curl is not understood here.");
                    break;
            }
        }

        return new ShellCall(method ?? (body is null ? "GET" : "POST"), path!, body, headers);
    }

    [GeneratedRegex(@"^for n in \$\(seq (\d+)\); do$")]
    private static partial Regex Loop();

    [GeneratedRegex("""'(?<plain>[^']*)'|"(?<double>[^"]*)"|[^\s'"]+""")]
    private static partial Regex Words();
}
