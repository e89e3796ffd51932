using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Access.Identity;

/// <summary>How a log-in or refresh ended, in the order in which it is checked.</summary>
public enum SessionOutcome
{
    /// <summary>Too many failures; see <see cref="SessionAnswer.RetryAfter"/>.</summary>
    Throttled,

    /// <summary>Too many passwords are being hashed.</summary>
    Busy,

    /// <summary>The e-mail or the password is wrong; which one is not told.</summary>
    WrongPassword,

    /// <summary>The refresh token is not known, or so old that it was deleted.</summary>
    TokenUnknown,

    /// <summary>The session was ended by a log-out, by a newer session or by an old refresh token.</summary>
    SessionEnded,

    /// <summary>The refresh token is too old.</summary>
    TokenExpired,

    /// <summary>The refresh token was used before: somebody else has it, so the session ended now.</summary>
    TokenReused,

    /// <summary>The session lives; see <see cref="SessionAnswer.Tokens"/>.</summary>
    Live,
}

/// <summary>What a session is used with. The refresh token can be read here only; the database has its hash.</summary>
public sealed record SessionTokens(User User, string Access, string Refresh, long RefreshExpiresMs);

/// <summary>The end of a log-in or refresh; the tokens only when the session lives.</summary>
public sealed record SessionAnswer(
    SessionOutcome Outcome, SessionTokens? Tokens = null, TimeSpan RetryAfter = default);

/// <summary>
/// The sessions of users. A session is a family of refresh tokens: <c>fg_rt_</c> and 43 characters of 256 random bits,
/// each used once. Access tokens carry its id, so they end with it.
/// </summary>
public sealed class SessionBook
{
    private const string Topic = "session-ended";
    private const string Prefix = "fg_rt_";
    private const int SecretBytes = 32;
    private const int SigningKeyBytes = 32;

    // A refresh that began in time is over by then, so the sweep never meets one.
    private static readonly TimeSpan SweptAfter = TimeSpan.FromHours(1);

    private readonly Database database;
    private readonly Passwords passwords;
    private readonly LoginThrottle throttle;
    private readonly IdentitySettings settings;
    private readonly TimeProvider time;
    private readonly Ids ids;
    private readonly News news;
    private readonly ILogger<SessionBook> logger;
    private readonly SessionCache cache;

    // Written once, before the server takes requests.
    private AccessTokens? tokens;

    /// <summary>Listens to sessions that end on other nodes.</summary>
    public SessionBook(
        Database database,
        Passwords passwords,
        LoginThrottle throttle,
        IdentitySettings settings,
        TimeProvider time,
        Ids ids,
        News news,
        ILogger<SessionBook> logger)
    {
        (this.database, this.passwords, this.throttle, this.settings) = (database, passwords, throttle, settings);
        (this.time, this.ids, this.news, this.logger) = (time, ids, news, logger);
        cache = new(settings, time, news);
        news.ListenIds(Topic, ended =>
        {
            foreach (var session in ended)
            {
                cache.Remove(session);
            }
        });
        news.Missed += cache.Forget;
    }

    private AccessTokens Tokens => tokens ?? throw new InvalidOperationException("The signing key is not loaded yet.");

    /// <summary>
    /// Loads the signing key; when the settings name none, makes one that all nodes of the database share. After the
    /// migrations, before the first token.
    /// </summary>
    public async ValueTask LoadKeyAsync(CancellationToken cancel) => tokens = new(
        settings.SigningKey ?? await database.WriteAsync(
            tx => IdentitySql.KeepSigningKeyAsync(tx, RandomNumberGenerator.GetBytes(SigningKeyBytes)), cancel),
        settings,
        time);

    /// <summary>
    /// Begins a session: <see cref="SessionOutcome.Throttled"/>, <see cref="SessionOutcome.Busy"/>,
    /// <see cref="SessionOutcome.WrongPassword"/> or <see cref="SessionOutcome.Live"/>. An unknown e-mail costs what a
    /// wrong password costs. Locks the user. Each call begins a session of its own.
    /// </summary>
    public async ValueTask<SessionAnswer> LogInAsync(
        string email, string password, IPAddress? address, CancellationToken cancel)
    {
        var normal = User.NormalEmail(email);
        using var attempt = throttle.TryBegin(normal, address, out var wait);
        if (attempt is null)
        {
            return Counted(new(SessionOutcome.Throttled, RetryAfter: wait));
        }

        var known = await database.ReadAsync(tx => IdentitySql.FindUserAsync(tx, normal), cancel);
        var match = await passwords.CompareAsync(known?.PasswordHash, password, cancel);
        if (match == PasswordMatch.Busy)
        {
            return Counted(new(SessionOutcome.Busy));
        }

        if (known is not { } found || match == PasswordMatch.Wrong)
        {
            attempt.Fail();
            return Counted(new(SessionOutcome.WrongPassword));
        }

        attempt.Succeed();
        var newHash = match == PasswordMatch.RightWithOldHash ? await passwords.HashAsync(password, cancel) : null;
        return Counted(await BeginAsync(found.User, newHash, cancel));
    }

    /// <summary>
    /// Uses a refresh token up for a new pair: <see cref="SessionOutcome.TokenUnknown"/>,
    /// <see cref="SessionOutcome.SessionEnded"/>, <see cref="SessionOutcome.TokenExpired"/>,
    /// <see cref="SessionOutcome.TokenReused"/> or <see cref="SessionOutcome.Live"/>. Locks the session. A repeat
    /// within <see cref="IdentitySettings.RefreshGrace"/> gets the same refresh token as long as that one was not used;
    /// any other repeat ends the session (RFC 9700 section 4.14.2).
    /// </summary>
    public async ValueTask<SessionAnswer> RefreshAsync(string token, CancellationToken cancel)
    {
        if (token.Length > KeyHash.KeyLengthMax)
        {
            return Counted(new(SessionOutcome.TokenUnknown));
        }

        var successor = Prefix + Ids.Secret(SecretBytes);
        return Counted(await database.WriteAsync(tx => RefreshAsync(tx, token, successor), cancel));
    }

    /// <summary>
    /// Ends a session: at once on this node and on those that hear of it, on others within
    /// <see cref="IdentitySettings.SessionCached"/>. A session that has ended stays so.
    /// </summary>
    public ValueTask<bool> EndAsync(Guid session, CancellationToken cancel) => database.WriteAsync(
        tx =>
        {
            End(tx, [session], UtcInstant.Now(time).Ms);
            return new ValueTask<bool>(true);
        },
        cancel);

    /// <summary>
    /// Deletes sessions that expired an hour ago or earlier, with their refresh tokens; a page of them at a time. Locks
    /// their users, as a log-in does. True when there may be more.
    /// </summary>
    internal ValueTask<bool> SweepAsync(int page, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var beforeMs = UtcInstant.Now(time).Ms - (long)SweptAfter.TotalMilliseconds;
            var users = await IdentitySql.UsersOfExpiredAsync(tx, beforeMs, page);
            await IdentitySql.LockUsersAsync(tx, users);
            IdentitySql.QueueDeleteExpired(tx, users, beforeMs);
            return users.Count > 0;
        },
        cancel);

    /// <summary>Whom an access token stands for; null when it is not ours, not in time, or its session ended.</summary>
    public ValueTask<Caller?> FindAsync(string token, CancellationToken cancel)
    {
        var caller = Tokens.TryFindKnown(token, out var known) ? known : Tokens.Read(token);
        return caller is null || cache.IsLive(caller.SessionId!.Value) ? new(caller) : LookUpAsync(caller, cancel);
    }

    /// <summary>The answer without waiting, when the token and its session were seen good lately.</summary>
    internal bool TryFindCached(ReadOnlySpan<char> token, [NotNullWhen(true)] out Caller? caller) =>
        Tokens.TryFindKnown(token, out caller) && cache.IsLive(caller.SessionId!.Value);

    private async ValueTask<Caller?> LookUpAsync(Caller caller, CancellationToken cancel)
    {
        var session = caller.SessionId!.Value;
        var endsBefore = cache.Ends;
        var nowMs = UtcInstant.Now(time).Ms;
        if (!await database.ReadAsync(tx => IdentitySql.IsLiveAsync(tx, session, nowMs), cancel))
        {
            return null;
        }

        cache.PutLive(session, endsBefore);
        return caller;
    }

    private ValueTask<SessionAnswer> BeginAsync(User user, string? newHash, CancellationToken cancel)
    {
        var session = ids.Next();
        var refresh = Prefix + Ids.Secret(SecretBytes);
        var now = UtcInstant.Now(time);
        var expiresMs = now.Plus(settings.RefreshLife).Ms;
        return database.WriteAsync(
            async tx =>
            {
                await IdentitySql.LockUsersAsync(tx, [user.Id]);
                IdentitySql.QueueDeleteExpired(tx, [user.Id], now.Ms);
                var before = await IdentitySql.SessionsOfAsync(tx, user.Id);
                End(tx, [.. before.SkipLast(settings.SessionsPerUserMax - 1)], now.Ms);
                IdentitySql.QueueSession(tx, session, user.Id, now.Ms, expiresMs);
                IdentitySql.QueueToken(tx, KeyHash.Of(refresh), session, expiresMs);
                if (newHash is not null)
                {
                    IdentitySql.QueuePasswordHash(tx, user.Id, newHash);
                }

                return Answer(user, session, refresh, expiresMs);
            },
            cancel);
    }

    private async ValueTask<SessionAnswer> RefreshAsync(Tx tx, string token, string successor)
    {
        var hash = KeyHash.Of(token);
        if (await IdentitySql.FindSessionOfTokenAsync(tx, hash) is not { } id
            || await IdentitySql.LockSessionAsync(tx, id) is not { } session
            || await IdentitySql.FindTokenAsync(tx, hash) is not { } found)
        {
            return new(SessionOutcome.TokenUnknown);
        }

        if (session.HasEnded)
        {
            return new(SessionOutcome.SessionEnded);
        }

        // After the lock, so that it is not before the use by another that this one waited for.
        var now = UtcInstant.Now(time);
        if (found.ExpiresMs <= now.Ms)
        {
            return new(SessionOutcome.TokenExpired);
        }

        if (found.UsedMs is { } usedMs)
        {
            return await RepeatAsync(tx, session, token, found, now.Ms - usedMs);
        }

        // From here it must succeed.
        var user = await IdentitySql.GetUserAsync(tx, session.UserId);
        var expiresMs = now.Plus(settings.RefreshLife).Ms;
        IdentitySql.QueueUsed(tx, hash, now.Ms, Sealed(successor, token));
        IdentitySql.QueueDeleteExpiredTokens(tx, session.Id, now.Ms);
        IdentitySql.QueueToken(tx, KeyHash.Of(successor), session.Id, expiresMs);
        IdentitySql.QueueExtend(tx, session.Id, expiresMs);
        return Answer(user, session.Id, successor, expiresMs);
    }

    // A client whose answer was lost asks again at once, and its successor is unused. Whoever else asks with this token
    // gets the same successor, so the second of the two to use that is caught.
    private async ValueTask<SessionAnswer> RepeatAsync(
        Tx tx, SessionRow session, string token, RefreshTokenRow found, long sinceMs)
    {
        var successor = Opened(found.SealedSuccessor!, token);
        var next = await IdentitySql.FindTokenAsync(tx, KeyHash.Of(successor));
        if (next is { UsedMs: null } && sinceMs < settings.RefreshGrace.TotalMilliseconds)
        {
            var user = await IdentitySql.GetUserAsync(tx, session.UserId);
            return Answer(user, session.Id, successor, next.ExpiresMs);
        }

        End(tx, [session.Id], UtcInstant.Now(time).Ms);
        tx.OnCommitted(() => IdentityLog.RefreshTokenReused(logger, session.Id));
        return new(SessionOutcome.TokenReused);
    }

    private void End(Tx tx, IReadOnlyList<Guid> sessions, long nowMs)
    {
        IdentitySql.QueueEnd(tx, sessions, nowMs);
        tx.OnCommitted(() =>
        {
            foreach (var session in sessions)
            {
                cache.Remove(session);
            }

            news.TellIds(Topic, sessions);
        });
    }

    private SessionAnswer Answer(User user, Guid session, string refresh, long refreshExpiresMs) => new(
        SessionOutcome.Live, new(user, Tokens.Issue(user, session, ids.Next()), refresh, refreshExpiresMs));

    private static SessionAnswer Counted(SessionAnswer answer)
    {
        IdentityLog.Count(answer.Outcome);
        return answer;
    }

    // The successor is sealed with its predecessor, which is kept only as a hash: neither can be read from the database
    // alone. A pad of 256 random bits that is used once needs no cipher.
    private static string Sealed(string successor, string token) =>
        Base64Url.EncodeToString(Padded(Base64Url.DecodeFromChars(successor.AsSpan(Prefix.Length)), token));

    private static string Opened(string sealedSuccessor, string token) =>
        Prefix + Base64Url.EncodeToString(Padded(Base64Url.DecodeFromChars(sealedSuccessor), token));

    private static byte[] Padded(byte[] secret, string token)
    {
        var pad = HMACSHA256.HashData(Encoding.UTF8.GetBytes(token), "successor"u8);
        return [.. secret.Zip(pad, (left, right) => (byte)(left ^ right))];
    }
}
