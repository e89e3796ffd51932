using System.Globalization;

namespace Floodgate.Load.Reports;

/// <summary>How figures are written for people.</summary>
internal static class Units
{
    /// <summary>A latency given in microseconds, in the unit that keeps it short.</summary>
    public static string Latency(double micros) => micros switch
    {
        < 1_000 => Text($"{micros:F0} µs"),
        < 10_000 => Text($"{micros / 1_000:F2} ms"),
        < 1_000_000 => Text($"{micros / 1_000:F1} ms"),
        _ => Text($"{micros / 1_000_000:F2} s"),
    };

    /// <summary>A number of things, with thousands apart.</summary>
    public static string Count(double number) =>
        number < 10 ? Text($"{number:0.#}") : Text($"{number:#,0}");

    /// <summary>A span given in seconds.</summary>
    public static string Seconds(double seconds) => Text($"{seconds:F2} s");

    /// <summary>Bytes, in MB of 1,000,000.</summary>
    public static string Megabytes(long? bytes) => bytes is { } known ? Text($"{known / 1e6:#,0} MB") : "not known";

    /// <summary>A plain number with up to three places.</summary>
    public static string Number(double number) => Text($"{number:0.###}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
