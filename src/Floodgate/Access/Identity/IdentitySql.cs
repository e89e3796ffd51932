using Floodgate.Storage.Database;

namespace Floodgate.Access.Identity;

/// <summary>
/// Every statement of this module. Passwords are stored as hashes with salt, refresh tokens as SHA-256 only. Locks are
/// taken in the order user, session.
/// </summary>
internal static class IdentitySql
{
    public static readonly IReadOnlyList<Migration> Migrations =
    [
        new("identity-001", """
            create table app_user (
                id {id} primary key,
                email text not null unique,
                password_hash text not null,
                role text not null check (role in ('buyer', 'merchant', 'admin')),
                merchant_id text references merchant (id),
                created_ms bigint not null,
                check ((role = 'merchant') = (merchant_id is not null))
            );
            create table user_session (
                id {id} primary key,
                user_id {id} not null references app_user (id),
                created_ms bigint not null,
                expires_ms bigint not null,
                ended_ms bigint
            );
            create index user_session_user on user_session (user_id);
            create table refresh_token (
                hash {bytes} primary key,
                session_id {id} not null references user_session (id),
                expires_ms bigint not null,
                used_ms bigint,
                sealed_successor text,
                check ((used_ms is null) = (sealed_successor is null))
            );
            create index refresh_token_session on refresh_token (session_id);
            create table signing_key (
                id bigint primary key check (id = 1),
                secret {bytes} not null
            );
            """),
        new("identity-002", "create index user_session_expires on user_session (expires_ms)"),
    ];

    private static readonly Statement InsertSigningKey = new(
        """
        insert into signing_key (id, secret)
        select rows.id, rows.secret from {rows} where true
        on conflict (id) do nothing
        """,
        Column.Long("id"), Column.Bytes("secret"));

    private static readonly Statement SelectSigningKey = new("select secret from signing_key where id = 1");

    private static readonly Statement SelectMerchant = new(
        "select m.id from {rows} join merchant m on m.id = rows.id", Column.Text("id"));

    private static readonly Statement InsertUser = new(
        """
        insert into app_user (id, email, password_hash, role, merchant_id, created_ms)
        select rows.id, rows.email, rows.password_hash, rows.role, rows.merchant_id, rows.created_ms
        from {rows} where true
        on conflict (email) do nothing
        returning 1
        """,
        Column.Id("id"), Column.Text("email"), Column.Text("password_hash"), Column.Text("role"),
        Column.Text("merchant_id"), Column.Long("created_ms"));

    private static readonly Statement SelectUserByEmail = new(
        """
        select u.id, u.email, u.role, u.merchant_id, u.password_hash
        from {rows} join app_user u on u.email = rows.email
        """,
        Column.Text("email"));

    private static readonly Statement SelectUser = new(
        "select u.id, u.email, u.role, u.merchant_id from {rows} join app_user u on u.id = rows.id",
        Column.Id("id"));

    private static readonly Statement LockUser = new(
        "select u.id from {rows} join app_user u on u.id = rows.id order by u.id {for update}", Column.Id("id"));

    private static readonly Statement UpdatePasswordHash = new(
        "update app_user set password_hash = rows.password_hash from {rows} where app_user.id = rows.id",
        Column.Id("id"), Column.Text("password_hash"));

    private static readonly Statement SelectUsersOfExpired = new(
        """
        select distinct e.user_id from (
            select s.user_id from user_session s where s.expires_ms <= (select rows.before_ms from {rows})
            order by s.expires_ms limit (select rows.page from {rows})) e
        """,
        Column.Long("before_ms"), Column.Long("page"));

    private static readonly Statement DeleteRefreshTokensOfExpired = new(
        """
        delete from refresh_token where session_id in (
            select s.id from {rows} join user_session s on s.user_id = rows.user_id and s.expires_ms <= rows.now_ms)
        """,
        Column.Id("user_id"), Column.Long("now_ms"));

    private static readonly Statement DeleteExpiredSessions = new(
        """
        delete from user_session where id in (
            select s.id from {rows} join user_session s on s.user_id = rows.user_id and s.expires_ms <= rows.now_ms)
        """,
        Column.Id("user_id"), Column.Long("now_ms"));

    private static readonly Statement SelectSessionsOfUser = new(
        """
        select s.id from {rows} join user_session s on s.user_id = rows.user_id
        where s.ended_ms is null order by s.created_ms, s.id
        """,
        Column.Id("user_id"));

    private static readonly Statement InsertSession = new(
        """
        insert into user_session (id, user_id, created_ms, expires_ms)
        select rows.id, rows.user_id, rows.created_ms, rows.expires_ms from {rows}
        """,
        Column.Id("id"), Column.Id("user_id"), Column.Long("created_ms"), Column.Long("expires_ms"));

    private static readonly Statement SelectLiveSession = new(
        """
        select 1 from {rows} join user_session s on s.id = rows.id
        where s.ended_ms is null and s.expires_ms > rows.now_ms
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement ExtendSession = new(
        "update user_session set expires_ms = rows.expires_ms from {rows} where user_session.id = rows.id",
        Column.Id("id"), Column.Long("expires_ms"));

    private static readonly Statement UpdateSessionEnded = new(
        """
        update user_session set ended_ms = rows.now_ms from {rows}
        where user_session.id = rows.id and user_session.ended_ms is null
        """,
        Column.Id("id"), Column.Long("now_ms"));

    private static readonly Statement SelectSessionOfToken = new(
        "select t.session_id from {rows} join refresh_token t on t.hash = rows.hash", Column.Bytes("hash"));

    private static readonly Statement LockSession = new(
        """
        select s.id, s.user_id, s.ended_ms from {rows} join user_session s on s.id = rows.id {for update}
        """,
        Column.Id("id"));

    private static readonly Statement SelectRefreshToken = new(
        """
        select t.expires_ms, t.used_ms, t.sealed_successor
        from {rows} join refresh_token t on t.hash = rows.hash
        """,
        Column.Bytes("hash"));

    private static readonly Statement InsertRefreshToken = new(
        """
        insert into refresh_token (hash, session_id, expires_ms)
        select rows.hash, rows.session_id, rows.expires_ms from {rows}
        """,
        Column.Bytes("hash"), Column.Id("session_id"), Column.Long("expires_ms"));

    private static readonly Statement UpdateTokenUsed = new(
        """
        update refresh_token set used_ms = rows.used_ms, sealed_successor = rows.sealed_successor from {rows}
        where refresh_token.hash = rows.hash and refresh_token.used_ms is null
        """,
        Column.Bytes("hash"), Column.Long("used_ms"), Column.Text("sealed_successor"));

    private static readonly Statement DeleteExpiredTokens = new(
        """
        delete from refresh_token where hash in (
            select t.hash from {rows}
            join refresh_token t on t.session_id = rows.session_id and t.expires_ms <= rows.now_ms)
        """,
        Column.Id("session_id"), Column.Long("now_ms"));

    /// <summary>The key that all nodes share: the given one if none is kept yet.</summary>
    public static async ValueTask<byte[]> KeepSigningKeyAsync(Tx tx, byte[] fresh)
    {
        tx.Queue(InsertSigningKey, Rows.One(fresh).Long(_ => 1).Bytes(key => key));
        return (await tx.QueryAsync(SelectSigningKey, Rows.None, row => row.Bytes(0))).Single();
    }

    public static async ValueTask<bool> HasMerchantAsync(Tx tx, string id) =>
        (await tx.QueryAsync(SelectMerchant, Rows.One(id).Text(m => m), row => row.Text(0))).Count == 1;

    /// <summary>False when the e-mail is taken.</summary>
    public static async ValueTask<bool> TryInsertUserAsync(Tx tx, User user, string passwordHash, long createdMs)
    {
        var rows = Rows.One(user)
            .Id(u => u.Id).Text(u => u.Email).Text(_ => passwordHash).Text(u => User.NameOf(u.Role))
            .Text(u => u.MerchantId).Long(_ => createdMs);
        return (await tx.QueryAsync(InsertUser, rows, _ => 0)).Count == 1;
    }

    public static async ValueTask<(User User, string PasswordHash)?> FindUserAsync(Tx tx, string email)
    {
        var found = await tx.QueryAsync(
            SelectUserByEmail, Rows.One(email).Text(e => e), row => (UserOf(row), row.Text(4)));
        return found.Count == 0 ? null : found[0];
    }

    public static async ValueTask<User> GetUserAsync(Tx tx, Guid id) =>
        (await tx.QueryAsync(SelectUser, Rows.One(id).Id(u => u), UserOf)).Single();

    public static async ValueTask LockUsersAsync(Tx tx, IReadOnlyList<Guid> ids) =>
        await tx.QueryAsync(LockUser, Rows.Over(ids).Id(u => u), row => row.Id(0));

    /// <summary>Whose sessions, at most so many of them, expired first.</summary>
    public static ValueTask<List<Guid>> UsersOfExpiredAsync(Tx tx, long beforeMs, int page) =>
        tx.QueryAsync(SelectUsersOfExpired, Rows.One(beforeMs).Long(b => b).Long(_ => page), row => row.Id(0));

    public static void QueuePasswordHash(Tx tx, Guid user, string hash) =>
        tx.Queue(UpdatePasswordHash, Rows.One(user).Id(u => u).Text(_ => hash), 1, "a user keeps one password");

    /// <summary>Deletes the expired sessions of users who are locked.</summary>
    public static void QueueDeleteExpired(Tx tx, IReadOnlyList<Guid> users, long nowMs)
    {
        var rows = Rows.Over(users).Id(u => u).Long(_ => nowMs);
        tx.Queue(DeleteRefreshTokensOfExpired, rows);
        tx.Queue(DeleteExpiredSessions, rows);
    }

    /// <summary>The sessions of a user that have not ended, oldest first.</summary>
    public static async ValueTask<List<Guid>> SessionsOfAsync(Tx tx, Guid user) =>
        await tx.QueryAsync(SelectSessionsOfUser, Rows.One(user).Id(u => u), row => row.Id(0));

    public static void QueueSession(Tx tx, Guid session, Guid user, long createdMs, long expiresMs) => tx.Queue(
        InsertSession, Rows.One(session).Id(s => s).Id(_ => user).Long(_ => createdMs).Long(_ => expiresMs));

    public static async ValueTask<bool> IsLiveAsync(Tx tx, Guid session, long nowMs)
    {
        var rows = Rows.One(session).Id(s => s).Long(_ => nowMs);
        return (await tx.QueryAsync(SelectLiveSession, rows, _ => 0)).Count == 1;
    }

    public static void QueueExtend(Tx tx, Guid session, long expiresMs) => tx.Queue(
        ExtendSession, Rows.One(session).Id(s => s).Long(_ => expiresMs), 1, "a session that is refreshed exists");

    public static void QueueEnd(Tx tx, IReadOnlyList<Guid> sessions, long nowMs) =>
        tx.Queue(UpdateSessionEnded, Rows.Over(sessions).Id(s => s).Long(_ => nowMs));

    public static async ValueTask<Guid?> FindSessionOfTokenAsync(Tx tx, KeyHash token)
    {
        var found = await tx.QueryAsync(SelectSessionOfToken, One(token), row => row.Id(0));
        return found.Count == 0 ? null : found[0];
    }

    /// <summary>Locks the session until the commit; null when it was deleted.</summary>
    public static async ValueTask<SessionRow?> LockSessionAsync(Tx tx, Guid session)
    {
        var found = await tx.QueryAsync(
            LockSession,
            Rows.One(session).Id(s => s),
            row => new SessionRow(row.Id(0), row.Id(1), row.LongOrNull(2) is not null));
        return found.SingleOrDefault();
    }

    public static async ValueTask<RefreshTokenRow?> FindTokenAsync(Tx tx, KeyHash token)
    {
        var found = await tx.QueryAsync(
            SelectRefreshToken,
            One(token),
            row => new RefreshTokenRow(row.Long(0), row.LongOrNull(1), row.TextOrNull(2)));
        return found.SingleOrDefault();
    }

    public static void QueueToken(Tx tx, KeyHash token, Guid session, long expiresMs) => tx.Queue(
        InsertRefreshToken, Rows.One(token).Bytes(t => t.ToBytes()).Id(_ => session).Long(_ => expiresMs));

    public static void QueueUsed(Tx tx, KeyHash token, long usedMs, string sealedSuccessor) => tx.Queue(
        UpdateTokenUsed,
        Rows.One(token).Bytes(t => t.ToBytes()).Long(_ => usedMs).Text(_ => sealedSuccessor),
        1,
        "a refresh token has one successor");

    public static void QueueDeleteExpiredTokens(Tx tx, Guid session, long nowMs) =>
        tx.Queue(DeleteExpiredTokens, Rows.One(session).Id(s => s).Long(_ => nowMs));

    private static RowsOf<KeyHash> One(KeyHash token) => Rows.One(token).Bytes(t => t.ToBytes());

    private static User UserOf(Row row) =>
        new(row.Id(0), row.Text(1), User.RoleOf(row.Text(2))!.Value, row.TextOrNull(3));
}

/// <summary>A row of <c>user_session</c>.</summary>
internal sealed record SessionRow(Guid Id, Guid UserId, bool HasEnded);

/// <summary>A row of <c>refresh_token</c>.</summary>
internal sealed record RefreshTokenRow(long ExpiresMs, long? UsedMs, string? SealedSuccessor);
