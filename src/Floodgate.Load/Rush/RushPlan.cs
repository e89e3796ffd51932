using Floodgate.Load.Target;

namespace Floodgate.Load.Rush;

/// <summary>What <c>rush</c> was asked to do; see the options of <see cref="RushCommand"/>.</summary>
internal sealed record RushPlan
{
    /// <summary>All who come.</summary>
    public int Buyers { get; init; } = 10_000;

    /// <summary>What there is.</summary>
    public SeatBlock Seats { get; init; } = new(50, 20);

    /// <summary>Seats side by side in an order.</summary>
    public int PerOrder { get; init; } = 2;

    /// <summary>Of 100 buyers so many come before the opening, more and more towards it.</summary>
    public int EarlyPercent { get; init; } = 60;

    /// <summary>How long before the opening the first comes, in seconds.</summary>
    public int EarlySeconds { get; init; } = 20;

    /// <summary>Of 100 buyers so many come right after the opening; those left over are the tail.</summary>
    public int SpikePercent { get; init; } = 30;

    /// <summary>How long the spike lasts, in seconds.</summary>
    public int SpikeSeconds { get; init; } = 5;

    /// <summary>How long the tail lasts, from the opening, in seconds.</summary>
    public int TailSeconds { get; init; } = 30;

    /// <summary>Of 100 buyers so many give up waiting: every other of them says so, the rest just go.</summary>
    public int GiveUpPercent { get; init; } = 6;

    /// <summary>Of 100 buyers so many hold seats, do not pay and give them back.</summary>
    public int ChangeMindPercent { get; init; } = 3;

    /// <summary>Places inside.</summary>
    public int ActiveMax { get; init; } = 500;

    /// <summary>The ceiling of the admission rate, per second.</summary>
    public int RateMax { get; init; } = 500;

    /// <summary>Connections that carry all of them.</summary>
    public int Connections { get; init; } = 256;

    /// <summary>The longest run, in seconds from the opening.</summary>
    public int SecondsMax { get; init; } = 900;

    /// <summary>Seconds of the no-op loop before and after; 0 = none.</summary>
    public int NoOpSeconds { get; init; } = 3;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;

    /// <summary>When buyer <paramref name="number"/> comes, in seconds from the opening; negative = before.</summary>
    public double ArrivesAt(int number)
    {
        var (percent, share) = (number % 100, ShareOf(number));
        return percent < EarlyPercent ? -EarlySeconds * (1 - Math.Sqrt(share))
            : percent < EarlyPercent + SpikePercent ? SpikeSeconds * share * share
            : SpikeSeconds + (share * (TailSeconds - SpikeSeconds));
    }

    /// <summary>What buyer <paramref name="number"/> is like.</summary>
    public Temper TemperOf(int number)
    {
        var percent = (int)(Scatter(number, 0x9E37_79B9) % 100);
        return percent < GiveUpPercent ? (percent % 2 == 0 ? Temper.Leaves : Temper.Vanishes)
            : percent < GiveUpPercent + ChangeMindPercent ? Temper.ChangesMind
            : Temper.Buys;
    }

    // Where a buyer stands among those who come in the same stretch: from 0 up to 1, the same in every run.
    private static double ShareOf(int number) => Scatter(number, 0x85EB_CA6B) / 4_294_967_296.0;

    private static uint Scatter(int number, uint salt)
    {
        var mixed = ((uint)number + 1) * salt;
        mixed = (mixed ^ (mixed >> 16)) * 0xC2B2_AE35;
        return mixed ^ (mixed >> 13);
    }
}

/// <summary>What a buyer is like.</summary>
internal enum Temper : byte
{
    /// <summary>Waits, orders and pays.</summary>
    Buys,

    /// <summary>Gives the ticket back after a while.</summary>
    Leaves,

    /// <summary>Asks no more after a while, and says nothing.</summary>
    Vanishes,

    /// <summary>Holds seats, does not pay, and gives them back.</summary>
    ChangesMind,
}
