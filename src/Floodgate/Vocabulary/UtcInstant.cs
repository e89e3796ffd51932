namespace Floodgate.Vocabulary;

/// <summary>A moment in milliseconds since the Unix epoch, UTC: what tables (<c>_ms</c>) and messages carry.</summary>
public readonly record struct UtcInstant(long Ms) : IComparable<UtcInstant>
{
    /// <summary>The clock's moment, cut to the millisecond.</summary>
    public static UtcInstant Now(TimeProvider time) => new(time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>This moment moved by a span.</summary>
    public UtcInstant Plus(TimeSpan span) => new(checked(Ms + (long)span.TotalMilliseconds));

    /// <inheritdoc/>
    public int CompareTo(UtcInstant other) => Ms.CompareTo(other.Ms);

    /// <summary>RFC 3339 with milliseconds, as the API writes it.</summary>
    public override string ToString() =>
        DateTimeOffset.FromUnixTimeMilliseconds(Ms).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'");
}
