using Floodgate.Storage.Coordination;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Storage.Coordination;

// Goal: a job is due when its timetable says, also where clocks change. Method: a table of moments.
public sealed class ScheduleTests
{
    [Theory]
    [InlineData("0 4 * * *", "2030-01-01T03:59:59Z", "2030-01-01T04:00:00Z")]
    [InlineData("0 4 * * *", "2030-01-01T04:00:00Z", "2030-01-02T04:00:00Z")]
    [InlineData("0 4 * * * Asia/Seoul", "2030-01-01T00:00:00Z", "2030-01-01T19:00:00Z")]
    [InlineData("*/15 * * * *", "2030-01-01T00:14:59.999Z", "2030-01-01T00:15:00Z")]
    // Summer time begins at 01:00 UTC on 2030-03-31: 02:30 in Berlin is left out, and made up for at 03:00.
    [InlineData("30 2 * * * Europe/Berlin", "2030-03-30T12:00:00Z", "2030-03-31T01:00:00Z")]
    // It ends at 01:00 UTC on 2030-10-27: 02:30 comes twice and counts once.
    [InlineData("30 2 * * * Europe/Berlin", "2030-10-27T00:30:00Z", "2030-10-28T01:30:00Z")]
    public void NextAfter_is_the_first_moment_of_the_timetable(string text, string after, string next) =>
        Assert.Equal(At(next), Schedule.Of(text).NextAfter(At(after)));

    [Fact]
    public void A_day_that_never_comes_is_never_due()
    {
        var never = Schedule.Of("0 0 30 2 *");
        Assert.Null(never.NextAfter(At("2030-01-01T00:00:00Z")));
        Assert.Null(never.LastWithin(At("2020-01-01T00:00:00Z"), At("2030-01-01T00:00:00Z")));
    }

    [Theory]
    [InlineData("0 4 * * *", "2030-01-01T04:00:00Z", "2030-01-02T03:59:59Z", null)]
    [InlineData("0 4 * * *", "2030-01-01T04:00:00Z", "2030-01-02T04:00:00Z", "2030-01-02T04:00:00Z")]
    [InlineData("0 4 * * *", "2030-01-01T04:00:00Z", "2030-01-09T12:00:00Z", "2030-01-09T04:00:00Z")]
    [InlineData("0 4 1 1 *", "2020-01-01T04:00:00Z", "2030-06-01T00:00:00Z", "2030-01-01T04:00:00Z")]
    [InlineData("* * * * *", "2020-01-01T00:00:00Z", "2030-01-01T00:00:30Z", "2030-01-01T00:00:00Z")]
    public void LastWithin_is_the_last_moment_that_was_missed(string text, string after, string upTo, string? last) =>
        Assert.Equal(
            last is null ? null : At(last), Schedule.Of(text).LastWithin(At(after), At(upTo)));

    [Theory]
    [InlineData("0 4 * *", "it has 4 fields")]
    [InlineData("", "it has 0 fields")]
    [InlineData("0 4 * * * Asia/Seoul extra", "it has 7 fields")]
    [InlineData("0 25 * * *", "hour")]
    [InlineData("0 4 * * * Mars/Olympus", "knows no time zone Mars/Olympus")]
    public void A_wrong_setting_is_refused_with_what_to_write(string text, string says)
    {
        var source = new SettingsSource(
            [SettingsLayer.Of("test", new Dictionary<string, string> { ["Some:Cron"] = text })]);
        Assert.Null(Schedule.Read(source, "Some:Cron", "0 4 * * *", "When."));
        var error = Assert.Single(Assert.Throws<SettingsException>(source.Complete).Errors);
        Assert.StartsWith($"Some:Cron is \"{text}\" (from test), which is no schedule: ", error);
        Assert.Contains(says, error, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Write minute, hour, day, month and weekday", error);
    }

    [Fact]
    public void A_setting_may_turn_the_timetable_off()
    {
        var source = new SettingsSource(
            [SettingsLayer.Of("test", new Dictionary<string, string> { ["Some:Cron"] = "OFF" })]);
        Assert.Null(Schedule.Read(source, "Some:Cron", "0 4 * * *", "When."));
        source.Complete();
    }

    private static UtcInstant At(string text) =>
        new(DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture).ToUnixTimeMilliseconds());
}
