using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access.RateLimits;
using Floodgate.Vocabulary;

namespace Floodgate.Access.Identity;

/// <summary>The routes of users and their sessions.</summary>
internal sealed class IdentityHttp(
    UserBook users, SessionBook sessions, ClientAddress addresses, IdentitySettings settings)
{
    private const int BusyRetryAfterSeconds = 1;

    private static readonly ProblemKind WrongPassword = new(
        401, "wrong_password", "The e-mail or the password is wrong.");

    private static readonly ProblemKind SessionOver = new(401, "session_over", "The session cannot be refreshed.");
    private static readonly ProblemKind EmailTaken = new(409, "email_taken", "Another user has this e-mail.");
    private static readonly ProblemKind TooManyFailures = new(
        429, "too_many_failures", "Too many log-ins or sign-ups have failed.");

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/users", Who.Public, SignUpAsync, Limit.SignUp);
        routes.Map("GET", "/v1/users/me", Who.User, ShowAsync);
        routes.Map("POST", "/v1/sessions", Who.Public, LogInAsync, Limit.LogIn);
        routes.Map("POST", "/v1/sessions/refresh", Who.Public, RefreshAsync, Limit.LogIn);
        routes.Map("DELETE", "/v1/sessions", Who.User, LogOutAsync);
    }

    private async Task SignUpAsync(HttpContext context, Caller caller)
    {
        if (await ReadAsync(context) is not { } request)
        {
            return;
        }

        var created = await users.SignUpAsync(
            request.Email, request.Password, addresses.Of(context), context.RequestAborted);
        await (created.Outcome switch
        {
            CreateUserOutcome.Throttled => RefuseThrottledAsync(context, created.RetryAfter),
            CreateUserOutcome.Busy => RefuseBusyAsync(context),
            CreateUserOutcome.EmailTaken => Problem.WriteAsync(
                context, EmailTaken, "Log in with POST /v1/sessions, or sign up with another e-mail."),
            _ => AnswerAsync(context, 201, created.User!),
        });
    }

    private async Task ShowAsync(HttpContext context, Caller caller) =>
        await AnswerAsync(context, 200, await users.GetAsync(caller.UserId!.Value, context.RequestAborted));

    private async Task LogInAsync(HttpContext context, Caller caller)
    {
        // No account has a password that the check refuses, so that tells nothing and costs no hash.
        if (await ReadAsync(context) is { } request)
        {
            await AnswerAsync(context, 201, await sessions.LogInAsync(
                request.Email, request.Password, addresses.Of(context), context.RequestAborted));
        }
    }

    private async Task RefreshAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, IdentityJson.Default.RefreshRequest) is { } request)
        {
            await AnswerAsync(context, 200, await sessions.RefreshAsync(request.RefreshToken, context.RequestAborted));
        }
    }

    private async Task LogOutAsync(HttpContext context, Caller caller)
    {
        await sessions.EndAsync(caller.SessionId!.Value, context.RequestAborted);
        context.Response.StatusCode = 204;
    }

    private static async ValueTask<PasswordRequest?> ReadAsync(HttpContext context)
    {
        if (await Body.ReadAsync(context, IdentityJson.Default.PasswordRequest) is not { } request)
        {
            return null;
        }

        var fault = User.FaultOfEmail(request.Email) is { } email ? $"$.email {email}"
            : User.FaultOfPassword(request.Password) is { } password ? $"$.password {password}"
            : null;
        if (fault is null)
        {
            return request;
        }

        await Problem.WriteAsync(context, Problems.InvalidBody, $"{fault}.");
        return null;
    }

    private Task AnswerAsync(HttpContext context, int status, SessionAnswer answer) => answer.Outcome switch
    {
        SessionOutcome.Throttled => RefuseThrottledAsync(context, answer.RetryAfter),
        SessionOutcome.Busy => RefuseBusyAsync(context),
        SessionOutcome.WrongPassword => RefuseAsync(
            context, WrongPassword, "Check both; an account that is not there is refused in the same words."),
        SessionOutcome.Live => AnswerAsync(context, status, answer.Tokens!),
        _ => RefuseAsync(context, SessionOver, answer.Outcome switch
        {
            SessionOutcome.TokenUnknown => "The refresh token is not known. Log in again.",
            SessionOutcome.SessionEnded => "The session has ended. Log in again.",
            SessionOutcome.TokenExpired => "The refresh token is too old. Log in again.",
            _ => "The refresh token was used before, so the session ended now. Log in again.",
        }),
    };

    private Task AnswerAsync(HttpContext context, int status, SessionTokens tokens)
    {
        context.Response.StatusCode = status;
        context.Response.Headers.CacheControl = "no-store"; // RFC 6749 section 5.1.
        var answer = new SessionResponse(
            tokens.Access,
            "Bearer",
            (long)settings.AccessLife.TotalSeconds,
            tokens.Refresh,
            new UtcInstant(tokens.RefreshExpiresMs).ToString(),
            ResponseOf(tokens.User));
        return context.Response.WriteAsJsonAsync(answer, IdentityJson.Default.SessionResponse);
    }

    private static Task AnswerAsync(HttpContext context, int status, User user)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(ResponseOf(user), IdentityJson.Default.UserResponse);
    }

    private static UserResponse ResponseOf(User user) =>
        new(user.Id.ToString(), user.Email, User.NameOf(user.Role), user.MerchantId);

    private static Task RefuseAsync(HttpContext context, ProblemKind kind, string detail)
    {
        context.Response.Headers.WWWAuthenticate = RouteGuard.Challenge;
        return Problem.WriteAsync(context, kind, detail);
    }

    private static Task RefuseThrottledAsync(HttpContext context, TimeSpan wait) => Problem.WriteAsync(
        context, TooManyFailures, "Wait for the time in Retry-After; each further failure doubles it.",
        Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)));

    private static Task RefuseBusyAsync(HttpContext context) => Problem.WriteAsync(
        context, Problems.Unavailable, "Too many log in at once. Send the same request again.", BusyRetryAfterSeconds);
}

/// <summary>The body of <c>POST /v1/users</c> and <c>POST /v1/sessions</c>.</summary>
internal sealed record PasswordRequest(string Email, string Password);

/// <summary>The body of <c>POST /v1/sessions/refresh</c>.</summary>
internal sealed record RefreshRequest(string RefreshToken);

/// <summary>A user; <paramref name="MerchantId"/> only of a merchant's user.</summary>
internal sealed record UserResponse(string UserId, string Email, string Role, string? MerchantId);

/// <summary>A session with its tokens: field by field as OAuth 2 names them (RFC 6749 section 5.1).</summary>
internal sealed record SessionResponse(
    string AccessToken,
    string TokenType,
    long ExpiresInSeconds,
    string RefreshToken,
    string RefreshTokenExpiresAt,
    UserResponse User);

/// <summary>JSON of these routes.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PasswordRequest))]
[JsonSerializable(typeof(RefreshRequest))]
[JsonSerializable(typeof(UserResponse))]
[JsonSerializable(typeof(SessionResponse))]
internal sealed partial class IdentityJson : JsonSerializerContext;
