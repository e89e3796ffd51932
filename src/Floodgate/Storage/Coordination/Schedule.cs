using Cronos;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Coordination;

/// <summary>
/// When something is due: the five fields of cron (minute, hour, day of the month, month, day of the week), and
/// optionally the time zone they are meant in, such as <c>0 4 * * * Asia/Seoul</c>; UTC without one. An hour that a
/// change to summer time leaves out is made up for at its end, one that comes twice counts once.
/// </summary>
public sealed class Schedule
{
    private const int Fields = 5;
    private static readonly TimeSpan[] LookBack = [TimeSpan.FromHours(1), TimeSpan.FromDays(1), TimeSpan.FromDays(32)];

    private readonly CronExpression cron;

    private Schedule(string text, CronExpression cron, TimeZoneInfo zone) =>
        (Text, this.cron, Zone) = (text, cron, zone);

    /// <summary>The five fields as they were given.</summary>
    public string Text { get; }

    /// <summary>The time zone that they are meant in.</summary>
    public TimeZoneInfo Zone { get; }

    /// <summary>Reads a schedule that is a constant of the program.</summary>
    public static Schedule Of(string text)
    {
        var schedule = Parse(text, out var fault);
        Invariant.Check(schedule is not null, $"{text} is a schedule: {fault}");
        return schedule;
    }

    /// <summary>Reads a setting; <c>off</c> is null: then the job runs when it is started by hand only.</summary>
    public static Schedule? Read(SettingsSource source, string name, string fallback, string meaning)
    {
        var text = source.Text(name, fallback, meaning + " Cron's five fields, a time zone behind them, or off.");
        if (text.Equals("off", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var schedule = Parse(text, out var fault);
        if (schedule is null)
        {
            source.Refuse(name, $"which is no schedule: {fault} Write minute, hour, day, month and weekday, such as " +
                "0 4 * * *, and behind them a time zone such as Asia/Seoul if it is not UTC; or off.");
        }

        return schedule;
    }

    /// <summary>The schedule, or null with what is wrong with the text, as a sentence.</summary>
    public static Schedule? Parse(string text, out string fault)
    {
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        fault = $"it has {parts.Length} fields.";
        if (parts.Length is not (Fields or Fields + 1))
        {
            return null;
        }

        try
        {
            var fields = string.Join(' ', parts[..Fields]);
            var zone = parts.Length > Fields ? TimeZoneInfo.FindSystemTimeZoneById(parts[Fields]) : TimeZoneInfo.Utc;
            return new Schedule(fields, CronExpression.Parse(fields), zone);
        }
        catch (Exception error) when (
            error is CronFormatException or TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            fault = error is CronFormatException ? error.Message : $"this machine knows no time zone {parts[Fields]}.";
            return null;
        }
    }

    /// <summary>The first moment after this one; null when there is none (the 30th of February).</summary>
    public UtcInstant? NextAfter(UtcInstant moment) =>
        cron.GetNextOccurrence(DateTimeOffset.FromUnixTimeMilliseconds(moment.Ms), Zone) is { } next
            ? new UtcInstant(next.ToUnixTimeMilliseconds())
            : null;

    /// <summary>
    /// The last moment after one and up to another; null when there is none. Whatever was missed meanwhile is one.
    /// </summary>
    public UtcInstant? LastWithin(UtcInstant after, UtcInstant upTo)
    {
        // Frequent moments are found in a short look back, so a year of missed minutes costs an hour's.
        foreach (var span in LookBack)
        {
            var from = upTo.Plus(-span);
            if (from.Ms > after.Ms && Last(from, upTo) is { } found)
            {
                return found;
            }
        }

        return Last(after, upTo);
    }

    private UtcInstant? Last(UtcInstant after, UtcInstant upTo)
    {
        UtcInstant? last = null;
        for (var next = NextAfter(after); next is { } one && one.Ms <= upTo.Ms; next = NextAfter(one))
        {
            last = one;
        }

        return last;
    }
}
