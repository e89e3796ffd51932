using System.Diagnostics.Metrics;

namespace Floodgate.Storage.Database;

/// <summary>The metrics of this module.</summary>
internal static class DatabaseLog
{
    /// <summary>All metrics of the program share one meter.</summary>
    public static readonly Meter Meter = new("Floodgate");
}
