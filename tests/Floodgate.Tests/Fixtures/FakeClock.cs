namespace Floodgate.Tests.Fixtures;

/// <summary>
/// A clock that stands still until a test moves it. Timers fire inside <see cref="Advance"/>, in the order in which
/// they are due, so delays and time-outs of hours pass at once and in the same order every time.
/// </summary>
public sealed class FakeClock : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // All under the gate.
    private readonly Lock gate = new();
    private readonly List<FakeTimer> timers = [];
    private readonly List<(TimeSpan Due, TaskCompletionSource Set)> watchers = [];
    private TimeSpan elapsed;

    /// <summary>Time since the clock was made.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            lock (gate)
            {
                return elapsed;
            }
        }
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Start + Elapsed;

    /// <inheritdoc/>
    public override long GetTimestamp() => Elapsed.Ticks;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new FakeTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock and fires what becomes due, each timer at its own moment.</summary>
    public void Advance(TimeSpan by)
    {
        var until = Elapsed + by;
        while (NextDue(until) is { } timer)
        {
            timer.Fire();
        }
    }

    /// <summary>
    /// Moves the clock in one step, and fires late what became due, as after a machine has slept: for days in which a
    /// loop would nap many times.
    /// </summary>
    public void Jump(TimeSpan by)
    {
        lock (gate)
        {
            elapsed += by;
        }

        Advance(TimeSpan.Zero);
    }

    /// <summary>
    /// Completes when a timer is set that is due in exactly this time from now: then the code under test has come to
    /// the wait that the test means to end.
    /// </summary>
    public Task TimerAsync(TimeSpan due)
    {
        lock (gate)
        {
            var set = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            watchers.Add((due, set));
            TellWatchers_NeedsLock();
            return set.Task;
        }
    }

    /// <summary>
    /// Lets the time run, a step for each millisecond that really passes, until the task completes: for outages,
    /// where the test does not care how often the code under test waits.
    /// </summary>
    public async Task RunUntilAsync(Task task, TimeSpan step)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (!task.IsCompleted && await tick.WaitForNextTickAsync())
        {
            Advance(step);
        }

        await task;
    }

    private FakeTimer? NextDue(TimeSpan until)
    {
        lock (gate)
        {
            var next = timers.Where(t => t.DueAt <= until).MinBy(t => t.DueAt);
            elapsed = next is null ? until : next.DueAt > elapsed ? next.DueAt : elapsed;
            if (next is not null && next.Period > TimeSpan.Zero)
            {
                next.DueAt += next.Period;
            }
            else if (next is not null)
            {
                timers.Remove(next);
            }

            return next;
        }
    }

    private void TellWatchers_NeedsLock()
    {
        foreach (var watcher in watchers.Where(w => timers.Any(t => t.DueAt - elapsed == w.Due)).ToList())
        {
            watchers.Remove(watcher);
            watcher.Set.TrySetResult();
        }
    }

    private sealed class FakeTimer(FakeClock clock, Action fire) : ITimer
    {
        public TimeSpan DueAt { get; set; }

        public TimeSpan Period { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock.gate)
            {
                clock.timers.Remove(this);
                if (dueTime >= TimeSpan.Zero)
                {
                    DueAt = clock.elapsed + dueTime;
                    Period = period;
                    clock.timers.Add(this);
                    clock.TellWatchers_NeedsLock();
                }

                return true;
            }
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
