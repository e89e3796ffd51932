using System.Diagnostics.Metrics;

namespace Floodgate.Access.Identity;

/// <summary>What log-ins count and log. No e-mails, passwords, tokens or addresses.</summary>
internal static partial class IdentityLog
{
    private static readonly Meter Meter = new("Floodgate");

    private static readonly Counter<long> Answers = Meter.CreateCounter<long>(
        "floodgate_session_answers_total", null, "Log-ins and refreshes by outcome.");

    public static void Count(SessionOutcome outcome) =>
        Answers.Add(1, new KeyValuePair<string, object?>("outcome", outcome.ToString()));

    [LoggerMessage(110, LogLevel.Warning, "Session {Session} ended: a refresh token of it was used twice",
        EventName = "refresh_token_reused")]
    public static partial void RefreshTokenReused(ILogger logger, Guid session);
}
