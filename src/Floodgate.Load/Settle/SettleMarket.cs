using System.Buffers.Binary;

namespace Floodgate.Load.Settle;

/// <summary>A line of a day: captured money, or a refund of it. Amounts in minor units.</summary>
/// <param name="Merchant">The merchant's number; 0 has the most lines.</param>
/// <param name="EventId">Rises from event to event.</param>
/// <param name="Number">Within the event.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="IsRefund">Given back.</param>
/// <param name="Class">The number of the product class.</param>
/// <param name="Amount">More than zero.</param>
/// <param name="AtMs">When.</param>
/// <param name="OriginAmount">Of a refund, the captured line; else its own.</param>
/// <param name="RefundedBefore">Of a refund, what was given back of that before.</param>
internal readonly record struct SettleLine(
    int Merchant,
    Guid EventId,
    int Number,
    Guid PaymentId,
    bool IsRefund,
    int Class,
    long Amount,
    long AtMs,
    long OriginAmount,
    long RefundedBefore);

/// <summary>
/// The merchants of a run, what they sell and what it costs; and the lines of any day, made of the run's name, the day
/// and their count alone: made twice they are the same, so nobody has to keep ten million. Sizes follow Zipf's law:
/// merchant n has a share of 1/n. Merchants and classes are the run's own, so its policies are for nobody else.
/// </summary>
internal sealed class SettleMarket
{
    /// <summary>Where merchants differ from others of the server.</summary>
    public const string Prefix = "settle-";

    private const int RefundPercent = 3;
    private const long DayMs = 86_400_000;
    private static readonly string[] ClassNames = ["goods", "tickets"];
    private readonly double[] upTo;
    private readonly string runId;
    private readonly uint tag;

    public SettleMarket(string runId, int merchants)
    {
        this.runId = runId;
        tag = 2_166_136_261;
        foreach (var letter in runId)
        {
            tag = (tag ^ letter) * 16_777_619; // FNV-1a: two runs make different ids.
        }

        upTo = new double[merchants];
        var sum = 0.0;
        for (var i = 0; i < merchants; i++)
        {
            upTo[i] = sum += 1.0 / (i + 1);
        }
    }

    /// <summary>How many merchants there are.</summary>
    public int Merchants => upTo.Length;

    /// <summary>The policies: for each class one for all, and a closer one for its currency.</summary>
    public IReadOnlyList<(int Class, string? Currency, FeeTerms Terms)> Policies { get; } =
    [
        (0, null, new FeeTerms(310)),
        (0, "KRW", new FeeTerms(335) { Tiers = [new(1_000_000, 325), new(20_000_000, 285), new(500_000_000, 205)] }),
        (1, null, new FeeTerms(450)),
        (1, "KRW", new FeeTerms(275) { Fixed = 100, Min = 250, Max = 9_000 }),
    ];

    /// <summary>The product classes.</summary>
    public IReadOnlyList<string> Classes => [.. ClassNames.Select(name => $"{name}-{runId}")];

    /// <summary>What all merchants' names of this run begin with.</summary>
    public string NamePrefix => $"{Prefix}{runId}-";

    /// <summary>A merchant's name.</summary>
    public string NameOf(int merchant) => $"{NamePrefix}{merchant:D6}";

    /// <summary>The currency in which a merchant sells.</summary>
    public static string CurrencyOf(int merchant) => (merchant % 20) switch
    {
        7 => "USD",
        13 => "JPY",
        _ => "KRW",
    };

    /// <summary>What lines of a merchant and class cost: by the closest policy.</summary>
    public FeeTerms TermsOf(int merchant, int lineClass)
    {
        var closest = Policies.Where(p => p.Class == lineClass && p.Currency == CurrencyOf(merchant)).ToList();
        return closest.Count > 0
            ? closest[0].Terms
            : Policies.First(p => p.Class == lineClass && p.Currency is null).Terms;
    }

    /// <summary>The lines of a day, in the order of time.</summary>
    public IEnumerable<SettleLine> LinesOf(long day, int count)
    {
        var chance = new Chance(((ulong)tag << 32) ^ (ulong)day);
        var dayMs = (DateOnly.FromDayNumber((int)day).ToDateTime(TimeOnly.MinValue) - DateTime.UnixEpoch).Ticks
            / TimeSpan.TicksPerMillisecond;
        var (made, events) = (0, 0u);
        while (made < count)
        {
            var atMs = dayMs + (made * DayMs / count);
            var payment = IdOf(atMs, events++);
            var amount = AmountOf(chance);
            var line = new SettleLine(
                MerchantAt(chance.Share()), payment, 0, payment, false, chance.Below(2), amount, atMs, amount, 0);
            yield return line;
            made++;
            if (chance.Below(8) == 0 && made < count)
            {
                amount = AmountOf(chance);
                yield return line with { Number = 1, Class = 1 - line.Class, Amount = amount, OriginAmount = amount };
                made++;
            }

            var (refunds, before) = (chance.Below(100) < RefundPercent ? 1 + chance.Below(2) : 0, 0L);
            for (; refunds > 0 && made < count && before < line.Amount; refunds--)
            {
                var back = 1 + chance.Below((int)(line.Amount - before));
                yield return line with
                {
                    EventId = IdOf(atMs, events++), IsRefund = true, Amount = back, RefundedBefore = before,
                };
                before += back;
                made++;
            }
        }
    }

    // A few are so small that the least fee would be more than the line.
    private static long AmountOf(Chance chance) =>
        chance.Below(100) == 0 ? 1 + chance.Below(300) : 500 + ((long)chance.Below(1_000) * chance.Below(1_000) / 2);

    private int MerchantAt(double share)
    {
        var found = Array.BinarySearch(upTo, share * upTo[^1]);
        return Math.Min(found < 0 ? ~found : found, upTo.Length - 1);
    }

    /// <summary>An id as the server makes them (UUID version 7), rising with time and number.</summary>
    private Guid IdOf(long atMs, uint number)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ((ulong)atMs << 16) | 0x7000);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], 0x8000_0000 | number);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[12..], tag);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>SplitMix64: the same numbers on every machine and version.</summary>
    private sealed class Chance(ulong state)
    {
        public double Share() => (Next() >> 11) * (1.0 / (1UL << 53));

        public int Below(int bound) => (int)(Next() % (ulong)bound);

        private ulong Next()
        {
            state += 0x9E37_79B9_7F4A_7C15;
            var mixed = (state ^ (state >> 30)) * 0xBF58_476D_1CE4_E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
            return mixed ^ (mixed >> 31);
        }
    }
}
