using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Runtime.CompilerServices;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Vocabulary;

namespace Floodgate.Access.RateLimits;

/// <summary>
/// Decides whether a request is within its caller's quota. With a Redis all nodes take from the same buckets there;
/// while it is away, and without one, this process counts by itself and lets through its part
/// (<c>RateLimits:Nodes</c>), so nobody is ever refused, or waits, because a counter is out of reach.
/// </summary>
public sealed class RateLimiter
{
    private const long Micros = 1_000_000;

    private readonly TierBook tiers;
    private readonly bool limitsLoopback;
    private readonly SharedBuckets shared;

    // By limit and tier; limits of users and addresses are the same in every tier. Null is without limit.
    // Parts are of this node, wholes of all, in microseconds.
    private readonly Quota?[,] parts = new Quota?[Enum.GetValues<Limit>().Length, Enum.GetValues<Tier>().Length];
    private readonly Quota?[,] wholes = new Quota?[Enum.GetValues<Limit>().Length, Enum.GetValues<Tier>().Length];

    /// <summary>Quotas of the settings.</summary>
    public RateLimiter(RateLimitSettings settings, TierBook tiers, SharedBuckets shared, TimeProvider time)
    {
        (this.tiers, this.shared) = (tiers, shared);
        limitsLoopback = settings.LimitsLoopback;
        Buckets = new(settings.BucketsMax, time);
        foreach (var limit in Enum.GetValues<Limit>())
        {
            foreach (var tier in Enum.GetValues<Tier>())
            {
                if (PerMinute(settings, limit, tier) is { } perMinute)
                {
                    var part = Math.Max(1, perMinute / settings.Nodes);
                    parts[(int)limit, (int)tier] = new(
                        limit, part, settings.BurstSeconds, time.TimestampFrequency);
                    wholes[(int)limit, (int)tier] = new(limit, perMinute, settings.BurstSeconds, Micros);
                }
            }
        }
    }

    /// <summary>True when a decision is taken together with the other nodes, so that it has to be waited for.</summary>
    internal bool IsShared => shared.IsShared;

    internal TokenBuckets Buckets { get; }

    /// <summary>True for limits of addresses, which are checked before anybody is known; others come after.</summary>
    internal static bool IsOfAddress(Limit limit) => limit >= Limit.SignUp;

    /// <summary>
    /// Takes a token for a request. False when its caller is not limited; otherwise <paramref name="taken"/> tells
    /// whether there was one. Allocates nothing for a caller who was here before.
    /// </summary>
    internal bool TryTake(
        Limit limit, Caller caller, IPAddress? address, [NotNullWhen(true)] out Quota? quota, out Taken taken)
    {
        quota = null;
        taken = default;
        if (limit == Limit.None || !TryName(limit, caller, address, out var key, out var tier))
        {
            return false;
        }

        quota = parts[(int)key.Limit, (int)tier];
        if (quota is null)
        {
            return false;
        }

        taken = Buckets.Take(key, quota);
        return true;
    }

    /// <summary>
    /// As <see cref="TryTake"/>, from the buckets of all nodes; from those of this node while they are out of reach.
    /// Null when the caller is not limited.
    /// </summary>
    internal async ValueTask<(Quota Quota, Taken Taken)?> TakeAsync(Limit limit, Caller caller, IPAddress? address)
    {
        if (limit == Limit.None
            || !TryName(limit, caller, address, out var key, out var tier)
            || wholes[(int)key.Limit, (int)tier] is not { } whole)
        {
            return null;
        }

        var name = key.Merchant is null ? $"{whole.Name}:{key.Number:x}" : $"{whole.Name}:m:{key.Merchant}";
        if (await shared.TakeAsync(name, whole.Interval, whole.Depth) is { } take)
        {
            return (whole, new(take.IsTaken, take.Left, TimeSpan.FromMicroseconds(take.Micros)));
        }

        RateLimitLog.CountGuarded();
        var part = parts[(int)key.Limit, (int)tier]!;
        return (part, Buckets.Take(key, part));
    }

    private bool TryName(Limit limit, Caller caller, IPAddress? address, out BucketKey key, out Tier tier)
    {
        key = default;
        tier = Tier.Standard;
        if (IsOfAddress(limit))
        {
            key = new(limit, null, ClientAddress.NetworkOf(address));
            return limitsLoopback || address is null || !IPAddress.IsLoopback(address);
        }

        if (limit is Limit.Order or Limit.QueueJoin && caller.UserId is { } user)
        {
            key = new(limit, null, Unsafe.BitCast<Guid, UInt128>(user));
            return true;
        }

        // An operator is nobody's customer.
        if (limit == Limit.QueueJoin || caller.MerchantId is not { } merchant)
        {
            return false;
        }

        key = new(limit == Limit.Order ? Limit.Authorize : limit, merchant, 0);
        tier = tiers.Of(merchant);
        return true;
    }

    private static long? PerMinute(RateLimitSettings settings, Limit limit, Tier tier)
    {
        var merchants = tier switch
        {
            Tier.Standard => settings.Standard,
            Tier.Large => settings.Large,
            _ => new TierQuotas(null, null, null),
        };
        return limit switch
        {
            Limit.None => null,
            Limit.Authorize => merchants.Authorize,
            Limit.Capture => merchants.Capture,
            Limit.Refund => merchants.Refund,
            Limit.Order => settings.Orders,
            Limit.QueueJoin => settings.QueueJoins,
            Limit.SignUp => settings.SignUps,
            Limit.LogIn => settings.LogIns,
            Limit.QueuePoll => settings.QueuePolls,
            Limit.Catalogue => settings.CatalogueReads,
            _ => throw new InvariantViolatedException($"limit {limit} has a setting"),
        };
    }
}
