// Goal: the breaker opens, tries and closes exactly by its rules. Method: scripts of steps with the state after each,
// and random steps beside a model that keeps every call in a list and decides from scratch each time.
using Floodgate.Payment.Charges.Providers;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Payment.Charges.Providers;

public sealed class CircuitBreakerTests
{
    private static readonly CircuitBreakerSettings Defaults = new();

    // "good 9" makes nine calls; "slow", "fail", "unknown", "declined" likewise; "wait" passes ms; "=" checks.
    public static TheoryData<string> Scripts =>
    [
        "fail 9; = Closed; fail 1; = Open",
        "good 5; fail 4; = Closed; fail 1; = Open",
        "good 6; fail 5; = Closed; fail 1; = Open",
        "unknown 10; = Open",
        "declined 100; = Closed",
        "slow 9; = Closed; slow 1; = Open",
        "good 6; slow 5; = Closed; slow 1; = Open",
        "good 100; fail 49; = Closed; fail 1; = Open",
        "good 1000; fail 49; good 60; fail 30; = Closed; fail 19; = Closed; fail 1; = Open",
        "fail 10; wait 59999; = Open; wait 1; = HalfOpen",
        "fail 10; wait 60000; good 4; = HalfOpen; good 1; = Closed; fail 9; = Closed; fail 1; = Open",
        "fail 10; wait 60000; good 4; fail 1; = Open; wait 59999; = Open; wait 1; = HalfOpen",
        "fail 10; wait 60000; declined 5; = Closed",
        "fail 10; wait 60000; slow 1; = Open",
        "fail 10; wait 60000; unknown 1; = Open; wait 60000; good 5; = Closed",
    ];

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Calls_and_time_move_the_state(string script)
    {
        var time = new ManualTime();
        using var breaker = new CircuitBreaker(Defaults, time);
        foreach (var step in script.Split("; "))
        {
            var words = step.Split(' ');
            if (words[0] == "=")
            {
                Assert.Equal(words[1], breaker.State.ToString());
            }
            else if (words[0] == "wait")
            {
                time.Advance(int.Parse(words[1]));
            }
            else
            {
                for (var call = 0; call < int.Parse(words[1]); call++)
                {
                    Assert.True(breaker.TryEnter(out var permit), script);
                    time.Advance(words[0] == "slow" ? 2_001 : words[0] == "good" ? 2_000 : 0);
                    breaker.Report(permit, VerdictOf(words[0]));
                }
            }
        }
    }

    [Fact]
    public void While_open_no_call_passes_and_the_next_attempt_is_told()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        Assert.False(breaker.TryEnter(out _));
        Assert.Equal(1, breaker.OpenedCount);
        Assert.Equal(time.GetUtcNow().ToUnixTimeMilliseconds() + 60_000, breaker.NextAttemptAtMs);
        time.Advance(60_000);
        Assert.Equal(0, breaker.NextAttemptAtMs);
    }

    [Fact]
    public void Half_open_lets_five_trials_pass_and_no_sixth()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        time.Advance(60_000);
        var trials = Enumerable.Range(0, 5).Select(_ => Enter(breaker)).ToArray();
        Assert.False(breaker.TryEnter(out _));
        breaker.Report(trials[0], ProviderVerdict.Approved);
        Assert.False(breaker.TryEnter(out _));
        foreach (var trial in trials[1..])
        {
            breaker.Report(trial, ProviderVerdict.Approved);
        }

        Assert.Equal(BreakerState.Closed, breaker.State);
    }

    [Fact]
    public void Results_of_calls_from_before_the_opening_are_no_trials()
    {
        var time = new ManualTime();
        using var breaker = new CircuitBreaker(Defaults, time);
        var early = Enumerable.Range(0, 20).Select(_ => Enter(breaker)).ToArray();
        foreach (var permit in early[..10])
        {
            breaker.Report(permit, ProviderVerdict.NotReached);
        }

        breaker.Report(early[10], ProviderVerdict.NotReached);
        Assert.Equal((BreakerState.Open, 1L), (breaker.State, breaker.OpenedCount));
        time.Advance(60_000);
        var trial = Enter(breaker);
        breaker.Report(early[11], ProviderVerdict.Unknown);
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        foreach (var permit in early[12..])
        {
            breaker.Report(permit, ProviderVerdict.Approved);
        }

        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        breaker.Report(trial, ProviderVerdict.NotReached);
        Assert.Equal(BreakerState.Open, breaker.State);
    }

    [Fact]
    public void Results_from_before_an_opening_do_not_count_after_it_closed_again()
    {
        var time = new ManualTime();
        using var breaker = new CircuitBreaker(Defaults, time);
        var early = Enumerable.Range(0, 20).Select(_ => Enter(breaker)).ToArray();
        foreach (var permit in early[..10])
        {
            breaker.Report(permit, ProviderVerdict.NotReached);
        }

        time.Advance(60_000);
        for (var trial = 0; trial < 5; trial++)
        {
            breaker.Report(Enter(breaker), ProviderVerdict.Approved);
        }

        foreach (var permit in early[10..])
        {
            breaker.Report(permit, ProviderVerdict.NotReached);
        }

        Assert.Equal((BreakerState.Closed, 0), (breaker.State, breaker.Window.Calls));
    }

    [Fact]
    public void A_trial_reported_twice_counts_once()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        time.Advance(60_000);
        var trial = Enter(breaker);
        for (var report = 0; report < 6; report++)
        {
            breaker.Report(trial, ProviderVerdict.Approved);
        }

        Assert.Equal(BreakerState.HalfOpen, breaker.State);
    }

    [Fact]
    public void A_trial_that_never_reports_opens_again_instead_of_wedging()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        time.Advance(60_000);
        for (var trial = 0; trial < 5; trial++)
        {
            Enter(breaker);
        }

        time.Advance(59_999);
        Assert.Equal(BreakerState.HalfOpen, breaker.State);
        time.Advance(1);
        Assert.Equal((BreakerState.Open, 2L), (breaker.State, breaker.OpenedCount));
        time.Advance(60_000);
        Assert.True(breaker.TryEnter(out _));
    }

    [Fact]
    public void An_abandoned_trial_makes_room_for_another()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        time.Advance(60_000);
        var trials = Enumerable.Range(0, 5).Select(_ => Enter(breaker)).ToArray();
        var waiting = breaker.WhenMayEnterAsync(CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        breaker.Abandon(trials[0]);
        Assert.True(breaker.TryEnter(out _));
        breaker.Abandon(trials[0]);
        Assert.False(breaker.TryEnter(out _));
    }

    [Fact]
    public async Task Waiters_wake_by_themselves_when_trials_may_pass_and_when_it_closes()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        var first = breaker.WhenMayEnterAsync(CancellationToken.None);
        time.Advance(59_999);
        Assert.False(first.IsCompleted);
        time.Advance(1);
        await Soon(first);

        var trials = Enumerable.Range(0, 5).Select(_ => Enter(breaker)).ToArray();
        var second = breaker.WhenMayEnterAsync(CancellationToken.None);
        foreach (var trial in trials)
        {
            Assert.False(second.IsCompleted);
            breaker.Report(trial, ProviderVerdict.Approved);
        }

        await Soon(second);
        Assert.True(breaker.WhenMayEnterAsync(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Waiters_wake_after_lost_trials_without_anyone_asking()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        time.Advance(60_000);
        for (var trial = 0; trial < 5; trial++)
        {
            Enter(breaker);
        }

        var waiting = breaker.WhenMayEnterAsync(CancellationToken.None);
        time.Advance(119_999);
        Assert.False(waiting.IsCompleted);
        time.Advance(1);
        await Soon(waiting);
    }

    [Fact]
    public async Task A_cancelled_waiter_leaves_the_others_waiting()
    {
        var time = new ManualTime();
        using var breaker = Opened(time);
        using var cancel = new CancellationTokenSource();
        var impatient = breaker.WhenMayEnterAsync(cancel.Token);
        var patient = breaker.WhenMayEnterAsync(CancellationToken.None);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        time.Advance(60_000);
        await Soon(patient);
    }

    [Fact]
    public void Random_calls_agree_with_the_model()
    {
        var opened = 0L;
        for (var seed = 0; seed < 300; seed++)
        {
            opened += RunBesideModel(seed);
        }

        // Otherwise the histories would not reach what they are for.
        Assert.InRange(opened, 300, long.MaxValue);
    }

    [Theory]
    [InlineData("WindowCalls", 0)]
    [InlineData("CallsMin", 101)]
    [InlineData("FailurePercent", 101)]
    [InlineData("SlowPercent", 0)]
    [InlineData("SlowMs", 0)]
    [InlineData("OpenMs", 99)]
    [InlineData("TrialCalls", 0)]
    [InlineData("TrialTimeoutMs", 600_001)]
    [InlineData("TrialTimeoutMs", 29_999)]
    public void A_setting_out_of_range_is_named(string name, int value)
    {
        var (_, errors) = Calls.ReadSettings(new() { [$"Providers:Breaker:{name}"] = $"{value}" });
        var error = Assert.Single(errors);
        Assert.StartsWith($"Providers:Breaker:{name} is \"{value}\"", error, StringComparison.Ordinal);
    }

    private static long RunBesideModel(int seed)
    {
        var random = new Random(seed);
        var settings = new CircuitBreakerSettings
        {
            WindowCalls = random.Next(3, 12), CallsMin = 3, OpenMs = 1_000, SlowMs = 300,
            TrialCalls = random.Next(1, 4), TrialTimeoutMs = 700,
        };
        var time = new ManualTime();
        using var breaker = new CircuitBreaker(settings, time);
        var model = new BreakerModel(settings);
        List<(BreakerPermit Permit, int Call)> held = [];
        for (var step = 0; step < 400; step++)
        {
            var what = random.Next(10);
            if (what < 4)
            {
                var entered = breaker.TryEnter(out var permit);
                var call = model.Enter();
                Assert.True(entered == call is not null, $"seed {seed} step {step}: entered {entered}");
                if (call is { } number)
                {
                    held.Add((permit, number));
                }
            }
            else if (what < 8 && held.Count > 0)
            {
                // Mostly the latest, so that some results come long after the state they started in is gone.
                var at = random.Next(8) == 0 ? random.Next(held.Count) : held.Count - 1;
                var verdict = (ProviderVerdict)random.Next(4);
                breaker.Report(held[at].Permit, verdict);
                model.Report(held[at].Call, verdict is ProviderVerdict.NotReached or ProviderVerdict.Unknown);
                held.RemoveAt(at);
            }
            else
            {
                var ms = random.Next(1, 400);
                time.Advance(ms);
                model.Advance(ms);
            }

            Assert.True(breaker.State == model.State, $"seed {seed} step {step}: {breaker.State}, not {model.State}");
            Assert.True(breaker.OpenedCount == model.Opened, $"seed {seed} step {step}: opened {breaker.OpenedCount}");
        }

        return model.Opened;
    }

    private static CircuitBreaker Opened(ManualTime time)
    {
        var breaker = new CircuitBreaker(Defaults, time);
        for (var call = 0; call < 10; call++)
        {
            breaker.Report(Enter(breaker), ProviderVerdict.NotReached);
        }

        return breaker;
    }

    private static BreakerPermit Enter(CircuitBreaker breaker)
    {
        Assert.True(breaker.TryEnter(out var permit));
        return permit;
    }

    private static Task Soon(Task task) => task.WaitAsync(Eventually.Deadline);

    private static ProviderVerdict VerdictOf(string word) => word switch
    {
        "fail" => ProviderVerdict.NotReached,
        "unknown" => ProviderVerdict.Unknown,
        "declined" => ProviderVerdict.Declined,
        _ => ProviderVerdict.Approved,
    };

    /// <summary>Remembers every call since the last change of state and looks at all of them each time.</summary>
    private sealed class BreakerModel(CircuitBreakerSettings settings)
    {
        private readonly Dictionary<int, (int Era, int StartedMs)> underWay = [];
        private List<(bool Failed, bool Slow)> results = [];
        private int era;
        private int eraStartedMs;
        private int nowMs;
        private int calls;

        public BreakerState State { get; private set; }

        public long Opened { get; private set; }

        public int? Enter()
        {
            var trials = results.Count + underWay.Values.Count(call => call.Era == era);
            if (State == BreakerState.Open || (State == BreakerState.HalfOpen && trials >= settings.TrialCalls))
            {
                return null;
            }

            underWay[++calls] = (era, nowMs);
            return calls;
        }

        public void Report(int call, bool failed)
        {
            underWay.Remove(call, out var known);
            if (known.Era != era)
            {
                return;
            }

            results.Add((failed, nowMs - known.StartedMs > settings.SlowMs));
            if (State == BreakerState.HalfOpen)
            {
                Judge(results.Any(result => result.Failed || result.Slow), results.Count == settings.TrialCalls);
                return;
            }

            var last = results.TakeLast(settings.WindowCalls).ToList();
            var bad = last.Count(result => result.Failed) * 2 >= last.Count
                || last.Count(result => result.Slow) * 2 >= last.Count;
            Judge(bad && last.Count >= settings.CallsMin, closes: false);
        }

        public void Advance(int ms)
        {
            for (var passed = 0; passed < ms; passed++)
            {
                nowMs++;
                if (State == BreakerState.Open && nowMs - eraStartedMs >= settings.OpenMs)
                {
                    Change(BreakerState.HalfOpen);
                }
                else if (State == BreakerState.HalfOpen && underWay.Values.Any(
                    call => call.Era == era && nowMs - call.StartedMs >= settings.TrialTimeoutMs))
                {
                    Judge(opens: true, closes: false);
                }
            }
        }

        private void Judge(bool opens, bool closes)
        {
            if (opens)
            {
                Opened++;
                Change(BreakerState.Open);
            }
            else if (closes)
            {
                Change(BreakerState.Closed);
            }
        }

        private void Change(BreakerState state)
        {
            (State, results, eraStartedMs) = (state, [], nowMs);
            era++;
        }
    }
}
