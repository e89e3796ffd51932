using System.Diagnostics.Metrics;

namespace Floodgate.Payment.Results.Webhooks;

/// <summary>
/// What this module logs and counts. No URLs, secrets or bodies: a URL can carry a password of its own.
/// </summary>
internal sealed partial class WebhooksLog : IDisposable
{
    private static readonly Meter Meter = new("Floodgate");
    private static readonly Counter<long> Added = Meter.CreateCounter<long>(
        "floodgate_webhook_deliveries_total", null, "Webhooks made: one for each event and endpoint.");

    private static readonly Counter<long> GivenUp = Meter.CreateCounter<long>(
        "floodgate_webhook_given_up_total", null, "Webhooks given up by the schedule or with their endpoint.");

    private static readonly Histogram<double> Calls = Meter.CreateHistogram<double>(
        "floodgate_webhook_call_seconds", "s", "Duration of calls to merchants' endpoints, by what came of them.");

    private readonly Meter own = new("Floodgate");
    private readonly ILogger<WebhooksLog> logger;

    public WebhooksLog(ILogger<WebhooksLog> logger)
    {
        this.logger = logger;
        own.CreateObservableGauge(
            "floodgate_webhook_pending", () => Pending, null, "Webhooks that wait to be sent, at once or again.");
    }

    /// <summary>How many waited when they were counted last.</summary>
    public long Pending { get; set; }

    public static void CountAdded(int count) => Added.Add(count);

    public static void CountGivenUp(int count) => GivenUp.Add(count);

    public static void CountCall(PostResult result, TimeSpan elapsed) => Calls.Record(
        elapsed.TotalSeconds,
        new KeyValuePair<string, object?>(
            "outcome", result.Fault ?? (result.IsSuccess ? "delivered" : $"status_{result.Status / 100}xx")));

    public void Called(WebhookDelivery delivery, PostResult result, DeliveryStep step)
    {
        if (result.IsGone)
        {
            EndpointGone(delivery.EndpointId);
        }

        if (step.State == DeliveryState.Failed)
        {
            GivenUp.Add(1);
            Failed(delivery.Id, delivery.EndpointId, delivery.Attempts + 1, result.Status, result.Fault);
        }
    }

    public void Dispose() => own.Dispose();

    [LoggerMessage(601, LogLevel.Warning, "Webhooks wait for the database: {Reason}")]
    public partial void Paused(string reason);

    [LoggerMessage(602, LogLevel.Error, "A turn of the sender of webhooks failed; it goes on")]
    public partial void TurnFailed(Exception error);

    [LoggerMessage(603, LogLevel.Error, "Webhook {Id} could not be sent or recorded; it is held back for a minute")]
    public partial void CallFailed(Exception error, Guid id);

    [LoggerMessage(604, LogLevel.Warning, "Endpoint {Id} answered 410 and is disabled")]
    private partial void EndpointGone(Guid id);

    [LoggerMessage(605, LogLevel.Warning,
        "Webhook {Id} to endpoint {EndpointId} is given up after {Attempts} tries; the last one: {Status} {Fault}")]
    private partial void Failed(Guid id, Guid endpointId, int attempts, int? status, string? fault);
}
