using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Floodgate.Tests.Tidy;

namespace Floodgate.Tests.Docs;

/// <summary>A fenced block of a document.</summary>
/// <param name="Language">The word behind the fence, such as <c>sh</c> or <c>json</c>; may be empty.</param>
/// <param name="Heading">The heading above it.</param>
/// <param name="Line">Where it starts, from 1.</param>
/// <param name="Text">What is in it.</param>
internal sealed record Block(string Language, string Heading, int Line, string Text);

/// <summary>Reads documents of the repository.</summary>
internal static partial class Document
{
    /// <summary>The text of a document by its path from the root.</summary>
    public static string Read(string path) => Repository.Files.Single(file => file.Path == path).Text;

    /// <summary>Its fenced blocks in order.</summary>
    public static List<Block> Blocks(string text)
    {
        var blocks = new List<Block>();
        var heading = "";
        Block? open = null;
        foreach (var (index, line) in text.ReplaceLineEndings("\n").Split('\n').Index())
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                if (open is not null)
                {
                    blocks.Add(open);
                }

                open = open is null ? new Block(line[3..].Trim(), heading, index + 1, "") : null;
            }
            else if (open is not null)
            {
                open = open with { Text = $"{open.Text}{line}\n" };
            }
            else if (line.StartsWith('#'))
            {
                heading = line.TrimStart('#', ' ');
            }
        }

        return blocks;
    }

    /// <summary>
    /// JSON in one line with what differs in every run replaced: ids, instants, milliseconds since the epoch.
    /// </summary>
    public static string Normalized(string json)
    {
        var text = JsonNode.Parse(json)!.ToJsonString();
        return Milliseconds().Replace(Instant().Replace(Id().Replace(text, "ID"), "INSTANT"), "0");
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Id();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")]
    private static partial Regex Instant();

    [GeneratedRegex(@"\b1\d{12}\b")]
    private static partial Regex Milliseconds();
}
