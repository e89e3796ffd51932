namespace Floodgate.Tests.Tidy;

/// <summary>A rule of style that a machine can check in one file.</summary>
/// <param name="Name">As a comment that allows an exception names it.</param>
/// <param name="Find">What breaks it: the line from 1, or 0 for the whole file, and what to do about it.</param>
public sealed record TidyRule(string Name, Func<SourceFile, IEnumerable<(int Line, string What)>> Find)
{
    /// <summary>Every rule.</summary>
    public static IReadOnlyList<TidyRule> All { get; } = [.. CodeRules.All, .. TextRules.All];

    /// <summary>What breaks it and is not allowed by a reasoned comment, as <c>path:line: rule: what</c>.</summary>
    public IEnumerable<string> FindingsIn(SourceFile file) => Find(file)
        .Where(finding => !file.Allows(Name, finding.Line))
        .Select(finding => $"{file.Path}:{finding.Line}: {Name}: {finding.What}");
}
