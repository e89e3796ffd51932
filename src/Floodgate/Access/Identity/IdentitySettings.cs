using Floodgate.Vocabulary;

namespace Floodgate.Access.Identity;

/// <summary>Keys, lives and limits of log-ins.</summary>
public sealed record IdentitySettings
{
    private const int KeyBytesMin = 32; // RFC 7518 section 3.2: as long as the hash, or longer.

    /// <summary>The key that signs access tokens; null is one that is made once and kept in the database.</summary>
    public byte[]? SigningKey { get; init; }

    /// <summary>A key whose tokens are taken as well and that signs nothing.</summary>
    public byte[]? PreviousSigningKey { get; init; }

    /// <summary>The <c>iss</c> of tokens.</summary>
    public string Issuer { get; init; } = "floodgate";

    /// <summary>The <c>aud</c> of tokens.</summary>
    public string Audience { get; init; } = "floodgate";

    /// <summary>The life of an access token.</summary>
    public TimeSpan AccessLife { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>The life of a refresh token, and so of a session that is not used.</summary>
    public TimeSpan RefreshLife { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long a used refresh token is answered with the same successor, for a lost answer.</summary>
    public TimeSpan RefreshGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How far the clocks of two nodes may be apart.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a session that ended on another node may still work on this one.</summary>
    public TimeSpan SessionCached { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Live sessions, and good tokens, kept in memory; when full, all are looked up again.</summary>
    public int SessionsCachedMax { get; init; } = 100_000;

    /// <summary>Live sessions of a user; one more ends the oldest.</summary>
    public int SessionsPerUserMax { get; init; } = 10;

    /// <summary>Rounds of PBKDF2 with HMAC-SHA512 for a new password hash.</summary>
    public int PasswordRounds { get; init; } = 210_000;

    /// <summary>Password hashes computed at once; each keeps one core busy.</summary>
    public int PasswordHashesAtOnce { get; init; } = 1;

    /// <summary>Log-ins and sign-ups that compute or wait; one more is refused with 503.</summary>
    public int PasswordQueueMax { get; init; } = 50;

    /// <summary>Failed log-ins of one account before it has to wait.</summary>
    public int AccountFailuresMax { get; init; } = 10;

    /// <summary>Failed log-ins and sign-ups from one address before it has to wait.</summary>
    public int AddressFailuresMax { get; init; } = 100;

    /// <summary>The first wait; each further failure doubles it.</summary>
    public TimeSpan ThrottleFirst { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The longest wait; failures are forgotten when none came for as long.</summary>
    public TimeSpan ThrottleMax { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>Counters of failures, for accounts and for addresses each; who shares one waits together.</summary>
    public int ThrottleCounters { get; init; } = 65_536;

    /// <summary>Reads the settings of this module.</summary>
    public static IdentitySettings Read(SettingsSource source)
    {
        var normal = new IdentitySettings();
        var settings = new IdentitySettings
        {
            SigningKey = Key(source, "Identity:SigningKey",
                "Base64 of the 32 bytes or more that sign access tokens; empty is a key that is made once and kept " +
                "in the database."),
            PreviousSigningKey = Key(source, "Identity:PreviousSigningKey",
                "Base64 of a key whose access tokens are taken as well, while keys are changed."),
            Issuer = Name(source, "Identity:Issuer", normal.Issuer, "The iss of access tokens."),
            Audience = Name(source, "Identity:Audience", normal.Audience, "The aud of access tokens."),
            AccessLife = Seconds("AccessSeconds", normal.AccessLife, 10, 86_400, "The life of an access token."),
            RefreshLife = Seconds("RefreshSeconds", normal.RefreshLife, 60, 31_536_000,
                "The life of a refresh token, and so of a session that is not used."),
            RefreshGrace = Seconds("RefreshGraceSeconds", normal.RefreshGrace, 0, 60,
                "How long a used refresh token is answered with the same successor; 0 ends the session at once."),
            ClockSkew = Seconds("ClockSkewSeconds", normal.ClockSkew, 0, 300,
                "How far the clocks of two nodes may be apart."),
            SessionCached = Seconds("SessionCachedSeconds", normal.SessionCached, 0, 3_600,
                "How long a session that ended on another node may still work on this one; 0 asks the database " +
                "each time."),
            SessionsCachedMax = source.Int("Identity:SessionsCachedMax", normal.SessionsCachedMax, 1, 10_000_000,
                "sessions", "Live sessions, and as many access tokens, kept in memory."),
            SessionsPerUserMax = source.Int("Identity:SessionsPerUserMax", normal.SessionsPerUserMax, 1, 1_000,
                "sessions", "Live sessions of a user; one more ends the oldest."),
            PasswordRounds = source.Int("Identity:PasswordRounds", normal.PasswordRounds, 10_000, 10_000_000, "rounds",
                "PBKDF2 with HMAC-SHA512; a hash with fewer is made again at the next log-in."),
            PasswordHashesAtOnce = source.Int("Identity:PasswordHashesAtOnce", normal.PasswordHashesAtOnce, 1, 64,
                "hashes", "Password hashes computed at once; each keeps one core busy."),
            PasswordQueueMax = source.Int("Identity:PasswordQueueMax", normal.PasswordQueueMax, 1, 10_000, "requests",
                "Log-ins and sign-ups that compute or wait; one more is refused with 503."),
            AccountFailuresMax = source.Int("Identity:AccountFailuresMax", normal.AccountFailuresMax, 1, 1_000,
                "failures", "Failed log-ins of one account before it has to wait."),
            AddressFailuresMax = source.Int("Identity:AddressFailuresMax", normal.AddressFailuresMax, 1, 1_000_000,
                "failures", "Failed log-ins and sign-ups from one address before it has to wait."),
            ThrottleFirst = Seconds("ThrottleSecondsFirst", normal.ThrottleFirst, 1, 3_600,
                "The first wait after too many failed log-ins; each further failure doubles it."),
            ThrottleMax = Seconds("ThrottleSecondsMax", normal.ThrottleMax, 1, 86_400,
                "The longest wait; failures are forgotten when none came for as long."),
            ThrottleCounters = source.Int("Identity:ThrottleCounters", normal.ThrottleCounters, 1, 10_000_000,
                "counters", "Counters of failures, for accounts and for addresses each."),
        };
        if (settings.ThrottleMax < settings.ThrottleFirst)
        {
            source.Refuse("Identity:ThrottleSecondsMax", "which is less than Identity:ThrottleSecondsFirst. " +
                "Set it to at least as much.");
        }

        return settings;

        TimeSpan Seconds(string name, TimeSpan fallback, long min, long max, string meaning) => TimeSpan.FromSeconds(
            source.Long($"Identity:{name}", (long)fallback.TotalSeconds, min, max, "s", meaning));
    }

    private static string Name(SettingsSource source, string name, string fallback, string meaning)
    {
        var text = source.Text(name, fallback, meaning);
        if (string.IsNullOrWhiteSpace(text))
        {
            source.Refuse(name, $"which names nothing. Write a name, or leave it out for {fallback}.");
        }

        return text;
    }

    private static byte[]? Key(SettingsSource source, string name, string meaning)
    {
        var text = source.Text(name, "", meaning, secret: true);
        if (text.Length == 0)
        {
            return null;
        }

        var bytes = new byte[text.Length];
        if (Convert.TryFromBase64String(text, bytes, out var length) && length >= KeyBytesMin)
        {
            return bytes[..length];
        }

        source.Refuse(name, $"which is not base64 of {KeyBytesMin} bytes or more. Make one with: " +
            "openssl rand -base64 32");
        return null;
    }
}
