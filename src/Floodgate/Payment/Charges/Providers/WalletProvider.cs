namespace Floodgate.Payment.Charges.Providers;

/// <summary>
/// Payment from the customer's balance in our own ledger. There is nobody outside to ask, so the call is approved at
/// once; whether the balance suffices is decided by the ledger in the transaction that writes the outcome, because only
/// there can two payments not spend the same money. A payment that this provider approved can therefore still fail
/// for lack of funds, and nothing moved then. Its calls have no time-out and no fault; it needs no circuit breaker.
/// </summary>
internal sealed class WalletProvider : IPaymentProvider
{
    /// <summary>The name that payments choose it by.</summary>
    public const string WalletName = "WALLET";

    private static readonly Task<ProviderAnswer> Approved =
        Task.FromResult(new ProviderAnswer(ProviderVerdict.Approved));

    // A wallet call never leaves the transaction it is decided in, so none can be pending anywhere else.
    private static readonly Task<ProviderAnswer> NeverSeen =
        Task.FromResult(new ProviderAnswer(ProviderVerdict.NotReached, ProviderAnswer.NeverSeen));

    /// <inheritdoc/>
    public string Name => WalletName;

    /// <summary>Approved, always; the ledger decides in the outcome's transaction.</summary>
    public Task<ProviderAnswer> ExecuteAsync(ProviderCall call, CancellationToken cancel) => Approved;

    /// <summary>NotReached <c>never_seen</c>, always: execute again, which repeats nothing.</summary>
    public Task<ProviderAnswer> FindAsync(Guid callId, CancellationToken cancel) => NeverSeen;
}
