using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>How payments are doing, as far as admission cares.</summary>
/// <param name="LagEvents">Payment events that are not carried out.</param>
/// <param name="InFlight">Payments in work.</param>
/// <param name="InFlightMax">The most that can be.</param>
/// <param name="Due">Charges that were put off.</param>
/// <param name="IsBreakerOpen">True while a provider is not even asked.</param>
public sealed record PaymentHealth(long LagEvents, int InFlight, int InFlightMax, long Due, bool IsBreakerOpen)
{
    /// <summary>Nothing waits.</summary>
    public static PaymentHealth Calm { get; } = new(0, 0, 0, 0, false);
}

/// <summary>
/// Where the health of payments comes from. Payments stand behind admission, so whoever puts the program together
/// hands it in.
/// </summary>
public sealed class PaymentHealthSource(Func<CancellationToken, ValueTask<PaymentHealth>> read)
{
    /// <summary>The health now.</summary>
    public ValueTask<PaymentHealth> ReadAsync(CancellationToken cancel) => read(cancel);
}

/// <summary>What holds admission back, in the order in which it is looked for.</summary>
internal enum AdmissionBrake
{
    /// <summary>An operator paused it.</summary>
    Paused,

    /// <summary>Nothing is left, and nothing can come back.</summary>
    SoldOut,

    /// <summary>All places inside are taken.</summary>
    ActiveMax,

    /// <summary>Payments are behind: the rate was cut.</summary>
    Payments,

    /// <summary>Those inside may take all that is left: only the floor is admitted.</summary>
    Stock,

    /// <summary>Nothing but the ceiling.</summary>
    None,
}

/// <summary>What the operator of a sale decides about its rate, in admissions per second.</summary>
internal readonly record struct RateLimits(bool IsPaused, int ActiveMax, int PerSecondMin, int PerSecondMax);

/// <summary>What admission sees of a sale at one moment.</summary>
internal readonly record struct Sight(int Waiting, int Active, SaleStock Stock, PaymentHealth Health);

/// <summary>
/// Decides how many are admitted: the closed loop. Additive increase and multiplicative decrease of a rate (Chiu and
/// Jain, 1989): while payments are behind it is halved once a second, else it grows by a tenth of its range each
/// second, never below the floor and never above the ceiling. No clock; used by one caller at a time.
/// </summary>
/// <remarks>
/// At the rate it admits only as many as there is left for: whoever is inside may still take something. Beyond that it
/// admits at the floor, because some inside buy nothing and holds come back, and somebody has to be there.
/// </remarks>
internal sealed class AdmissionRate(int lagMax, int dueMax)
{
    private const double SecondsToCeiling = 10;
    private const double InFlightShareMax = 0.9;

    // Admissions that are earned and not used, at the rate and at the floor; at most those of one second.
    private double credit;
    private double floorCredit;
    private double sinceCut = double.MaxValue;
    private double? rate;

    /// <summary>Admissions per second now; 0 while nobody is admitted at all.</summary>
    public double PerSecond { get; private set; }

    /// <summary>What held it back the last time.</summary>
    public AdmissionBrake Brake { get; private set; } = AdmissionBrake.None;

    /// <summary>True when nothing is left of what there was, and no hold can bring any of it back.</summary>
    public static bool IsSoldOut(SaleStock stock) => stock is { Capacity: > 0, Available: <= 0, Held: <= 0 };

    /// <summary>How many of those who wait are admitted now.</summary>
    /// <param name="limits">What the operator decided.</param>
    /// <param name="sight">What is to be seen.</param>
    /// <param name="elapsed">Since the last call; more than a second counts as one.</param>
    public int Take(RateLimits limits, Sight sight, TimeSpan elapsed)
    {
        if (limits.IsPaused || IsSoldOut(sight.Stock))
        {
            (PerSecond, credit, floorCredit) = (0, 0, 0);
            Brake = limits.IsPaused ? AdmissionBrake.Paused : AdmissionBrake.SoldOut;
            return 0;
        }

        var seconds = Math.Clamp(elapsed.TotalSeconds, 0, 1);
        var isBehind = IsBehind(sight.Health);
        var now = Adjusted(limits, isBehind, seconds);
        credit = Math.Min(credit + (now * seconds), Math.Max(1, now));
        floorCredit = Math.Min(floorCredit + (limits.PerSecondMin * seconds), limits.PerSecondMin);

        // A sale without products is not ours to ration: its operator uses the line for something else.
        var left = sight.Stock.Capacity == 0 ? long.MaxValue : Math.Max(0, sight.Stock.Available - sight.Active);
        var free = Math.Min(limits.ActiveMax - sight.Active, sight.Waiting);
        var taken = (int)Math.Clamp(Math.Max(Math.Min((long)credit, left), (long)floorCredit), 0, Math.Max(0, free));
        credit = Math.Max(0, credit - taken);
        floorCredit = Math.Max(0, floorCredit - taken);
        PerSecond = now;
        Brake = sight.Active + taken >= limits.ActiveMax ? AdmissionBrake.ActiveMax
            : isBehind ? AdmissionBrake.Payments
            : left <= taken ? AdmissionBrake.Stock
            : AdmissionBrake.None;
        return taken;
    }

    private double Adjusted(RateLimits limits, bool isBehind, double seconds)
    {
        var now = rate ?? limits.PerSecondMax; // Nothing is known against it yet, and places inside are few.
        sinceCut += seconds;
        if (!isBehind)
        {
            now += (limits.PerSecondMax - limits.PerSecondMin) / SecondsToCeiling * seconds;
        }
        else if (sinceCut >= 1)
        {
            (now, sinceCut) = (now / 2, 0);
        }

        Invariant.Check(limits.PerSecondMin <= limits.PerSecondMax, "the floor of a rate is not above its ceiling");
        now = Math.Clamp(now, limits.PerSecondMin, limits.PerSecondMax);
        rate = now;
        return now;
    }

    private bool IsBehind(PaymentHealth health) => health.IsBreakerOpen
        || health.LagEvents > lagMax
        || health.Due > dueMax
        || (health.InFlightMax > 0 && health.InFlight >= health.InFlightMax * InFlightShareMax);
}

/// <summary>
/// How fast the line moves, measured: from it comes the wait that is told. It forgets with a time constant of half a
/// minute. No clock.
/// </summary>
internal sealed class AdmissionPace
{
    private const double ForgetSeconds = 30;
    private const double SecondsMax = 2;
    private const double SlowestPerSecond = 0.001;

    // What was seen, and in how many seconds; both fade alike, so their ratio is right from the beginning.
    private double admitted;
    private double freed;
    private double seconds;

    /// <summary>Takes what happened since the last call, while somebody waited in an open sale.</summary>
    /// <param name="admissions">How many were admitted.</param>
    /// <param name="places">How many places inside got free.</param>
    /// <param name="elapsed">Since the last call; more than two seconds, when nobody looked, count as two.</param>
    public void Observe(long admissions, long places, TimeSpan elapsed)
    {
        var now = Math.Clamp(elapsed.TotalSeconds, 0, SecondsMax);
        var kept = Math.Exp(-now / ForgetSeconds);
        admitted = (admitted * kept) + admissions;
        freed = (freed * kept) + places;
        seconds = (seconds * kept) + now;
    }

    /// <summary>
    /// Seconds until whoever has so many before them is admitted; null when it cannot be told. While all places are
    /// taken the line moves as they get free, however fast it moved before.
    /// </summary>
    public long? SecondsFor(int ahead, bool isFull)
    {
        var perSecond = seconds > 0 ? (isFull ? freed : admitted) / seconds : 0;
        return perSecond > SlowestPerSecond ? (long)Math.Ceiling((ahead + 1) / perSecond) : null;
    }
}
