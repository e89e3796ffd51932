using System.Globalization;
using Floodgate.Settlement.Batches;
using Floodgate.Vocabulary;
using Xunit;

namespace Floodgate.Tests.Settlement.Batches;

// Goal: every moment belongs to one day, also where clocks are changed. Method: moments around the ends of days.
public sealed class DaysTests
{
    [Theory]
    [InlineData("UTC", "2026-11-25", "2026-11-26T00:00:00Z")]
    [InlineData("Asia/Seoul", "2026-11-25", "2026-11-25T15:00:00Z")]
    [InlineData("Europe/Berlin", "2026-03-29", "2026-03-29T22:00:00Z")] // 23 hours.
    [InlineData("Europe/Berlin", "2026-10-25", "2026-10-25T23:00:00Z")] // 25 hours.
    [InlineData("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00:00Z")] // Midnight is left out.
    [InlineData("America/Sao_Paulo", "2018-02-17", "2018-02-18T03:00:00Z")] // 23:00 comes twice.
    [InlineData("America/Havana", "2026-10-31", "2026-11-01T04:00:00Z")] // 00:00 comes twice, both of the new day.
    public void A_day_ends_where_the_next_begins(string zone, string day, string end)
    {
        var days = new Days(TimeZoneInfo.FindSystemTimeZoneById(zone));
        Assert.True(Days.TryParse(day, out var date));
        var endMs = DateTimeOffset.Parse(end, CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
        Assert.Equal(endMs, days.EndOf(date).Ms);
        Assert.Equal((date, date.AddDays(1)), (days.Of(new(endMs - 1)), days.Of(new(endMs))));
    }

    [Theory]
    [InlineData("2026-02-29")]
    [InlineData("2026-2-1")]
    [InlineData("20260201")]
    [InlineData("")]
    [InlineData(null)]
    public void What_is_no_day_is_refused(string? text) => Assert.False(Days.TryParse(text, out _));
}
