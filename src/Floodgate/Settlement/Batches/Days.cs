using System.Globalization;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>Days of the zone in which money is settled. Pure.</summary>
internal sealed class Days(TimeZoneInfo zone)
{
    private const string Format = "yyyy-MM-dd";

    /// <summary>The day of a moment.</summary>
    public DateOnly Of(UtcInstant at) => DateOnly.FromDateTime(
        TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds(at.Ms), zone).DateTime);

    /// <summary>The first moment after a day, also where clocks are changed at midnight.</summary>
    public UtcInstant EndOf(DateOnly day)
    {
        var midnight = day.AddDays(1).ToDateTime(TimeOnly.MinValue);
        while (zone.IsInvalidTime(midnight))
        {
            midnight = midnight.AddMinutes(1); // The day begins where the gap ends.
        }

        // Of a midnight that comes twice the first one: both are of the new day.
        var offset = zone.IsAmbiguousTime(midnight) ? zone.GetAmbiguousTimeOffsets(midnight).Max()
            : zone.GetUtcOffset(midnight);
        return new(new DateTimeOffset(midnight, offset).ToUnixTimeMilliseconds());
    }

    /// <summary>A day as it is written.</summary>
    public static string Text(DateOnly day) => day.ToString(Format, CultureInfo.InvariantCulture);

    /// <summary>A stored day as it is written.</summary>
    public static string Text(long day) => Text(DateOnly.FromDayNumber((int)day));

    /// <summary>A day that was written so; false otherwise.</summary>
    public static bool TryParse(string? text, out DateOnly day) => DateOnly.TryParseExact(
        text, Format, CultureInfo.InvariantCulture, DateTimeStyles.None, out day);

    /// <summary>The stored number of the first day of this one's month.</summary>
    public static long MonthOf(DateOnly day) => new DateOnly(day.Year, day.Month, 1).DayNumber;
}
