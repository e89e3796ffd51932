using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace Floodgate.Tests.Tidy;

/// <summary>A file of the repository as the rules see it.</summary>
/// <param name="Path">Relative to the repository's root, with forward slashes.</param>
/// <param name="Text">All of it.</param>
/// <param name="Exists">Whether the repository has a file or folder at such a path.</param>
public sealed record SourceFile(string Path, string Text, Func<string, bool> Exists)
{
    private static readonly CSharpParseOptions Options =
        new(LanguageVersion.Preview, DocumentationMode.Parse, SourceCodeKind.Regular);

    private readonly Lazy<SyntaxNode> syntax = new(() => CSharpSyntaxTree.ParseText(Text, Options).GetRoot());

    /// <summary>The lines without their ends.</summary>
    public string[] Lines { get; } = Text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');

    /// <summary>The parsed C#; meaningless for other files.</summary>
    public SyntaxNode Syntax => syntax.Value;

    /// <summary>Whether it is C#.</summary>
    public bool IsCode => Path.EndsWith(".cs", StringComparison.Ordinal);

    /// <summary>Whether it is Markdown.</summary>
    public bool IsDocument => Path.EndsWith(".md", StringComparison.Ordinal);

    /// <summary>Whether it belongs to the tests.</summary>
    public bool IsTest => Path.StartsWith("tests/", StringComparison.Ordinal);

    /// <summary>The name without folders.</summary>
    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>The line, from 1, where a piece of syntax starts, comments before it not counted.</summary>
    public int LineOf(SyntaxNodeOrToken piece) => LineOf(piece.Span);

    /// <summary>The line, from 1, where a span of the text starts.</summary>
    public int LineOf(TextSpan span) => Syntax.SyntaxTree.GetLineSpan(span).StartLinePosition.Line + 1;

    /// <summary>
    /// Whether a comment <c>tidy: rule: reason</c> on that line or on the one before allows what the rule found; for
    /// a finding about the whole file (line 0) it may stand anywhere. Without a reason it allows nothing.
    /// </summary>
    public bool Allows(string rule, int line)
    {
        var near = line == 0 ? Lines : Lines.Skip(line - 2).Take(line == 1 ? 1 : 2);
        return near.Any(text => Regex.IsMatch(text, $@"(//|<!--|#) tidy: {rule}: \w+ \w+"));
    }
}
