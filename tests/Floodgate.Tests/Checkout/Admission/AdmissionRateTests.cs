using Floodgate.Checkout.Admission;
using Floodgate.Checkout.Holds;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Checkout.Admission;

// Goal: admission follows what the sale can take and never leaves the range that the operator set. Method: random
// histories for what always holds, a table for what each sign does, and exact sums for rates.
public sealed class AdmissionRateTests
{
    private const int LagMax = 1_000;
    private const int DueMax = 100;

    private static readonly PaymentHealth Behind = PaymentHealth.Calm with { IsBreakerOpen = true };
    private static readonly SaleStock Plenty = new(1_000_000, 0, 0);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private sealed record Moment(
        int Ms, int Waiting, int Active, int Held, int Available, bool IsPaused, bool IsBehind);

    private sealed record History(int Min, int Max, int ActiveMax, IReadOnlyList<Moment> Moments)
    {
        public override string ToString() => $"{Min}..{Max} {ActiveMax}: {string.Join("; ", Moments)}";
    }

    [Fact]
    public void It_never_leaves_its_range_and_never_admits_more_than_fit()
    {
        var moments =
            from ms in Gen.Choose(0, 1_500)
            from waiting in Gen.Choose(0, 2_000)
            from active in Gen.Choose(0, 150)
            from held in Gen.Elements(0, 0, 5)
            from available in Gen.Elements(0, 3, 100, 10_000)
            from paused in Gen.Choose(0, 9)
            from behind in Gen.Choose(0, 2)
            select new Moment(ms, waiting, active, held, available, paused == 0, behind == 0);
        var histories =
            from min in Gen.Choose(1, 20)
            from more in Gen.Choose(0, 500)
            from activeMax in Gen.Choose(1, 200)
            from list in moments.ListOf()
            select new History(min, min + more, activeMax, [.. list]);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(100), Prop.ForAll(histories.ToArbitrary(), Holds));
    }

    private static bool Holds(History history)
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        var (total, seconds) = (0L, 0.0);
        foreach (var at in history.Moments)
        {
            var stock = new SaleStock(20_000, at.Held, 20_000 - at.Held - at.Available);
            var sight = new Sight(at.Waiting, at.Active, stock, at.IsBehind ? Behind : PaymentHealth.Calm);
            var limits = new RateLimits(at.IsPaused, history.ActiveMax, history.Min, history.Max);
            var taken = rate.Take(limits, sight, TimeSpan.FromMilliseconds(at.Ms));
            total += taken;
            seconds += Math.Min(1, at.Ms / 1_000.0);

            Assert.InRange(taken, 0, Math.Max(0, Math.Min(at.Waiting, history.ActiveMax - at.Active)));
            if (at.IsPaused || AdmissionRate.IsSoldOut(stock))
            {
                Assert.Equal((0, 0d), (taken, rate.PerSecond));
                Assert.Equal(at.IsPaused ? AdmissionBrake.Paused : AdmissionBrake.SoldOut, rate.Brake);
                continue;
            }

            Assert.InRange(rate.PerSecond, history.Min, history.Max);
            Assert.True(taken <= Math.Max(at.Available - at.Active, history.Min), "beyond the stock, the floor");
        }

        Assert.True(total <= (history.Max * seconds) + 1, $"{total} in {seconds} s");
        return true;
    }

    // Goal: the floor is kept, whatever payments and stock say, as long as somebody waits and there is a place. Method:
    // steps of any length for minutes.
    [Theory]
    [InlineData(1, 7)]
    [InlineData(3, 20)]
    [InlineData(10, 333)]
    [InlineData(100, 1_000)]
    public void The_floor_is_admitted_even_when_all_goes_badly(int floor, int stepMs)
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        var total = 0;
        for (var ms = 0; ms < 120_000; ms += stepMs)
        {
            var sight = new Sight(1_000_000, 0, new(10, 10, 0), Behind);
            total += rate.Take(
                new(false, int.MaxValue, floor, 1_000), sight, TimeSpan.FromMilliseconds(stepMs));
        }

        Assert.InRange(total, (floor * 119) - 1, (floor * 121) + 1);
    }

    [Fact]
    public void It_halves_each_second_while_payments_are_behind_and_grows_by_a_tenth_when_they_are_not()
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        var limits = new RateLimits(false, 100, 10, 1_010);
        Assert.Equal([1_010], Rates(1, PaymentHealth.Calm));
        Assert.Equal([505, 252.5, 126.25, 63.125, 31.5625, 15.78125, 10, 10], Rates(8, Behind));
        Assert.Equal([110, 210, 310, 410, 510, 610, 710, 810, 910, 1_010, 1_010], Rates(11, PaymentHealth.Calm));

        IEnumerable<double> Rates(int count, PaymentHealth health) => Enumerable.Range(0, count).Select(_ =>
        {
            rate.Take(limits, new(0, 0, Plenty, health), Second);
            return rate.PerSecond;
        }).ToList();
    }

    // Goal: each sign of trouble counts, at its limit and not before. Method: a table.
    [Theory]
    [InlineData(LagMax, 0, 100, DueMax, false, false)]
    [InlineData(LagMax + 1, 0, 100, 0, false, true)]
    [InlineData(0, 89, 100, 0, false, false)]
    [InlineData(0, 90, 100, 0, false, true)]
    [InlineData(0, 0, 0, 0, false, false)]
    [InlineData(0, 0, 100, DueMax + 1, false, true)]
    [InlineData(0, 0, 100, 0, true, true)]
    public void These_signs_mean_that_payments_are_behind(
        long lag, int inFlight, int inFlightMax, long due, bool isOpen, bool isBehind)
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        rate.Take(
            new(false, 100, 1, 10), new(5, 0, Plenty, new(lag, inFlight, inFlightMax, due, isOpen)), Second);
        Assert.Equal(isBehind ? AdmissionBrake.Payments : AdmissionBrake.None, rate.Brake);
        Assert.Equal(isBehind ? 5 : 10, rate.PerSecond);
    }

    // Goal: not many more are let in than there is left for. Method: a table of what is left against who is inside.
    [Theory]
    [InlineData(100, 0, 0, 500, nameof(AdmissionBrake.Stock), 100)]
    [InlineData(100, 0, 60, 500, nameof(AdmissionBrake.Stock), 40)]
    [InlineData(100, 0, 100, 500, nameof(AdmissionBrake.Stock), 2)]
    [InlineData(0, 7, 0, 500, nameof(AdmissionBrake.Stock), 2)]
    [InlineData(0, 0, 0, 500, nameof(AdmissionBrake.SoldOut), 0)]
    [InlineData(1_000, 0, 0, 500, nameof(AdmissionBrake.None), 500)]
    [InlineData(1_000, 0, 0, 10, nameof(AdmissionBrake.ActiveMax), 10)]
    public void As_many_come_in_as_there_is_left_for(
        long available, long held, int active, int activeMax, string brake, int taken)
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        var stock = new SaleStock(2_000, held, 2_000 - held - available);
        var limits = new RateLimits(false, activeMax == 500 ? 1_000 : activeMax, 2, 500);
        Assert.Equal(taken, rate.Take(limits, new(5_000, active, stock, PaymentHealth.Calm), Second));
        Assert.Equal(brake, $"{rate.Brake}");
    }

    [Fact]
    public void A_sale_without_products_is_not_rationed()
    {
        var rate = new AdmissionRate(LagMax, DueMax);
        var sight = new Sight(500, 100, default, PaymentHealth.Calm);
        Assert.Equal(400, rate.Take(new(false, 500, 1, 400), sight, Second));
    }

    // Goal: the wait that is told is that of the measured line, and unknown while nothing was measured.
    [Fact]
    public void The_wait_is_told_from_what_was_measured()
    {
        var pace = new AdmissionPace();
        Assert.Null(pace.SecondsFor(0, isFull: false));
        for (var i = 0; i < 100; i++)
        {
            pace.Observe(5, 1, TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(2, pace.SecondsFor(99, isFull: false));
        Assert.Equal(10, pace.SecondsFor(99, isFull: true));

        // Nothing moves any more: the wait grows, and after a while nobody can tell.
        pace.Observe(0, 0, TimeSpan.FromSeconds(2));
        Assert.True(pace.SecondsFor(99, isFull: true) > 10);
        for (var i = 0; i < 600; i++)
        {
            pace.Observe(0, 0, TimeSpan.FromSeconds(1));
        }

        Assert.Null(pace.SecondsFor(99, isFull: true));
    }
}
