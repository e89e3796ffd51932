using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IdentityModel.Tokens.Jwt;
using System.Security.Cryptography;
using Floodgate.Vocabulary;
using Microsoft.IdentityModel.Tokens;

namespace Floodgate.Access.Identity;

/// <summary>
/// Signs and reads access tokens: JWT (RFC 7519) signed with HS256 and nothing else, as RFC 8725 section 3.1 asks.
/// Reading asks no database; whether the session still lives is another question.
/// </summary>
internal sealed class AccessTokens
{
    /// <summary>The longest text that is taken for a token, in characters; ours have about 500.</summary>
    public const int LengthMax = 1_024;

    private readonly IdentitySettings settings;
    private readonly TimeProvider time;
    private readonly SigningCredentials credentials;
    private readonly TokenValidationParameters rules;
    private readonly JwtSecurityTokenHandler handler = new() { MapInboundClaims = false };

    // Good tokens by their hash: the check costs about 40 microseconds and 20 KB, the hash two and nothing. Bounded: a
    // full one is emptied. The count may run ahead of the truth, never behind.
    private readonly ConcurrentDictionary<KeyHash, Known> known = new();
    private int knownCount;

    public AccessTokens(byte[] signingKey, IdentitySettings settings, TimeProvider time)
    {
        this.settings = settings;
        this.time = time;
        credentials = new(KeyOf(signingKey), SecurityAlgorithms.HmacSha256);
        rules = new()
        {
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            ValidTypes = ["JWT"],
            ValidIssuer = settings.Issuer,
            ValidAudience = settings.Audience,
            IssuerSigningKeys = settings.PreviousSigningKey is { } previous
                ? [credentials.Key, KeyOf(previous)]
                : [credentials.Key],
            LifetimeValidator = IsInTime,
        };
    }

    /// <summary>A token of a user's session that begins now.</summary>
    public string Issue(User user, Guid session, Guid id)
    {
        var now = UtcInstant.Now(time).Ms / 1_000;
        var payload = new JwtPayload
        {
            ["iss"] = settings.Issuer,
            ["aud"] = settings.Audience,
            ["sub"] = user.Id.ToString(),
            ["sid"] = session.ToString(),
            ["jti"] = id.ToString(),
            ["role"] = User.NameOf(user.Role),
            ["iat"] = now,
            ["nbf"] = now,
            ["exp"] = now + (long)settings.AccessLife.TotalSeconds,
        };
        if (user.MerchantId is { } merchant)
        {
            payload["merchant"] = merchant;
        }

        return handler.WriteToken(new JwtSecurityToken(new JwtHeader(credentials), payload));
    }

    /// <summary>The answer of an earlier <see cref="Read"/>, while the token is in time. Allocates nothing.</summary>
    public bool TryFindKnown(ReadOnlySpan<char> token, [NotNullWhen(true)] out Caller? caller)
    {
        caller = token.Length <= LengthMax
            && known.TryGetValue(KeyHash.OfToken(token), out var found)
            && time.GetUtcNow() < found.Until
            ? found.Caller
            : null;
        return caller is not null;
    }

    /// <summary>Whom a token stands for; null unless it is ours, whole, and in time.</summary>
    public Caller? Read(string token)
    {
        // Only the signed form has two dots; the encrypted one (JWE) is not even looked at.
        if (token.Length > LengthMax || token.AsSpan().Count('.') != 2)
        {
            return null;
        }

        try
        {
            handler.ValidateToken(token, rules, out var validated);
            var caller = CallerOf(((JwtSecurityToken)validated).Payload);
            Keep(token, caller, validated.ValidTo + settings.ClockSkew);
            return caller;
        }
        catch (Exception)
        {
            // The edge of the library: whatever it throws over the text of a stranger means that it is no token.
            return null;
        }
    }

    private static Caller? CallerOf(JwtPayload payload)
    {
        var role = User.RoleOf(Text("role"));
        var merchant = Text("merchant");
        return role is { } known
            && (known == Role.Merchant) == (merchant is not null)
            && Guid.TryParseExact(Text("sub"), "D", out var user)
            && Guid.TryParseExact(Text("sid"), "D", out var session)
            ? Caller.OfUser(new(user, "", known, merchant), session)
            : null;

        string? Text(string claim) => payload.TryGetValue(claim, out var value) ? value as string : null;
    }

    private void Keep(string token, Caller? caller, DateTime until)
    {
        if (caller is null || !known.TryAdd(KeyHash.OfToken(token), new(caller, until)))
        {
            return;
        }

        if (Interlocked.Increment(ref knownCount) > settings.SessionsCachedMax)
        {
            known.Clear();
            Interlocked.Exchange(ref knownCount, 0);
        }
    }

    private bool IsInTime(DateTime? from, DateTime? until, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return from <= now + settings.ClockSkew && now < until + settings.ClockSkew;
    }

    // The id tells the keys of a change apart and nothing of the key.
    private static SymmetricSecurityKey KeyOf(byte[] key) => new(key)
    {
        KeyId = Convert.ToHexStringLower(SHA256.HashData(SHA256.HashData(key)).AsSpan(0, 8)),
    };

    private sealed record Known(Caller Caller, DateTimeOffset Until);
}
