using System.Diagnostics.Metrics;

namespace Floodgate.Checkout.Orders;

/// <summary>What this module logs and counts. No buyers: those are personal data.</summary>
internal sealed partial class OrdersLog(ILogger<OrdersLog> logger)
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Placed = Meter.CreateCounter<long>(
        "floodgate_orders_placed_total", null, "Orders placed, durably.");

    private static readonly Counter<long> Refused = Meter.CreateCounter<long>(
        "floodgate_orders_refused_total", null, "Orders refused, by outcome.");

    private static readonly Counter<long> Moved = Meter.CreateCounter<long>(
        "floodgate_orders_moved_total", null, "Orders that came into a state, by state.");

    private static readonly KeyValuePair<string, object?>[] Outcomes =
        [.. Enum.GetValues<PlaceOutcome>().Select(o => new KeyValuePair<string, object?>("outcome", o.ToString()))];

    private static readonly KeyValuePair<string, object?>[] States =
        [.. Enum.GetValues<OrderState>().Select(s => new KeyValuePair<string, object?>("state", s.ToString()))];

    public static void CountPlaced(int count) => Placed.Add(count);

    public static void CountRefused(PlaceOutcome outcome) => Refused.Add(1, Outcomes[(int)outcome]);

    public static void CountMoved(List<(Order Before, Order After)> changes)
    {
        foreach (var state in changes.Where(c => c.Before.State != c.After.State).GroupBy(c => c.After.State))
        {
            Moved.Add(state.Count(), States[(int)state.Key]);
        }
    }

    [LoggerMessage(501, LogLevel.Warning, "The sweep of expired orders waits: {Reason}")]
    public partial void SweepWaits(string reason);

    [LoggerMessage(502, LogLevel.Critical, "The sweep of expired orders stopped by itself and stands still")]
    public partial void SweepStopped(Exception error);
}
