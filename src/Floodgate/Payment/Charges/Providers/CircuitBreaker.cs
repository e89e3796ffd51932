using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges.Providers;

/// <summary>Whether calls may pass; the names in capitals are what the API shows.</summary>
internal enum BreakerState
{
    /// <summary>CLOSED: every call passes and is judged.</summary>
    Closed,

    /// <summary>OPEN: no call passes until the open time is over.</summary>
    Open,

    /// <summary>HALF_OPEN: a few trials pass; all good closes, one bad opens.</summary>
    HalfOpen,
}

/// <summary>The right to make one call; given back by <c>Report</c> or <c>Abandon</c>, once.</summary>
/// <param name="Epoch">Which stay in a state gave it; results from an earlier one say nothing about now.</param>
/// <param name="Serial">Tells trials apart.</param>
/// <param name="StartedAt">The clock's timestamp, for the call's duration.</param>
internal readonly record struct BreakerPermit(long Epoch, long Serial, long StartedAt);

/// <summary>
/// Keeps calls from a provider that fails or is slow, one per provider. Opens when the window of the last calls is too
/// bad, closes through trials. Nothing is lost while it is open: callers keep their requests and wait on
/// <see cref="WhenMayEnterAsync"/>. NotReached and Unknown are failures; Declined is a proper answer. A slow trial is a
/// bad trial. Thread-safe; the lock is short.
/// </summary>
internal sealed class CircuitBreaker(CircuitBreakerSettings settings, TimeProvider time) : IDisposable
{
    private readonly Lock gate = new();

    // Under the gate: the state, since when, and the count of changes.
    private readonly CallWindow window = new(settings);
    private BreakerState state = BreakerState.Closed;
    private long epoch;
    private long serial;
    private long openedAt;
    private long openedCount;
    private UtcInstant nextAttemptAt;

    // Under the gate, half-open only: trials without a result by serial, with their start, and how many were good.
    private readonly Dictionary<long, long> trials = [];
    private int goodTrials;

    // Under the gate: who waits to enter, and the timer that wakes them when time alone changes the answer.
    private TaskCompletionSource? waiting;
    private ITimer? timer;

    /// <summary>How many trials pass while half-open.</summary>
    public int TrialCalls => settings.TrialCalls;

    /// <summary>The state at this moment.</summary>
    public BreakerState State
    {
        get
        {
            lock (gate)
            {
                PassTime_NeedsLock();
                return state;
            }
        }
    }

    /// <summary>How often it has opened since start.</summary>
    public long OpenedCount => Interlocked.Read(ref openedCount);

    /// <summary>When the first trial may pass, in milliseconds since the epoch; 0 unless open.</summary>
    public long NextAttemptAtMs
    {
        get
        {
            lock (gate)
            {
                PassTime_NeedsLock();
                return state == BreakerState.Open ? nextAttemptAt.Ms : 0;
            }
        }
    }

    /// <summary>The calls that the current judgement rests on: all, failed, slow.</summary>
    public (int Calls, int Failed, int Slow) Window
    {
        get
        {
            lock (gate)
            {
                return (window.Count, window.Failed, window.Slow);
            }
        }
    }

    /// <summary>
    /// True with a permit when a call may be made now. Make it and <see cref="Report"/>, or <see cref="Abandon"/>. A
    /// lost permit does no harm while closed; a lost trial counts as failed after the trial time-out.
    /// </summary>
    public bool TryEnter(out BreakerPermit permit)
    {
        lock (gate)
        {
            PassTime_NeedsLock();
            if (!MayEnter_NeedsLock())
            {
                permit = default;
                return false;
            }

            permit = new BreakerPermit(epoch, ++serial, time.GetTimestamp());
            if (state == BreakerState.HalfOpen)
            {
                trials.Add(permit.Serial, permit.StartedAt);
                ArmTimer_NeedsLock();
            }

            return true;
        }
    }

    /// <summary>Gives the permit back with the result; the call took the time since the permit was given.</summary>
    public void Report(BreakerPermit permit, ProviderVerdict verdict)
    {
        var failed = verdict is ProviderVerdict.NotReached or ProviderVerdict.Unknown;
        lock (gate)
        {
            PassTime_NeedsLock();
            var slow = IsOver_NeedsLock(permit.StartedAt, settings.SlowMs, orEqual: false);
            if (permit.Epoch != epoch)
            {
                return;
            }

            if (state == BreakerState.Closed)
            {
                window.Add(failed, slow);
                if (window.IsTooBad)
                {
                    Open_NeedsLock();
                }
            }
            else if (trials.Remove(permit.Serial))
            {
                ReportTrial_NeedsLock(good: !failed && !slow);
            }
        }
    }

    /// <summary>Gives the permit back without a call, or without a result that says anything of the provider.</summary>
    public void Abandon(BreakerPermit permit)
    {
        lock (gate)
        {
            PassTime_NeedsLock();
            if (permit.Epoch == epoch && trials.Remove(permit.Serial))
            {
                Signal_NeedsLock();
            }
        }
    }

    /// <summary>
    /// Completes when <see cref="TryEnter"/> may succeed; at once when it may now. No promise: others can be faster, so
    /// callers loop. One waiter per provider that then drains a queue is kinder than one per request.
    /// </summary>
    public Task WhenMayEnterAsync(CancellationToken cancel)
    {
        lock (gate)
        {
            PassTime_NeedsLock();
            if (MayEnter_NeedsLock())
            {
                return Task.CompletedTask;
            }

            waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return waiting.Task.WaitAsync(cancel);
        }
    }

    /// <summary>Stops the timer; waiters then wait until they are cancelled.</summary>
    public void Dispose() => timer?.Dispose();

    private bool MayEnter_NeedsLock() => state switch
    {
        BreakerState.Closed => true,
        BreakerState.HalfOpen => trials.Count + goodTrials < settings.TrialCalls,
        _ => false,
    };

    // What time alone changes: open becomes half-open, and a trial that never came back has failed.
    private void PassTime_NeedsLock()
    {
        if (state == BreakerState.Open && IsOver_NeedsLock(openedAt, settings.OpenMs))
        {
            Enter_NeedsLock(BreakerState.HalfOpen);
            Signal_NeedsLock();
        }
        else if (state == BreakerState.HalfOpen
            && trials.Count > 0 && IsOver_NeedsLock(trials.Values.Min(), settings.TrialTimeoutMs))
        {
            Open_NeedsLock();
        }
    }

    private void ReportTrial_NeedsLock(bool good)
    {
        if (!good)
        {
            Open_NeedsLock();
        }
        else if (++goodTrials == settings.TrialCalls)
        {
            Enter_NeedsLock(BreakerState.Closed);
            Signal_NeedsLock();
        }
    }

    private void Open_NeedsLock()
    {
        Enter_NeedsLock(BreakerState.Open);
        openedAt = time.GetTimestamp();
        nextAttemptAt = UtcInstant.Now(time).Plus(TimeSpan.FromMilliseconds(settings.OpenMs));
        Interlocked.Increment(ref openedCount);
        ArmTimer_NeedsLock();
    }

    private void Enter_NeedsLock(BreakerState state)
    {
        this.state = state;
        epoch++;
        window.Clear();
        trials.Clear();
        goodTrials = 0;
    }

    private void Signal_NeedsLock()
    {
        if (MayEnter_NeedsLock())
        {
            waiting?.SetResult();
            waiting = null;
        }
    }

    private void ArmTimer_NeedsLock()
    {
        var (from, forMs) = state == BreakerState.Open
            ? (openedAt, settings.OpenMs)
            : (trials.Values.Min(), settings.TrialTimeoutMs);
        var left = TimeSpan.FromMilliseconds(forMs) - time.GetElapsedTime(from);
        // A timer may be early by a fraction of a millisecond.
        var due = TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(left.TotalMilliseconds)));
        timer ??= time.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        lock (gate)
        {
            PassTime_NeedsLock();
            if (state == BreakerState.Open || trials.Count > 0)
            {
                ArmTimer_NeedsLock();
            }
        }
    }

    private bool IsOver_NeedsLock(long since, int ms, bool orEqual = true)
    {
        var elapsed = time.GetElapsedTime(since);
        var limit = TimeSpan.FromMilliseconds(ms);
        return orEqual ? elapsed >= limit : elapsed > limit;
    }
}
