using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Runtime.CompilerServices;
using Floodgate.Vocabulary;

namespace Floodgate.Access.RateLimits;

/// <summary>
/// Decides whether a request is within its caller's quota. Counts in this process, so it answers at once and there is
/// nothing that could be out of reach: with several nodes each lets through its part (<c>RateLimits:Nodes</c>). A
/// counter that nodes share belongs behind <see cref="TokenBuckets"/>: it would hand tokens to the node ahead of need,
/// so that taking one stays free of waiting, and a node without it would go on with its part.
/// </summary>
public sealed class RateLimiter
{
    private readonly TierBook tiers;
    private readonly bool limitsLoopback;

    // By limit and tier; limits of users and addresses are the same in every tier. Null is without limit.
    private readonly Quota?[,] quotas = new Quota?[Enum.GetValues<Limit>().Length, Enum.GetValues<Tier>().Length];

    /// <summary>Quotas of the settings.</summary>
    public RateLimiter(RateLimitSettings settings, TierBook tiers, TimeProvider time)
    {
        this.tiers = tiers;
        limitsLoopback = settings.LimitsLoopback;
        Buckets = new(settings.BucketsMax, time);
        foreach (var limit in Enum.GetValues<Limit>())
        {
            foreach (var tier in Enum.GetValues<Tier>())
            {
                if (PerMinute(settings, limit, tier) is { } perMinute)
                {
                    var part = Math.Max(1, perMinute / settings.Nodes);
                    quotas[(int)limit, (int)tier] = new(
                        limit, part, settings.BurstSeconds, time.TimestampFrequency);
                }
            }
        }
    }

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

        quota = quotas[(int)key.Limit, (int)tier];
        if (quota is null)
        {
            return false;
        }

        taken = Buckets.Take(key, quota);
        return true;
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
