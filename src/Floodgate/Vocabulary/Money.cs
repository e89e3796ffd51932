using System.Collections.Frozen;

namespace Floodgate.Vocabulary;

/// <summary>An amount in minor units of one currency. Arithmetic is checked; currencies never mix.</summary>
public readonly record struct Money(long AmountMinor, Currency Currency)
{
    /// <summary>
    /// The largest amount a JSON number carries exactly in every client (2^53 - 1; RFC 8259 section 6).
    /// </summary>
    public const long AmountMinorMax = (1L << 53) - 1;

    /// <summary>
    /// The most that one payment, and so one price, can be: an account takes millions of the largest before its totals
    /// are full, and every total that people meet is a number that JSON carries exactly.
    /// </summary>
    public const long PaymentMinorMax = 1_000_000_000_000;

    /// <summary>Adds; both must be of one currency.</summary>
    public static Money operator +(Money left, Money right) => new(
        checked(left.AmountMinor + right.AmountMinor), Same(left, right));

    /// <summary>Subtracts; both must be of one currency. The result may be negative: balances can be.</summary>
    public static Money operator -(Money left, Money right) => new(
        checked(left.AmountMinor - right.AmountMinor), Same(left, right));

    /// <summary>The amount and its code, for messages: <c>15000 KRW</c>, in minor units.</summary>
    public override string ToString() => $"{AmountMinor} {Currency.Code}";

    private static Currency Same(Money left, Money right)
    {
        Invariant.Check(left.Currency == right.Currency, "amounts of different currencies are never added");
        return left.Currency;
    }
}

/// <summary>A currency of ISO 4217 by its three-letter code.</summary>
public readonly record struct Currency
{
    private static readonly FrozenSet<string> Known = (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF " +
        "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD " +
        "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD " +
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN " +
        "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY " +
        "TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG")
        .Split(' ').ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> KnownSpan =
        Known.GetAlternateLookup<ReadOnlySpan<char>>();

    private Currency(string code) => Code = code;

    /// <summary>The ISO 4217 code, upper case.</summary>
    public string Code { get; }

    /// <summary>The currency of this code; false when ISO 4217 has none (codes are upper case).</summary>
    public static bool TryParse(ReadOnlySpan<char> code, out Currency currency)
    {
        if (KnownSpan.TryGetValue(code, out var known))
        {
            currency = new Currency(known);
            return true;
        }

        currency = default;
        return false;
    }

    /// <summary>A code read back from our own tables, where it was checked on the way in.</summary>
    public static Currency FromStored(string code)
    {
        Invariant.Check(TryParse(code, out var currency), $"stored currency {code} is one of ISO 4217");
        return currency;
    }
}
