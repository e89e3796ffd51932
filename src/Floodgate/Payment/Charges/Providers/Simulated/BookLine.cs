using System.Runtime.InteropServices;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>Why a provider declined; the byte goes into journals, so numbers are never reused.</summary>
internal enum DeclineReason : byte
{
    /// <summary>Not declined.</summary>
    None = 0,

    /// <summary>The issuer said no: chance, by the simulated decline ratio.</summary>
    CardDeclined = 1,

    /// <summary>The amount is not from 1 (a void: 0) to 2^53 - 1.</summary>
    InvalidAmount = 2,

    /// <summary>Nothing of this payment was ever authorized.</summary>
    NotAuthorized = 3,

    /// <summary>The payment is in another currency.</summary>
    CurrencyMismatch = 4,

    /// <summary>A second capture, or a void after a capture.</summary>
    AlreadyCaptured = 5,

    /// <summary>The authorization was given up.</summary>
    AlreadyVoided = 6,

    /// <summary>More than was authorized.</summary>
    AboveAuthorized = 7,

    /// <summary>A refund of a payment that was not captured.</summary>
    NotCaptured = 8,

    /// <summary>More than is left of what was captured.</summary>
    AboveCaptured = 9,
}

/// <summary>One line of a provider's statement: a call that it carried out or declined, exactly once.</summary>
internal readonly record struct ProviderLine(ProviderCall Call, DeclineReason Declined, UtcInstant At)
{
    /// <summary>The answer that this call always gets.</summary>
    public ProviderAnswer Answer => Declined == DeclineReason.None
        ? new ProviderAnswer(ProviderVerdict.Approved)
        : new ProviderAnswer(ProviderVerdict.Declined, CodeOf(Declined));

    /// <summary>The stable code of a reason, as answers and JSON carry it.</summary>
    public static string CodeOf(DeclineReason reason) => reason switch
    {
        DeclineReason.CardDeclined => "card_declined",
        DeclineReason.InvalidAmount => "invalid_amount",
        DeclineReason.NotAuthorized => "not_authorized",
        DeclineReason.CurrencyMismatch => "currency_mismatch",
        DeclineReason.AlreadyCaptured => "already_captured",
        DeclineReason.AlreadyVoided => "already_voided",
        DeclineReason.AboveAuthorized => "above_authorized",
        DeclineReason.NotCaptured => "not_captured",
        DeclineReason.AboveCaptured => "above_captured",
        _ => "none",
    };
}

/// <summary>
/// A line as memory and the journal hold it: 52 bytes, no references, so that a million of them are nothing to the
/// garbage collector and a journal is read back as it was written (little-endian machines).
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly struct BookLine
{
    public const int Bytes = 52;

    private readonly Guid id;
    private readonly Guid paymentId;
    private readonly long amountMinor;
    private readonly long atMs;
    private readonly ushort currency;
    private readonly byte action;
    private readonly byte declined;

    public BookLine(ProviderCall call, DeclineReason declined, UtcInstant at)
    {
        (id, paymentId, amountMinor, atMs) = (call.Id, call.PaymentId, call.Amount.AmountMinor, at.Ms);
        currency = Pack(call.Amount.Currency);
        action = (byte)call.Action;
        this.declined = (byte)declined;
    }

    public Guid Id => id;

    public Guid PaymentId => paymentId;

    public long AmountMinor => amountMinor;

    public ProviderAction Action => (ProviderAction)action;

    public DeclineReason Declined => (DeclineReason)declined;

    /// <summary>Whether bytes of a journal can be a line; false for foreign or overwritten bytes.</summary>
    public bool IsPlausible => Action <= ProviderAction.Refund && Declined <= DeclineReason.AboveCaptured
        && currency <= Packed('Z', 'Z', 'Z');

    public bool InCurrencyOf(Money amount) => currency == Pack(amount.Currency);

    public bool IsOf(ProviderCall call) => id == call.Id && paymentId == call.PaymentId && Action == call.Action
        && amountMinor == call.Amount.AmountMinor && InCurrencyOf(call.Amount);

    public ProviderLine Unpack() => new(
        new ProviderCall(id, paymentId, Action, new Money(amountMinor, Unpack(currency))),
        Declined,
        new UtcInstant(atMs));

    // Three letters of five bits.
    private static ushort Pack(Currency currency)
    {
        var code = currency.Code;
        return Packed(code[0], code[1], code[2]);
    }

    private static ushort Packed(char a, char b, char c) =>
        (ushort)(((a - 'A') << 10) | ((b - 'A') << 5) | (c - 'A'));

    private static Currency Unpack(ushort packed) => Currency.FromStored(
        string.Create(3, packed, static (code, bits) =>
        {
            code[0] = (char)('A' + (bits >> 10));
            code[1] = (char)('A' + ((bits >> 5) & 31));
            code[2] = (char)('A' + (bits & 31));
        }));
}
