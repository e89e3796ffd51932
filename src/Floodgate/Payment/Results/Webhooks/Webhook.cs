namespace Floodgate.Payment.Results.Webhooks;

/// <summary>Whether an endpoint is sent to.</summary>
public enum EndpointState
{
    /// <summary>It gets what happens.</summary>
    Enabled,

    /// <summary>It answered 410 and gets nothing until it is enabled again.</summary>
    Disabled,

    /// <summary>Its merchant took it away; it is kept until its deliveries are swept.</summary>
    Removed,
}

/// <summary>Where a merchant is told what happens.</summary>
/// <param name="Id">Its id.</param>
/// <param name="MerchantId">Whose it is.</param>
/// <param name="Url">Where to.</param>
/// <param name="Events">The types that it gets; empty for all.</param>
/// <param name="Secret">What signs, as the merchant was shown it: <c>whsec_</c> and base64.</param>
/// <param name="State">Whether it is sent to.</param>
/// <param name="CreatedMs">Since when; what happened well before is not sent.</param>
public sealed record WebhookEndpoint(
    Guid Id,
    string MerchantId,
    string Url,
    IReadOnlyList<string> Events,
    string Secret,
    EndpointState State,
    long CreatedMs)
{
    /// <summary>True when it gets events of this type.</summary>
    public bool Wants(string type) => Events.Count == 0 || Events.Contains(type);
}

/// <summary>Where a delivery stands.</summary>
public enum DeliveryState
{
    /// <summary>To be sent, at once or again.</summary>
    Pending,

    /// <summary>The endpoint answered 2xx.</summary>
    Delivered,

    /// <summary>Given up: by the schedule, or because the endpoint is disabled or removed.</summary>
    Failed,
}

/// <summary>One event for one endpoint.</summary>
/// <param name="Id">The delivery.</param>
/// <param name="EndpointId">To which endpoint.</param>
/// <param name="MessageId">
/// The <c>webhook-id</c>: the same in every try, and for every endpoint of the merchant.</param>
/// <param name="Type">The event's type.</param>
/// <param name="Payload">The body, byte for byte as it is signed.</param>
public sealed record WebhookDelivery(Guid Id, Guid EndpointId, Guid MessageId, string Type, string Payload)
{
    /// <summary>Where it stands.</summary>
    public DeliveryState State { get; init; } = DeliveryState.Pending;

    /// <summary>Tries since it was made or last replayed.</summary>
    public int Attempts { get; init; }

    /// <summary>When it is tried next, while it is pending.</summary>
    public long DueMs { get; init; }

    /// <summary>The HTTP status of the last try; null without an answer.</summary>
    public int? LastStatus { get; init; }

    /// <summary>Why the last try failed, as one of the words of <see cref="PostFault"/>; null without.</summary>
    public string? LastError { get; init; }

    /// <summary>When it was made.</summary>
    public long CreatedMs { get; init; }
}

/// <summary>Why a call gave no status, in words that the merchant is shown.</summary>
internal static class PostFault
{
    public const string TimedOut = "timed_out";
    public const string AddressRefused = "address_refused";
    public const string NotResolved = "name_not_resolved";
    public const string NotConnected = "not_connected";
    public const string TlsFailed = "tls_failed";
    public const string BrokenOff = "broken_off";

    /// <summary>It was never called: the endpoint was disabled or removed first.</summary>
    public const string EndpointClosed = "endpoint_closed";
}

/// <summary>What became of one call: a status, or a fault.</summary>
internal readonly record struct PostResult(int? Status, string? Fault, TimeSpan? RetryAfter = null)
{
    /// <summary>True for 2xx; everything else, redirects too, is a failure (Standard Webhooks).</summary>
    public bool IsSuccess => Status is >= 200 and <= 299;

    /// <summary>True when the endpoint says that it wants nothing more.</summary>
    public bool IsGone => Status == 410;
}

/// <summary>What a delivery becomes by a call.</summary>
internal readonly record struct DeliveryStep(DeliveryState State, long DueMs);

/// <summary>
/// When a failed delivery is tried again: the schedule that Standard Webhooks publishes as its example, some 75 hours
/// long. Pure.
/// </summary>
internal static class RetrySchedule
{
    /// <summary>The time before each try; the first one is made at once.</summary>
    public static readonly IReadOnlyList<TimeSpan> Delays =
    [
        TimeSpan.Zero, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30),
        TimeSpan.FromHours(2), TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(14),
        TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    // Up to so much later, so that what failed together does not come back together.
    private const double Jitter = 0.1;

    private static readonly TimeSpan RetryAfterMax = TimeSpan.FromHours(24);

    /// <summary>The step after a call.</summary>
    /// <param name="attempts">Tries so far, with this one: from 1.</param>
    /// <param name="result">What became of it.</param>
    /// <param name="nowMs">Now.</param>
    /// <param name="chance">A random number from 0 up to 1.</param>
    public static DeliveryStep After(int attempts, PostResult result, long nowMs, double chance)
    {
        if (result.IsSuccess)
        {
            return new(DeliveryState.Delivered, nowMs);
        }

        if (result.IsGone || attempts >= Delays.Count)
        {
            return new(DeliveryState.Failed, nowMs);
        }

        // A receiver that names a time is not asked earlier, within reason.
        var delay = Delays[attempts] * (1 + (Jitter * chance));
        var asked = result.RetryAfter is { } after && after < RetryAfterMax ? after : TimeSpan.Zero;
        return new(DeliveryState.Pending, nowMs + (long)Math.Max(delay.TotalMilliseconds, asked.TotalMilliseconds));
    }
}
