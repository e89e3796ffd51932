namespace Floodgate.Access.RateLimits;

/// <summary>What a route counts against. A route names one, or none.</summary>
public enum Limit
{
    /// <summary>The route is not limited.</summary>
    None,

    /// <summary>A merchant's new payments and top-ups, and the orders that its key places for customers.</summary>
    Authorize,

    /// <summary>A merchant's captures.</summary>
    Capture,

    /// <summary>A merchant's refunds and voids.</summary>
    Refund,

    /// <summary>
    /// Orders and top-ups of a user by token; of a merchant's key it is <see cref="Authorize"/>.</summary>
    Order,

    /// <summary>A user's tickets for waiting rooms. A merchant's key brings a crowd and is not limited.</summary>
    QueueJoin,

    /// <summary>Sign-ups from an address.</summary>
    SignUp,

    /// <summary>Log-ins and refreshed sessions from an address.</summary>
    LogIn,

    /// <summary>Looks at tickets of waiting rooms from an address.</summary>
    QueuePoll,

    /// <summary>Looks at the catalogue from an address.</summary>
    Catalogue,
}

/// <summary>How much a merchant may ask for; an operator sets it.</summary>
public enum Tier
{
    /// <summary>What every merchant begins with.</summary>
    Standard,

    /// <summary>For those who sell more.</summary>
    Large,

    /// <summary>Not limited: the merchant of demo mode, and an installation's own.</summary>
    Unlimited,
}

/// <summary>Tiers by name.</summary>
public static class Tiers
{
    /// <summary>A tier as it is stored and shown.</summary>
    public static string NameOf(Tier tier) => tier switch
    {
        Tier.Standard => "standard",
        Tier.Large => "large",
        _ => "unlimited",
    };

    /// <summary>The tier of a name; null for another text.</summary>
    public static Tier? Of(string name) => name switch
    {
        "standard" => Tier.Standard,
        "large" => Tier.Large,
        "unlimited" => Tier.Unlimited,
        _ => null,
    };
}

/// <summary>The size of a bucket and how fast it fills, in the timestamps of one clock.</summary>
public sealed class Quota
{
    /// <summary>A bucket that fills with <paramref name="perMinute"/> and holds what comes in some seconds.</summary>
    /// <param name="limit">What is counted.</param>
    /// <param name="perMinute">Requests per minute on this node, at least 1.</param>
    /// <param name="burstSeconds">For how many seconds of it there is room; at least for one request.</param>
    /// <param name="frequency">Timestamps per second.</param>
    public Quota(Limit limit, long perMinute, int burstSeconds, long frequency)
    {
        Name = limit switch
        {
            Limit.QueueJoin => "queue-join",
            Limit.SignUp => "sign-up",
            Limit.LogIn => "log-in",
            Limit.QueuePoll => "queue-poll",
            _ => limit.ToString().ToLowerInvariant(),
        };
        Requests = Math.Max(1, perMinute * burstSeconds / 60);

        // Rounded up, so that never more than the quota gets through.
        Interval = ((60 * frequency) + perMinute - 1) / perMinute;
        Depth = Requests * Interval;
        Window = TimeSpan.FromSeconds(Math.Max(1, (Depth + (frequency / 2)) / frequency));
        Policy = $"\"{Name}\";q={Requests};w={(long)Window.TotalSeconds}";
    }

    /// <summary>As headers name it.</summary>
    public string Name { get; }

    /// <summary>How many requests a full bucket lets through at once.</summary>
    public long Requests { get; }

    /// <summary>How long an empty bucket takes to be full, to the second.</summary>
    public TimeSpan Window { get; }

    /// <summary>The value of <c>RateLimit-Policy</c>.</summary>
    public string Policy { get; }

    /// <summary>Timestamps in which room for one request comes back.</summary>
    internal long Interval { get; }

    /// <summary>Timestamps in which an empty bucket is full again.</summary>
    internal long Depth { get; }
}
