using System.Text.RegularExpressions;

namespace Floodgate.Tests.Tidy;

using Findings = IEnumerable<(int Line, string What)>;

/// <summary>The rules about text: code, documents and scripts as lines.</summary>
public static partial class TextRules
{
    private const int CodeColumnsMax = 120;
    private const int DocumentColumnsMax = 100;
    private const int FileLinesMax = 500;
    private const int ReadmeLinesMax = 60;

    /// <summary>Every rule about text.</summary>
    public static IReadOnlyList<TidyRule> All { get; } =
    [
        new("width", Width),
        new("document-width", DocumentWidth),
        new("file-length", FileLength),
        new("readme-length", ReadmeLength),
        new("machine-path", file => Matches(file, MachinePath(), "works on one machine only")),
        new("unfinished", file => Matches(file, UnfinishedWork(), "finish it or write an issue")),
        new("link", DeadLinks),
    ];

    /// <summary>The folders of modules that have code and no README.</summary>
    public static IEnumerable<string> ModulesWithoutReadme(
        IReadOnlyList<SourceFile> files,
        IEnumerable<string> modules) =>
        from module in modules
        let folder = $"src/Floodgate/{module.Replace('.', '/')}/"
        where files.Any(file => file.IsCode && file.Path.StartsWith(folder, StringComparison.Ordinal))
        where files.All(file => file.Path != $"{folder}README.md")
        select $"{folder}: has code and no README.md";

    private static Findings Width(SourceFile file) =>
        file.IsDocument || file.Name.EndsWith(".json", StringComparison.Ordinal)
            ? []
            : TooWide(file, CodeColumnsMax, _ => false);

    /// <summary>Tables, code blocks and lines with a link cannot be wrapped.</summary>
    private static Findings DocumentWidth(SourceFile file)
    {
        var inCode = false;
        return !file.IsDocument ? [] : TooWide(file, DocumentColumnsMax, line =>
        {
            var isFence = line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            inCode ^= isFence;
            return isFence || inCode || line.TrimStart().StartsWith('|') || line.Contains("](") || line.Contains("://");
        });
    }

    private static Findings TooWide(SourceFile file, int columnsMax, Func<string, bool> isExempt) =>
    [
        .. file.Lines
            .Select((text, index) => (Line: index + 1, Text: text))
            .Where(line => !isExempt(line.Text) && line.Text.Length > columnsMax)
            .Select(line => (line.Line, $"{line.Text.Length} columns; the limit is {columnsMax}")),
    ];

    private static Findings FileLength(SourceFile file) =>
        file.IsCode && !file.Name.EndsWith("Sql.cs", StringComparison.Ordinal) && file.Lines.Length > FileLinesMax
            ? [(0, $"{file.Lines.Length} lines; the limit is {FileLinesMax}")]
            : [];

    private static Findings ReadmeLength(SourceFile file) =>
        file.Path.StartsWith("src/", StringComparison.Ordinal) && file.Name == "README.md" &&
            file.Lines.Length > ReadmeLinesMax
            ? [(0, $"{file.Lines.Length} lines; the limit is {ReadmeLinesMax}")]
            : [];

    private static Findings Matches(SourceFile file, Regex regex, string what) =>
        from line in file.Lines.Index()
        from match in regex.Matches(line.Item)
        select (line.Index + 1, $"{match.Value}: {what}");

    private static Findings DeadLinks(SourceFile file) =>
        from line in file.IsDocument ? file.Lines.Index() : []
        from match in Link().Matches(InlineCode().Replace(line.Item, ""))
        let target = match.Groups["target"].Value
        where !Uri.IsWellFormedUriString(target, UriKind.Absolute) && !target.StartsWith('#')
        where !file.Exists(Resolve(file.Path, target.Split('#')[0]))
        select (line.Index + 1, $"{target} is not there");

    private static string Resolve(string from, string target)
    {
        var parts = new List<string>(from.Split('/')[..^1]);
        foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part != "..")
            {
                parts.Add(part);
            }
            else if (parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
        }

        return string.Join('/', parts.Where(part => part != "."));
    }

    [GeneratedRegex(@"(?<![\w.])/(work|root|tmp|home/\w+)/")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|XX" + @"X)\b")]
    private static partial Regex UnfinishedWork();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex InlineCode();

    [GeneratedRegex(@"\[[^\]]*\]\((?<target>[^)\s]+)[^)]*\)")]
    private static partial Regex Link();
}
