namespace Floodgate.Access;

/// <summary>What a key may do.</summary>
public enum Role
{
    /// <summary>No key was shown.</summary>
    Anonymous,

    /// <summary>Acts for one merchant.</summary>
    Merchant,

    /// <summary>Operates the whole installation; sees every merchant.</summary>
    Admin,
}

/// <summary>Who calls, as told by the key and never by the body.</summary>
public sealed record Caller(Role Role, string? MerchantId)
{
    /// <summary>A caller without a key, on a public route.</summary>
    public static Caller Anonymous { get; } = new(Role.Anonymous, null);

    /// <summary>An operator.</summary>
    public static Caller Admin { get; } = new(Role.Admin, null);

    /// <summary>A merchant's system.</summary>
    public static Caller OfMerchant(string merchantId) => new(Role.Merchant, merchantId);
}

/// <summary>Who may call a route. Every route names it; there is no default.</summary>
[Flags]
public enum Who
{
    /// <summary>Anyone; a key is neither needed nor looked at.</summary>
    Public = 0,

    /// <summary>A merchant's key.</summary>
    Merchant = 1,

    /// <summary>An operator's key.</summary>
    Admin = 2,

    /// <summary>Either.</summary>
    MerchantOrAdmin = Merchant | Admin,
}

/// <summary>A route as it was registered.</summary>
public sealed record Route(string Method, string Pattern, Who Who, bool IsDemoOnly);

/// <summary>The one way to register a route: with who may call it. Modules do it in their <c>Map</c>.</summary>
public sealed class Routes(IEndpointRouteBuilder endpoints, ApiKeys keys, bool isDemo)
{
    private readonly List<Route> all = [];

    /// <summary>Every route, also those of demo mode when it is off: for the reference page and tests.</summary>
    public IReadOnlyList<Route> All => all;

    /// <summary>Serves a route. The handler gets the caller that its key stands for.</summary>
    /// <param name="method">The HTTP method.</param>
    /// <param name="pattern">A pattern of ASP.NET Core routing, such as <c>/v1/payments/{id}</c>.</param>
    /// <param name="who">Who may call; others get 401 or 403 before the handler runs.</param>
    /// <param name="handler">Answers the request.</param>
    public void Map(string method, string pattern, Who who, Func<HttpContext, Caller, Task> handler) =>
        Map(new Route(method, pattern, who, IsDemoOnly: false), handler);

    /// <summary>Serves a route in demo mode only; otherwise it is listed and not served.</summary>
    public void MapDemoOnly(string method, string pattern, Who who, Func<HttpContext, Caller, Task> handler) =>
        Map(new Route(method, pattern, who, IsDemoOnly: true), handler);

    private void Map(Route route, Func<HttpContext, Caller, Task> handler)
    {
        all.Add(route);
        if (isDemo || !route.IsDemoOnly)
        {
            // Typed, because a plain lambda would be bound by reflection at start.
            RequestDelegate run = new RouteGuard(route.Who, keys, handler).InvokeAsync;
            endpoints.MapMethods(route.Pattern, [route.Method], run);
        }
    }
}

/// <summary>Stands before one handler and lets in whom the route names.</summary>
internal sealed class RouteGuard(Who who, ApiKeys keys, Func<HttpContext, Caller, Task> handler)
{
    private const string Scheme = "Bearer ";
    private const string HowTo = "Send the header Authorization: Bearer KEY once, with the key " +
        "that was shown when it was created.";

    /// <summary>
    /// Runs the handler, or refuses: 401 without exactly one usable bearer key or with an unknown one (RFC 6750
    /// section 3), 403 with a key of another role. A key in memory costs one hash and no allocation.
    /// </summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (who == Who.Public)
        {
            return handler(context, Caller.Anonymous);
        }

        var values = context.Request.Headers.Authorization;
        if (values.Count != 1)
        {
            return RefuseAsync(context, values.Count == 0 ? "No key was sent." : "Several keys were sent.");
        }

        if (!TryHash(values[0], out var hash))
        {
            return RefuseAsync(context, "The Authorization header has no bearer key.");
        }

        return keys.TryFindCached(hash, out var caller) ? AnswerAsync(context, caller) : LookUpAsync(context, hash);
    }

    private async Task LookUpAsync(HttpContext context, KeyHash hash) =>
        await AnswerAsync(context, await keys.LookUpAsync(hash, context.RequestAborted));

    private Task AnswerAsync(HttpContext context, Caller? caller)
    {
        if (caller is null)
        {
            return RefuseAsync(context, "The key is not known, or was revoked.");
        }

        var role = caller.Role == Role.Admin ? Who.Admin : Who.Merchant;
        return (who & role) != 0
            ? handler(context, caller)
            : Problem.WriteAsync(context, Problems.Forbidden,
                $"This route takes {(who == Who.Admin ? "an operator's" : "a merchant's")} key.");
    }

    private static Task RefuseAsync(HttpContext context, string why)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer realm=\"floodgate\"";
        return Problem.WriteAsync(context, Problems.Unauthorized, $"{why} {HowTo}");
    }

    private static bool TryHash(string? header, out KeyHash hash)
    {
        hash = default;
        if (header is null || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        // One token of visible ASCII: a space or comma would be a second key or a parameter.
        var key = header.AsSpan(Scheme.Length);
        if (key.Length is 0 or > KeyHash.KeyLengthMax || key.ContainsAnyExceptInRange('!', '~') || key.Contains(','))
        {
            return false;
        }

        hash = KeyHash.Of(key);
        return true;
    }
}
