using System.Text.RegularExpressions;
using Floodgate.Tests.Tidy;
using Xunit;

namespace Floodgate.Tests.Docs;

/// <summary>
/// Goal: reference pages tell what the program does today. Method: make each page from the program and compare it with
/// the one in the repository; with <c>UPDATE_REFERENCE=1</c> write it instead.
/// </summary>
public sealed partial class ReferenceTests
{
    public static TheoryData<string> Pages => [.. ReferencePages.All.Keys];

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task A_page_is_what_the_program_says(string name)
    {
        var path = $"docs/reference/{name}.md";
        var made = await ReferencePages.All[name]();
        if (Environment.GetEnvironmentVariable("UPDATE_REFERENCE") == "1")
        {
            await File.WriteAllTextAsync(Path.Combine(Root(), path), made);
            return;
        }

        var written = Repository.Files.FirstOrDefault(file => file.Path == path)?.Text.ReplaceLineEndings("\n") ?? "";
        var both = made.Split('\n').Zip($"{written}\n".Split('\n'));
        var line = both.TakeWhile(pair => pair.First == pair.Second).Count() + 1;
        Assert.True(
            made == written,
            $"{path} differs from the program at line {line}. Look at what changed, then write it again: "
                + "UPDATE_REFERENCE=1 ./test --filter-class 'Floodgate.Tests.Docs.*'");
    }

    // Goal: every route is explained and nothing is explained that is gone. Method: the notes against the page.
    [Fact]
    public async Task Every_route_has_its_note_and_every_note_its_route()
    {
        var page = await ReferencePages.All["routes"]();
        Assert.DoesNotContain(nameof(RouteNotes), page);
        Assert.All(RouteNotes.All.Keys, route => Assert.Contains($"| `{route}` |", page));
    }

    // Goal: no document sends an operator to a metric that is not there. Method: every name in every document.
    [Fact]
    public async Task Metrics_that_documents_name_exist()
    {
        var known = (await ReferencePages.MetricsOfServerAsync()).Select(metric => metric.Name).ToHashSet();
        var named = Repository.Files.Where(file => file.IsDocument)
            .SelectMany(file => MetricName().Matches(file.Text).Select(match => (file.Path, match.Value)))
            .ToList();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name.Value, known));
    }

    // Goal: the same for settings. Method: every name of a section and a key in every document but superseded
    // records, which tell of what was.
    [Fact]
    public async Task Settings_that_documents_name_exist()
    {
        var page = await ReferencePages.All["settings"]();
        var named = Repository.Files.Where(file => file.IsDocument && !file.Path.StartsWith("docs/reference/"))
            .Where(file => !file.Text.Contains("\nSuperseded by [", StringComparison.Ordinal))
            .SelectMany(file => SettingName().Matches(file.Text))
            .Select(match => match.Groups[1].Value)
            .ToList();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains($"`{name}", page));
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Floodgate.slnx")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }

    [GeneratedRegex(@"\b(floodgate|process|dotnet)_[a-z_]+[a-z]\b")]
    private static partial Regex MetricName();

    [GeneratedRegex(
        @"`((Server|Database|Log|Access|Identity|Catalog|Admission|Charges|Providers|Supervision)"
            + @":[A-Za-z:]+[A-Za-z])\*?`")]
    private static partial Regex SettingName();
}
