using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>What a provider is asked to do with money.</summary>
internal enum ProviderAction
{
    /// <summary>Reserve the amount.</summary>
    Authorize,

    /// <summary>Reserve and take the amount in one call.</summary>
    Charge,

    /// <summary>Take the amount that an authorization reserved, or a part of it.</summary>
    Capture,

    /// <summary>Give up an authorization.</summary>
    Void,

    /// <summary>Give back the amount, all or a part of what was taken.</summary>
    Refund,
}

/// <summary>How sure an answer is, and which way it went.</summary>
internal enum ProviderVerdict
{
    /// <summary>Done; the provider's record shows it.</summary>
    Approved,

    /// <summary>Refused for a business reason; the provider's record shows it, and the id stays refused.</summary>
    Declined,

    /// <summary>The call certainly had no effect (not connected, refused at the door): safe to ask again.</summary>
    NotReached,

    /// <summary>The call may or may not have had its effect (time-out, broken answer): only asking tells.</summary>
    Unknown,
}

/// <summary>One call: idempotent at the provider by <paramref name="Id"/>, which is never reused.</summary>
internal sealed record ProviderCall(Guid Id, Guid PaymentId, ProviderAction Action, Money Amount);

/// <summary>The answer to a call or to a question about one. <paramref name="Reason"/> is a stable code.</summary>
internal readonly record struct ProviderAnswer(ProviderVerdict Verdict, string? Reason = null)
{
    /// <summary>The reason of an answer about an id that the provider does not know.</summary>
    public const string NeverSeen = "never_seen";

    /// <summary>The reason of an answer to a call whose id already belongs to a call with other content.</summary>
    public const string IdReused = "id_reused";
}

/// <summary>
/// The seam to whoever moves the money: simulated in this process, the wallet, or a provider over HTTP.
/// Implementations never throw for what a provider or network does; they answer with a verdict. When the caller's
/// token is cancelled they throw OperationCanceledException, and what became of the call is unknown.
/// </summary>
internal interface IPaymentProvider
{
    /// <summary>The name that payments store and requests choose.</summary>
    string Name { get; }

    /// <summary>
    /// Carries out the call once, however often it is sent with the same id: the answer to a repetition is the first
    /// answer. Same id with other content is <see cref="ProviderVerdict.Unknown"/> with reason <c>id_reused</c>.
    /// </summary>
    Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel);

    /// <summary>
    /// What became of the call with this id. <see cref="ProviderVerdict.NotReached"/> with reason
    /// <c>never_seen</c> means that the provider has no such call at this moment. A request that is still on its way
    /// can yet arrive, so the safe next step is to execute the same call again, never to count it as failed.
    /// <see cref="ProviderVerdict.Unknown"/> means that the provider could not be asked.
    /// </summary>
    Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel);
}
