using System.Collections;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests;

// Goal: a person who sets something wrong learns everything that is wrong at once, and how to put it right.
// Method: tables of given values against what is read, and the exact sentences of the errors.
public sealed class SettingsSourceTests
{
    private static readonly Dictionary<string, string> None = [];

    [Fact]
    public void A_stronger_layer_wins_and_is_named_as_the_source()
    {
        var profile = SettingsLayer.Of("profile", new Dictionary<string, string> { ["Queue:Max"] = "1" });
        var environment = SettingsLayer.FromEnvironment(
            new Hashtable { ["FLOODGATE__QUEUE__MAX"] = "2", ["PATH"] = "x" });
        var flags = SettingsLayer.FromFlags(["--queue:max=3"], out _);

        Assert.Equal((1, "profile"), Read(profile));
        Assert.Equal((2, "environment FLOODGATE__QUEUE__MAX"), Read(profile, environment));
        Assert.Equal((3, "flag --queue:max"), Read(profile, environment, flags));
        Assert.Equal((7, "default"), Read());

        static (long, string) Read(params SettingsLayer[] layers)
        {
            var source = new SettingsSource(layers);
            var value = source.Long("Queue:Max", 7, 0, 10, "commands", "Queue length.");
            source.Complete();
            return (value, source.Effective.Single().Source);
        }
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-5", -5)]
    [InlineData("10", 10)]
    public void A_number_within_its_range_is_taken(string given, long expected)
    {
        var source = Of(("A:B", given));
        Assert.Equal(expected, source.Long("A:B", 1, -5, 10, "ms", "Test."));
        source.Complete();
    }

    [Theory]
    [InlineData("5", 5L, "5")]
    [InlineData("Off", null, "off")]
    public void A_number_may_be_off_where_the_setting_says_so(string given, long? expected, string shown)
    {
        var source = Of(("A:B", given));
        Assert.Equal(expected, source.LongOrOff("A:B", 1, 1, 10, "ms", "Test."));
        source.Complete();
        var setting = source.Effective.Single();
        Assert.Equal((shown, "1 to 10 | off", "ms"), (setting.Value, setting.Range, setting.Unit));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("11")]
    [InlineData("")]
    [InlineData("none")]
    public void What_is_neither_a_number_nor_off_is_refused(string given)
    {
        var source = Of(("A:B", given));
        Assert.Null(source.LongOrOff("A:B", null, 1, 10, "ms", "Test."));
        Assert.Equal(
            $"A:B is \"{given}\" (from test), which is not allowed. " +
            "Set it to a whole number from 1 to 10 ms, or to off, or leave it out for off.",
            Assert.Single(Errors(source)));
    }

    [Theory]
    [InlineData("-6")]
    [InlineData("11")]
    [InlineData("1.5")]
    [InlineData("1e3")]
    [InlineData("")]
    [InlineData("99999999999999999999")]
    public void A_number_outside_its_range_is_refused_with_the_range_and_unit(string given)
    {
        var source = Of(("A:B", given));
        Assert.Equal(1, source.Long("A:B", 1, -5, 10, "ms", "Test."));
        Assert.Equal(
            $"A:B is \"{given}\" (from test), which is not allowed. " +
            "Set it to a whole number from -5 to 10 ms, or leave it out for 1.",
            Assert.Single(Errors(source)));
    }

    [Fact]
    public void All_errors_are_reported_together()
    {
        var source = Of(
            ("A:Number", "x"), ("A:Choice", "purple"), ("A:Flag", "maybe"), ("A:Nmber", "3"), ("Zoo:Q", "1"));
        source.Long("A:Number", 1, 1, 2, "ms", "Test.");
        source.Choice("A:Choice", "red", ["red", "blue"], "Test.");
        source.Flag("A:Flag", false, "Test.");
        source.Text("A:Text", "short", "Test.");
        source.Refuse("A:Text", "which must be longer.");

        var errors = Errors(source);
        Assert.Equal(6, errors.Count);
        Assert.Contains(errors, error => error.StartsWith("A:Number is \"x\"", StringComparison.Ordinal));
        Assert.Contains(errors, error => error.Contains("A:Choice") && error.Contains("one of red | blue"));
        Assert.Contains(errors, error => error.Contains("A:Flag") && error.Contains("one of true | false"));
        Assert.Contains("A:Text is \"short\" (from default), which must be longer.", errors);
        Assert.Contains("A:Nmber (from test) is not a setting. Did you mean A:Number?", errors);
        Assert.Contains("Zoo:Q (from test) is not a setting. Run './floodgate settings' for the list.", errors);
    }

    [Fact]
    public void A_choice_is_read_in_any_case_and_answered_in_its_own()
    {
        var source = Of(("A:Choice", "BLUE"), ("A:Flag", "True"));
        Assert.Equal("blue", source.Choice("A:Choice", "red", ["red", "blue"], "Test."));
        Assert.True(source.Flag("A:Flag", false, "Test."));
        source.Complete();
    }

    [Fact]
    public void A_secret_is_read_but_never_shown()
    {
        var source = Of(("A:Password", "hunter2"));
        Assert.Equal("hunter2", source.Text("A:Password", "", "Test.", secret: true));
        source.Refuse("A:Password", "which is too short.");
        Assert.DoesNotContain("hunter2", string.Join(' ', Errors(source)) + source.Effective.Single());
    }

    [Fact]
    public void Reading_one_setting_in_two_modules_is_a_bug()
    {
        var source = Of();
        source.Flag("A:B", true, "Test.");
        Assert.Throws<InvariantViolatedException>(() => source.Flag("a:b", true, "Test."));
    }

    [Fact]
    public void Flags_are_taken_out_of_the_command_line_and_the_rest_is_left()
    {
        var layer = SettingsLayer.FromFlags(
            ["up", "--A:B=x=y", "--demo", "--C:D", "e f", "--urls", "http://h:1", "--G:H", "--json"], out var rest);

        Assert.Equal(["up", "--demo", "--urls", "http://h:1", "--json"], rest);
        Assert.Equal("x=y", layer.Values["A:B"].Value);
        Assert.Equal("e f", layer.Values["c:d"].Value);
        Assert.Equal("--G:H has no value. Write --G:H=VALUE.", Assert.Single(layer.Errors));
    }

    [Fact]
    public void A_flag_given_twice_is_refused()
    {
        var layer = SettingsLayer.FromFlags(["--A:B=1", "--a:b=2"], out _);
        Assert.Equal("a:b is given twice (from flag --a:b). Keep one of them.", Assert.Single(layer.Errors));
    }

    [Theory]
    [InlineData("""{"A":{"B":"x", /* why */ "C":{"D":5}},"E:F":true,}""", "A:B=x A:C:D=5 E:F=true", null)]
    [InlineData("""{"A":{"B":null}}""", "", "A:B (from ")]
    [InlineData("""{"A":{"B":[1]}}""", "", "is Array. Write a text, a number, true, false or an object.")]
    [InlineData("""{"A":{"B":1},"a:b":2}""", "A:B=1", "is given twice")]
    [InlineData("[]", "", "The settings file is Array.")]
    [InlineData("{\n\"A\": }", "", "line 2, byte 6 cannot be read")]
    public void A_file_of_nested_objects_becomes_names(string json, string expected, string? error)
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, json);
        var layer = SettingsLayer.FromFile(path, required: true);
        File.Delete(path);

        Assert.Equal(expected, string.Join(' ', layer.Values.Select(pair => $"{pair.Key}={pair.Value.Value}")));
        Assert.Equal(error is null ? 0 : 1, layer.Errors.Count);
        Assert.Contains(error ?? "", string.Join(' ', layer.Errors));
    }

    [Fact]
    public void A_missing_file_matters_only_when_it_was_asked_for()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Assert.Empty(SettingsLayer.FromFile(path, required: false).Errors);
        Assert.Contains(path, Assert.Single(SettingsLayer.FromFile(path, required: true).Errors));
    }

    private static SettingsSource Of(params (string Name, string Value)[] values) => new(
        [SettingsLayer.Of("default", None), SettingsLayer.Of("test", values.ToDictionary(v => v.Name, v => v.Value))]);

    private static IReadOnlyList<string> Errors(SettingsSource source) =>
        Assert.Throws<SettingsException>(source.Complete).Errors;
}
