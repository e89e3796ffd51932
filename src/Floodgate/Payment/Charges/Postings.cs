using Floodgate.Payment.Ledger;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>
/// Which money moves with which answer. Pure. After is the payment as it is then; amounts of zero move nothing.
/// </summary>
internal static class Postings
{
    /// <summary>The customer accounts that an answer may move: locked before anything is decided on them.</summary>
    public static IEnumerable<AccountName> CustomerAccounts(PaymentRequest request)
    {
        if (request.UserId is { } user && (request.Method == PaymentMethod.Wallet || IsTopUp(request)))
        {
            yield return AccountName.Wallet(request.MerchantId, user, request.Amount.Currency);
            if (!request.Capture)
            {
                yield return AccountName.Held(request.MerchantId, user, request.Amount.Currency);
            }
        }
    }

    /// <summary>A charge that was approved: authorized, or authorized and captured.</summary>
    public static IEnumerable<Posting> OfCharge(Payment after)
    {
        var accounts = new Accounts(after.Request);
        var lines = new Lines(after, after.Id);
        if (!after.Request.Capture)
        {
            // A gateway's authorization moves no money; a wallet's sets it aside.
            return after.Request.Method == PaymentMethod.Wallet
                ? lines.Move(after.Authorized, accounts.Wallet, accounts.Held)
                : lines;
        }

        if (IsTopUp(after.Request))
        {
            return lines.Move(after.Captured, accounts.Clearing, accounts.Wallet);
        }

        foreach (var (merchant, amount) in Shares(after))
        {
            lines.Move(amount, accounts.Source, accounts.PayableOf(merchant));
        }

        return lines;
    }

    /// <summary>An operation that succeeded.</summary>
    public static IEnumerable<Posting> OfOperation(Payment after, Operation operation)
    {
        var accounts = new Accounts(after.Request);
        var lines = new Lines(after, operation.Id);
        var isWallet = after.Request.Method == PaymentMethod.Wallet;
        switch (operation.Request.Kind)
        {
            case OperationKind.Capture:
                lines.Move(after.Captured, isWallet ? accounts.Held : accounts.Clearing, accounts.Payable);
                return isWallet
                    ? lines.Move(after.Authorized - after.Captured, accounts.Held, accounts.Wallet)
                    : lines;
            case OperationKind.Void:
                return isWallet ? lines.Move(after.Authorized, accounts.Held, accounts.Wallet) : lines;
            default:
                var merchant = operation.Request.PartMerchantId ?? after.Request.MerchantId;
                return lines.Move(operation.Amount, accounts.RefundsOf(merchant), accounts.Source);
        }
    }

    // Who earns how much of it. What the platform keeps of that is for the settlement to say (record 0024).
    private static IEnumerable<(string MerchantId, long Amount)> Shares(Payment after) =>
        after.Parts is { } parts
            ? parts.Select(p => (p.MerchantId, p.Amount))
            : [(after.Request.MerchantId, after.Captured)];

    private static bool IsTopUp(PaymentRequest request) => request.Purpose == PaymentPurpose.TopUp;

    private readonly struct Accounts(PaymentRequest request)
    {
        public AccountName Wallet => AccountName.Wallet(request.MerchantId, request.UserId!, request.Amount.Currency);

        public AccountName Held => AccountName.Held(request.MerchantId, request.UserId!, request.Amount.Currency);

        public AccountName Clearing =>
            AccountName.Clearing(Words.Of(PaymentMethod.Gateway), request.Amount.Currency);

        public AccountName Payable => PayableOf(request.MerchantId);

        /// <summary>Where the customer's money comes from and goes back to.</summary>
        public AccountName Source => request.Method == PaymentMethod.Wallet ? Wallet : Clearing;

        public AccountName PayableOf(string merchant) => AccountName.Payable(merchant, request.Amount.Currency);

        public AccountName RefundsOf(string merchant) => AccountName.Refunds(merchant, request.Amount.Currency);
    }

    private sealed class Lines(Payment payment, Guid eventId) : List<Posting>
    {
        public Lines Move(long amount, AccountName debit, AccountName credit)
        {
            if (amount > 0)
            {
                var money = payment.Request.Amount with { AmountMinor = amount };
                Add(new Posting(payment.Id, eventId, Count, debit, credit, money));
            }

            return this;
        }
    }
}
