using Floodgate.Tests.Architecture;
using Xunit;

namespace Floodgate.Tests.Tidy;

/// <summary>
/// Goal: the whole repository reads as if one careful person wrote it. Method: rules over the text and syntax of
/// every file; each rule is also run on planted samples, where it must catch one and let the other pass.
/// </summary>
public sealed class TidyTests
{
    /// <summary>Every planted sample: rule, path, what breaks the rule, what keeps it.</summary>
    public static TheoryData<string, string, string, string> Samples => [.. PlantedSamples.All];

    // Goal: the repository keeps every rule. Method: all findings at once, so that one run is enough to mend them.
    [Fact]
    public void The_repository_keeps_every_rule() =>
        Holds(TidyRule.All.SelectMany(rule => Repository.Files.SelectMany(rule.FindingsIn)));

    // Goal: a module tells its purpose, states and limits. Method: every module folder with code has a README.
    [Fact]
    public void Every_module_has_a_readme() =>
        Holds(TextRules.ModulesWithoutReadme(Repository.Files, Modules.LowestFirst));

    // Goal: no rule is dead and none cries wolf. Method: the planted samples, and only the rule they are for.
    [Theory]
    [MemberData(nameof(Samples))]
    public void A_rule_catches_what_breaks_it_and_nothing_else(string rule, string path, string broken, string kept)
    {
        var tested = Assert.Single(TidyRule.All, one => one.Name == rule);
        Assert.NotEmpty(tested.FindingsIn(PlantedSamples.File(path, broken)));
        Assert.Empty(tested.FindingsIn(PlantedSamples.File(path, kept)));
    }

    // Goal: a new rule cannot come without its proof. Method: names of rules against names in the samples.
    [Fact]
    public void Every_rule_has_a_planted_sample() =>
        Assert.Empty(TidyRule.All.Select(rule => rule.Name).Except(PlantedSamples.All.Select(sample => sample.Rule)));

    // Goal: the check for READMEs can fail. Method: a module with code, first without and then with one.
    [Fact]
    public void A_module_without_a_readme_is_caught()
    {
        var code = PlantedSamples.File("src/Floodgate/Payment/Ledger/Journal.cs", "");
        var readme = PlantedSamples.File("src/Floodgate/Payment/Ledger/README.md", "");
        Assert.Single(TextRules.ModulesWithoutReadme([code], ["Payment.Ledger", "Access"]));
        Assert.Empty(TextRules.ModulesWithoutReadme([code, readme], ["Payment.Ledger", "Access"]));
    }

    // Goal: the scan is not empty. Method: files of each kind that are there for sure.
    [Fact]
    public void The_scan_sees_code_tests_documents_and_scripts()
    {
        var paths = Repository.Files.Select(file => file.Path).ToHashSet();
        Assert.Superset(
            new HashSet<string>
            {
                "src/Floodgate/Vocabulary/Money.cs", "tests/Floodgate.Tests/Tidy/TidyTests.cs", "docs/SECURITY.md",
                "floodgate", "test", ".ci/run",
            },
            paths);
    }

    private static void Holds(IEnumerable<string> findings) =>
        Assert.True(!findings.Any(), string.Join('\n', findings.Prepend("Findings:")));
}
