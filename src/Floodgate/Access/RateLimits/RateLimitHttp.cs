using Microsoft.Extensions.Primitives;

namespace Floodgate.Access.RateLimits;

/// <summary>
/// Rate limits as requests meet them. Every answer of a limited caller carries two fields of the IETF draft "RateLimit
/// header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10):
/// <code>
/// RateLimit-Policy: "authorize";q=30000;w=60
/// RateLimit: "authorize";r=29999;t=1
/// </code>
/// <c>q</c> is the quota in requests and <c>w</c> the seconds in which it comes back; <c>r</c> is what is left, and
/// <c>t</c> the seconds until all of it is back. When nothing is left the answer is 429 with <c>Retry-After</c>, and
/// <c>t</c> is the same moment, as the draft asks.
/// </summary>
public sealed class RateLimitHttp(RateLimiter limiter, ClientAddress addresses)
{
    private const string PolicyHeader = "RateLimit-Policy";
    private const string Header = "RateLimit";

    private static readonly ProblemKind RateLimited = new(
        429, "rate_limited", "More was asked for than the quota allows.");

    /// <summary>
    /// Takes a token and tells in the headers what is left. Null when the request may go on; otherwise it was refused,
    /// and the task is the end of that.
    /// </summary>
    internal Task? RefuseOrPass(HttpContext context, Limit limit, Caller caller) =>
        limiter.TryTake(limit, caller, AddressOf(context, limit), out var quota, out var taken)
            ? Answer(context, quota, taken)
            : null;

    /// <summary>True when the decision is taken together with other nodes: then <see cref="PassesAsync"/>.</summary>
    internal bool IsShared => limiter.IsShared;

    /// <summary>As <see cref="RefuseOrPass"/>: true when the request may go on, otherwise it was refused.</summary>
    internal async ValueTask<bool> PassesAsync(HttpContext context, Limit limit, Caller caller)
    {
        if (await limiter.TakeAsync(limit, caller, AddressOf(context, limit)) is not { } answer
            || Answer(context, answer.Quota, answer.Taken) is not { } refusal)
        {
            return true;
        }

        await refusal;
        return false;
    }

    private System.Net.IPAddress? AddressOf(HttpContext context, Limit limit) =>
        RateLimiter.IsOfAddress(limit) ? addresses.Of(context) : null;

    private static Task? Answer(HttpContext context, Quota quota, Taken taken)
    {
        // Whole seconds, rounded up: who waits so long finds a token.
        var seconds = (int)Math.Ceiling(taken.Span.TotalSeconds);
        var headers = context.Response.Headers;
        headers[PolicyHeader] = quota.Policy;
        headers[Header] = (StringValues)$"\"{quota.Name}\";r={taken.Left};t={seconds}";
        if (taken.IsTaken)
        {
            return null;
        }

        RateLimitLog.Count(quota.Name);
        return Problem.WriteAsync(
            context,
            RateLimited,
            $"Quota {quota.Name}: {quota.Requests} requests in {(long)quota.Window.TotalSeconds} s. Send the same " +
                "request again after the seconds in Retry-After.",
            Math.Max(1, seconds));
    }
}
