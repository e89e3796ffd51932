using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>What a caller may do.</summary>
public enum Role
{
    /// <summary>Neither a key nor a token was shown.</summary>
    Anonymous,

    /// <summary>Buys for itself.</summary>
    Buyer,

    /// <summary>Acts for one merchant.</summary>
    Merchant,

    /// <summary>Operates the whole installation; sees every merchant.</summary>
    Admin,
}

/// <summary>
/// Who calls, as told by the key or the access token and never by the body. User and session are those of a token.
/// </summary>
public sealed record Caller(Role Role, string? MerchantId, Guid? UserId = null, Guid? SessionId = null)
{
    /// <summary>A caller without a key, on a public route.</summary>
    public static Caller Anonymous { get; } = new(Role.Anonymous, null);

    /// <summary>An operator's key.</summary>
    public static Caller Admin { get; } = new(Role.Admin, null);

    /// <summary>A merchant's system.</summary>
    public static Caller OfMerchant(string merchantId) => new(Role.Merchant, merchantId);

    /// <summary>A user by the access token of a session.</summary>
    public static Caller OfUser(User user, Guid sessionId) => new(user.Role, user.MerchantId, user.Id, sessionId);

    /// <summary>What a route must name to let this caller in.</summary>
    internal Who Kind => (Role, UserId) switch
    {
        (Role.Merchant, null) => Who.MerchantKey,
        (Role.Admin, null) => Who.AdminKey,
        (Role.Buyer, _) => Who.Buyer,
        (Role.Merchant, _) => Who.MerchantUser,
        (Role.Admin, _) => Who.AdminUser,
        _ => Who.Public,
    };
}

/// <summary>Who may call a route. Every route names it; there is no default.</summary>
[Flags]
public enum Who
{
    /// <summary>Anyone; a key is neither needed nor looked at.</summary>
    Public = 0,

    /// <summary>A merchant's key.</summary>
    MerchantKey = 1,

    /// <summary>An operator's key.</summary>
    AdminKey = 2,

    /// <summary>A buyer's access token.</summary>
    Buyer = 4,

    /// <summary>The access token of a merchant's user.</summary>
    MerchantUser = 8,

    /// <summary>The access token of an operator.</summary>
    AdminUser = 16,

    /// <summary>A merchant, by key or token.</summary>
    Merchant = MerchantKey | MerchantUser,

    /// <summary>An operator, by key or token.</summary>
    Admin = AdminKey | AdminUser,

    /// <summary>Either.</summary>
    MerchantOrAdmin = Merchant | Admin,

    /// <summary>Whoever has logged in.</summary>
    User = Buyer | MerchantUser | AdminUser,
}

/// <summary>A route as it was registered.</summary>
public sealed record Route(string Method, string Pattern, Who Who, bool IsDemoOnly, Limit Limit);

/// <summary>The one way to register a route: with who may call it. Modules do it in their <c>Map</c>.</summary>
public sealed class Routes(
    IEndpointRouteBuilder endpoints, ApiKeys keys, SessionBook sessions, RateLimitHttp limits, bool isDemo)
{
    private readonly List<Route> all = [];

    /// <summary>Every route, also those of demo mode when it is off: for the reference page and tests.</summary>
    public IReadOnlyList<Route> All => all;

    /// <summary>Serves a route. The handler gets the caller that its key or token stands for.</summary>
    /// <param name="method">The HTTP method.</param>
    /// <param name="pattern">A pattern of ASP.NET Core routing, such as <c>/v1/payments/{id}</c>.</param>
    /// <param name="who">Who may call; others get 401 or 403 before the handler runs.</param>
    /// <param name="handler">Answers the request.</param>
    /// <param name="limit">What calls count against: an address on public routes, on others who calls.</param>
    public void Map(
        string method,
        string pattern,
        Who who,
        Func<HttpContext, Caller, Task> handler,
        Limit limit = Limit.None) =>
        Map(new Route(method, pattern, who, IsDemoOnly: false, limit), handler);

    /// <summary>Serves a route in demo mode only; otherwise it is listed and not served.</summary>
    public void MapDemoOnly(string method, string pattern, Who who, Func<HttpContext, Caller, Task> handler) =>
        Map(new Route(method, pattern, who, IsDemoOnly: true, Limit.None), handler);

    private void Map(Route route, Func<HttpContext, Caller, Task> handler)
    {
        Invariant.Check(
            route.Limit == Limit.None || RateLimiter.IsOfAddress(route.Limit) == (route.Who == Who.Public),
            $"{route.Method} {route.Pattern} is limited by what is known of its callers");
        all.Add(route);
        if (isDemo || !route.IsDemoOnly)
        {
            // Typed, because a plain lambda would be bound by reflection at start.
            RequestDelegate run = new RouteGuard(route, keys, sessions, limits, handler).InvokeAsync;
            endpoints.MapMethods(route.Pattern, [route.Method], run);
        }
    }
}

/// <summary>Stands before one handler and lets in whom the route names.</summary>
internal sealed class RouteGuard(
    Route route, ApiKeys keys, SessionBook sessions, RateLimitHttp limits, Func<HttpContext, Caller, Task> handler)
{
    /// <summary>What every 401 carries (RFC 9110 section 15.5.2).</summary>
    public const string Challenge = "Bearer realm=\"floodgate\"";

    private const string Scheme = "Bearer ";
    private const string HowTo = "Send the header Authorization: Bearer KEY once, with the key that was shown when " +
        "it was created, or with the access token of POST /v1/sessions.";

    private readonly Who who = route.Who;

    /// <summary>
    /// Runs the handler, or refuses: 401 without exactly one usable bearer key or token, or with one that is unknown
    /// or over (RFC 6750 section 3), 403 for callers whom the route does not name, 429 for those over their quota. A
    /// key or token in memory costs one hash and no allocation.
    /// </summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (who == Who.Public)
        {
            return HandleAsync(context, Caller.Anonymous);
        }

        var values = context.Request.Headers.Authorization;
        if (values.Count != 1)
        {
            return RefuseAsync(context, values.Count == 0 ? "No key was sent." : "Several keys were sent.");
        }

        // One token of visible ASCII: a space or comma would be a second key or a parameter.
        var key = values[0].AsSpan();
        key = key.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? key[Scheme.Length..] : default;
        if (key.IsEmpty || key.ContainsAnyExceptInRange('!', '~') || key.Contains(','))
        {
            return RefuseAsync(context, "The Authorization header has no bearer key.");
        }

        // Our keys have no dot, access tokens have two.
        if (key.Contains('.'))
        {
            return sessions.TryFindCached(key, out var user)
                ? AnswerAsync(context, user)
                : FindUserAsync(context, key.ToString());
        }

        if (key.Length > KeyHash.KeyLengthMax)
        {
            return RefuseAsync(context, "The Authorization header has no bearer key.");
        }

        var hash = KeyHash.Of(key);
        return keys.TryFindCached(hash, out var caller) ? AnswerAsync(context, caller) : LookUpAsync(context, hash);
    }

    private async Task LookUpAsync(HttpContext context, KeyHash hash) =>
        await AnswerAsync(context, await keys.LookUpAsync(hash, context.RequestAborted));

    private async Task FindUserAsync(HttpContext context, string token) =>
        await AnswerAsync(context, await sessions.FindAsync(token, context.RequestAborted));

    private Task AnswerAsync(HttpContext context, Caller? caller)
    {
        if (caller is null)
        {
            return RefuseAsync(context, "The key or token is not known, is too old, or was revoked.");
        }

        return (who & caller.Kind) != 0
            ? HandleAsync(context, caller)
            : Problem.WriteAsync(context, Problems.Forbidden, $"This route is for {WhoIn(who)}.");
    }

    private Task HandleAsync(HttpContext context, Caller caller) => route.Limit == Limit.None
        ? handler(context, caller)
        : limits.IsShared
        ? HandleSharedAsync(context, caller)
        : limits.RefuseOrPass(context, route.Limit, caller) ?? handler(context, caller);

    private async Task HandleSharedAsync(HttpContext context, Caller caller)
    {
        if (await limits.PassesAsync(context, route.Limit, caller))
        {
            await handler(context, caller);
        }
    }

    private static string WhoIn(Who who) => string.Join(" or ", new[]
    {
        (Who.MerchantKey, "a merchant's key"),
        (Who.AdminKey, "an operator's key"),
        (Who.Buyer, "a buyer's token"),
        (Who.MerchantUser, "the token of a merchant's user"),
        (Who.AdminUser, "an operator's token"),
    }.Where(one => who.HasFlag(one.Item1)).Select(one => one.Item2));

    private static Task RefuseAsync(HttpContext context, string why)
    {
        context.Response.Headers.WWWAuthenticate = Challenge;
        return Problem.WriteAsync(context, Problems.Unauthorized, $"{why} {HowTo}");
    }
}
