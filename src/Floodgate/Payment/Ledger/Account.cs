using Floodgate.Vocabulary;

namespace Floodgate.Payment.Ledger;

/// <summary>What an account is for. Accounts are locked in the alphabetical order of these names, then by id.</summary>
public enum AccountKind
{
    /// <summary>Money of a customer that an authorization holds. Credit balance.</summary>
    CustomerHeld,

    /// <summary>Money a customer has to spend. Credit balance, never negative.</summary>
    CustomerWallet,

    /// <summary>
    /// What a merchant has earned by captures and no settlement has taken up. Credit balance; a debit balance is what
    /// a merchant owes and later days pay off.
    /// </summary>
    MerchantPayable,

    /// <summary>What settlements have found is to be paid to a merchant, all dates together. Credit balance.</summary>
    MerchantPayout,

    /// <summary>
    /// What was given back to a merchant's customers and no settlement has taken off yet. Debit balance.
    /// </summary>
    MerchantRefunds,

    /// <summary>What the platform keeps of what merchants earned. Credit balance.</summary>
    PlatformCommission,

    /// <summary>What a provider has collected and owes the platform. Debit balance.</summary>
    ProviderClearing,
}

/// <summary>Names an account: kind, owner and currency. It exists from its first posting on.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="Owner">
/// The merchant's id, <c>merchantId/userId</c> for a customer (each merchant has its own customers), the provider's
/// name, or <c>platform</c>.</param>
/// <param name="Currency">Its one currency.</param>
public readonly record struct AccountName(AccountKind Kind, string Owner, Currency Currency)
{
    /// <summary>The spendable money of a merchant's customer.</summary>
    public static AccountName Wallet(string merchantId, string userId, Currency currency) =>
        new(AccountKind.CustomerWallet, $"{merchantId}/{userId}", currency);

    /// <summary>The money of a merchant's customer that authorizations hold.</summary>
    public static AccountName Held(string merchantId, string userId, Currency currency) =>
        new(AccountKind.CustomerHeld, $"{merchantId}/{userId}", currency);

    /// <summary>What a merchant has earned and no settlement has taken up.</summary>
    public static AccountName Payable(string merchantId, Currency currency) =>
        new(AccountKind.MerchantPayable, merchantId, currency);

    /// <summary>What is to be paid to a merchant.</summary>
    public static AccountName Payout(string merchantId, Currency currency) =>
        new(AccountKind.MerchantPayout, merchantId, currency);

    /// <summary>What a merchant has given back.</summary>
    public static AccountName Refunds(string merchantId, Currency currency) =>
        new(AccountKind.MerchantRefunds, merchantId, currency);

    /// <summary>The platform's earnings.</summary>
    public static AccountName Commission(Currency currency) =>
        new(AccountKind.PlatformCommission, "platform", currency);

    /// <summary>What a provider has collected.</summary>
    public static AccountName Clearing(string provider, Currency currency) =>
        new(AccountKind.ProviderClearing, provider, currency);
}

/// <summary>An account with its totals in minor units.</summary>
public sealed record Account(long Id, AccountName Name, long DebitTotal, long CreditTotal)
{
    /// <summary>Credits minus debits, in minor units.</summary>
    public long Balance => checked(CreditTotal - DebitTotal);

    /// <summary>The merchant that may look at this account; null for the platform's and the providers'.</summary>
    public string? MerchantId => Name.Kind switch
    {
        AccountKind.CustomerHeld or AccountKind.CustomerWallet => Name.Owner[..Name.Owner.IndexOf('/')],
        AccountKind.MerchantPayable or AccountKind.MerchantPayout or AccountKind.MerchantRefunds => Name.Owner,
        _ => null,
    };
}

/// <summary>One movement of money: the same amount, debited here and credited there. Two legs, always.</summary>
/// <param name="PaymentId">The payment it belongs to; of a settlement, the payout.</param>
/// <param name="EventId">What caused it (a charge, capture, refund or payout); unique together with its line.</param>
/// <param name="Line">Its number within the event, from 0.</param>
/// <param name="Debit">The account debited.</param>
/// <param name="Credit">The account credited; another one.</param>
/// <param name="Amount">More than zero.</param>
public readonly record struct Posting(
    Guid PaymentId, Guid EventId, int Line, AccountName Debit, AccountName Credit, Money Amount);

/// <summary>One leg of a posting as it stands in the journal.</summary>
/// <param name="PaymentId">The payment it belongs to.</param>
/// <param name="EventId">What caused it.</param>
/// <param name="Line">Even: the debit leg, odd: the credit leg of the posting before it.</param>
/// <param name="AccountId">The account.</param>
/// <param name="Amount">In minor units.</param>
/// <param name="AtMs">When it was posted.</param>
public sealed record JournalEntry(Guid PaymentId, Guid EventId, int Line, long AccountId, long Amount, long AtMs)
{
    /// <summary>Which side of the account it moves.</summary>
    public bool IsDebit => Line % 2 == 0;
}
