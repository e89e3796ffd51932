using Floodgate.Vocabulary;

namespace Floodgate.Access;

/// <summary>
/// Who buys: a user of the platform by access token, or a merchant's customer whom the merchant's key names.
/// </summary>
/// <param name="Realm">Whose customer: <see cref="Platform"/>, or the merchant's id. Wallets are kept by realm.</param>
/// <param name="UserId">Unique in the realm: a user's id, or the name that the merchant gave.</param>
public readonly record struct Buyer(string Realm, string UserId)
{
    /// <summary>The realm of users who log in here.</summary>
    public const string Platform = "platform";

    private const int UserIdLengthMax = 64;

    /// <summary>
    /// The buyer that a caller acts for; null after the request was refused with <c>invalid_field</c>. A token names
    /// its own user and a <c>userId</c> beside it is refused unless it is the same; a merchant's key must name one.
    /// </summary>
    public static async ValueTask<Buyer?> ReadAsync(HttpContext context, Caller caller, string? userId)
    {
        if (caller.UserId is { } user)
        {
            if (userId is null || userId == user.ToString())
            {
                return new Buyer(Platform, user.ToString());
            }

            await Problem.WriteAsync(
                context, Problems.InvalidField, "userId is not yours: leave it out, the token tells who you are.");
            return null;
        }

        if (userId is { Length: > 0 and <= UserIdLengthMax }
            && !userId.AsSpan().ContainsAnyExceptInRange('!', '~')
            && !userId.Contains('/')
            && !userId.Contains("%2F", StringComparison.OrdinalIgnoreCase))
        {
            return new Buyer(caller.MerchantId!, userId);
        }

        await Problem.WriteAsync(
            context,
            Problems.InvalidField,
            $"userId must name the customer in 1 to {UserIdLengthMax} printable ASCII characters without spaces and "
                + "slashes.");
        return null;
    }

    /// <summary>The buyer of its text.</summary>
    public static Buyer FromStored(string text)
    {
        var slash = text.IndexOf('/');
        Invariant.Check(slash > 0 && slash < text.Length - 1, $"stored buyer {text} is realm/user");
        return new Buyer(text[..slash], text[(slash + 1)..]);
    }

    /// <summary><c>realm/user</c>: how it is stored, and the key of its payments' events.</summary>
    public override string ToString() => $"{Realm}/{UserId}";
}
