using System.Diagnostics.Metrics;

namespace Floodgate.Access;

/// <summary>What the request edge logs and counts. No bodies, keys, merchants or users.</summary>
internal static partial class AccessLog
{
    private static readonly Meter Meter = new("Floodgate");

    /// <summary>From the request's first byte in the program to the end of its answer.</summary>
    public static readonly Histogram<double> RequestSeconds = Meter.CreateHistogram<double>(
        "floodgate_http_request_seconds", "s", "Duration of HTTP requests by route and status.");

    [LoggerMessage(100, LogLevel.Error, "{Method} {Route} failed", EventName = "request_failed")]
    public static partial void RequestFailed(ILogger logger, Exception error, string method, string route);

    [LoggerMessage(101, LogLevel.Warning, "{Method} {Route} was refused: the database is unavailable ({Reason})",
        EventName = "request_without_database")]
    public static partial void RequestWithoutDatabase(ILogger logger, string method, string route, string reason);
}
