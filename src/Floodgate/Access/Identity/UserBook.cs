using System.Net;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Access.Identity;

/// <summary>How the creation of a user ended, in the order in which it is checked.</summary>
public enum CreateUserOutcome
{
    /// <summary>Too many failures from this address; see <see cref="CreatedUser.RetryAfter"/>.</summary>
    Throttled,

    /// <summary>Too many passwords are being hashed.</summary>
    Busy,

    /// <summary>There is no such merchant.</summary>
    MerchantUnknown,

    /// <summary>Another user has this e-mail.</summary>
    EmailTaken,

    /// <summary>The user is stored.</summary>
    Created,
}

/// <summary>The end of a creation; the user only when it was created.</summary>
public sealed record CreatedUser(CreateUserOutcome Outcome, User? User = null, TimeSpan RetryAfter = default);

/// <summary>The users: buyers sign up themselves, others are created by who operates the installation.</summary>
public sealed class UserBook(Database database, Passwords passwords, LoginThrottle throttle, TimeProvider time, Ids ids)
{
    /// <summary>
    /// Creates a buyer. E-mail and password have passed <see cref="User.FaultOfEmail"/> and
    /// <see cref="User.FaultOfPassword"/>. The e-mail is the key: a repeat is
    /// <see cref="CreateUserOutcome.EmailTaken"/>, which counts as a failure of the address.
    /// </summary>
    public async ValueTask<CreatedUser> SignUpAsync(
        string email, string password, IPAddress? address, CancellationToken cancel)
    {
        using var attempt = throttle.TryBegin(null, address, out var wait);
        if (attempt is null)
        {
            return new(CreateUserOutcome.Throttled, RetryAfter: wait);
        }

        var created = await CreateAsync(email, password, Role.Buyer, null, cancel);
        if (created.Outcome == CreateUserOutcome.EmailTaken)
        {
            attempt.Fail();
        }

        return created;
    }

    /// <summary>Creates a user of any role, without a throttle; a merchant's user names its merchant.</summary>
    public async ValueTask<CreatedUser> CreateAsync(
        string email, string password, Role role, string? merchantId, CancellationToken cancel)
    {
        Invariant.Check((role == Role.Merchant) == (merchantId is not null), "only a merchant's user has a merchant");
        if (await passwords.HashAsync(password, cancel) is not { } hash)
        {
            return new(CreateUserOutcome.Busy);
        }

        var user = new User(ids.Next(), User.NormalEmail(email), role, merchantId);
        var nowMs = UtcInstant.Now(time).Ms;
        return await database.WriteAsync(
            async tx =>
            {
                if (merchantId is not null && !await IdentitySql.HasMerchantAsync(tx, merchantId))
                {
                    return new(CreateUserOutcome.MerchantUnknown);
                }

                return await IdentitySql.TryInsertUserAsync(tx, user, hash, nowMs)
                    ? new CreatedUser(CreateUserOutcome.Created, user)
                    : new(CreateUserOutcome.EmailTaken);
            },
            cancel);
    }

    /// <summary>The user that a token stands for.</summary>
    public ValueTask<User> GetAsync(Guid id, CancellationToken cancel) =>
        database.ReadAsync(tx => IdentitySql.GetUserAsync(tx, id), cancel);
}
