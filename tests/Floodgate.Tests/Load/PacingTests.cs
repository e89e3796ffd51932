using Floodgate.Load.Traffic;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: arrivals come at a constant rate whatever happens, and none is ever forgotten. Method: a clock moved by
/// hand; resting moves it.
/// </summary>
public sealed class PacingTests
{
    private readonly HandClock clock = new();

    [Fact]
    public void Each_arrival_has_its_own_moment_and_the_schedule_never_drifts()
    {
        var start = clock.GetTimestamp();
        var due = new List<long>();

        var handed = new Pacer(clock, clock.Move).Run(3000, 9001, due.Add, CancellationToken.None);

        Assert.Equal(9001, handed);
        Assert.Equal(start, due[0]);
        Assert.Equal(start + TimeSpan.TicksPerSecond, due[3000]);
        Assert.Equal(start + (3 * TimeSpan.TicksPerSecond), due[9000]);
        Assert.All(due.Zip(due.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, 3333, 3334));
    }

    [Fact]
    public void A_late_pacer_hands_over_everything_due_with_its_scheduled_moment()
    {
        var start = clock.GetTimestamp();
        var due = new List<(long Scheduled, long Now)>();
        var pacer = new Pacer(clock, span => clock.Move(span + TimeSpan.FromMilliseconds(100)));

        pacer.Run(100, 50, scheduled => due.Add((scheduled, clock.GetTimestamp())), CancellationToken.None);

        // Each rest oversleeps by ten arrivals: they come in a burst, but none is lost or moved.
        Assert.Equal(50, due.Count);
        Assert.All(due.Index(), d => Assert.Equal(start + (d.Index * TimeSpan.TicksPerSecond / 100), d.Item.Scheduled));
        Assert.True(due.Max(d => d.Now - d.Scheduled) >= TimeSpan.TicksPerMillisecond * 90);
    }

    [Fact]
    public void A_cancelled_run_stops_and_says_how_many_came_due()
    {
        using var cancel = new CancellationTokenSource();
        var due = 0;

        var handed = new Pacer(clock, clock.Move).Run(
            1000,
            1000,
            _ =>
            {
                due++;
                if (due == 10)
                {
                    cancel.Cancel();
                }
            },
            cancel.Token);

        Assert.Equal(10, handed);
    }

    [Fact]
    public void An_arrival_takes_a_free_lane_or_waits_for_one()
    {
        var desk = Desk("lane");

        Assert.Equal("lane", desk.Arrive(clock.GetTimestamp()));
        Assert.Null(desk.Arrive(41));
        Assert.Null(desk.Arrive(clock.GetTimestamp()));

        Assert.Equal(2, desk.Waited);
    }

    [Fact]
    public async Task A_waiting_arrival_is_carried_with_its_scheduled_moment_when_a_lane_comes_free()
    {
        var desk = Desk("lane");
        var scheduled = clock.GetTimestamp();
        desk.Arrive(scheduled);
        desk.Arrive(scheduled + 1);
        clock.Move(TimeSpan.FromMilliseconds(900));
        var idle = desk.WhenIdleAsync();

        Assert.True(desk.TryNext("lane", out var next));
        Assert.Equal(scheduled + 1, next);
        Assert.False(idle.IsCompleted);
        Assert.False(desk.TryNext("lane", out _));
        await idle;
        Assert.Equal(0, desk.Dropped);
    }

    [Fact]
    public void An_arrival_that_waited_too_long_is_dropped_and_counted()
    {
        var desk = Desk("lane");
        desk.Arrive(clock.GetTimestamp());
        desk.Arrive(clock.GetTimestamp());
        desk.Arrive(clock.GetTimestamp());
        clock.Move(TimeSpan.FromMilliseconds(1001));
        var fresh = clock.GetTimestamp();
        desk.Arrive(fresh);

        Assert.True(desk.TryNext("lane", out var next));
        Assert.Equal(fresh, next);
        Assert.Equal(2, desk.Dropped);
    }

    [Fact]
    public void The_lane_freed_last_is_used_first()
    {
        var desk = Desk("cold", "warm");

        Assert.Equal("warm", desk.Arrive(0));
        Assert.False(desk.TryNext("warm", out _));
        Assert.Equal("warm", desk.Arrive(0));
        Assert.Equal("cold", desk.Arrive(0));
    }

    [Fact]
    public async Task A_bug_in_a_lane_ends_the_run_instead_of_hanging_it()
    {
        var desk = Desk("lane");
        desk.Arrive(0);
        desk.Fail(new InvalidOperationException("bug"));

        await Assert.ThrowsAsync<InvalidOperationException>(desk.WhenIdleAsync);
    }

    private ArrivalDesk<string> Desk(params string[] lanes)
    {
        var desk = new ArrivalDesk<string>(clock, TimeSpan.FromSeconds(1));
        foreach (var lane in lanes)
        {
            desk.Add(lane);
        }

        return desk;
    }
}
