namespace Floodgate.Storage.Coordination;

/// <summary>
/// A bell for one waiting loop. However often it is rung, the loop passes once, and a ring while the loop works
/// lets it pass the next time: a wake-up is never lost.
/// </summary>
public sealed class Signal
{
    private volatile TaskCompletionSource bell = NewBell();

    /// <summary>Rings; costs next to nothing when it was rung already. Never runs the waiting loop itself.</summary>
    public void Set() => bell.TrySetResult();

    /// <summary>Waits for a ring, at most so long; true when it was rung.</summary>
    public async ValueTask<bool> WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            await bell.Task.WaitAsync(atMost, time, cancel);
        }
        catch (TimeoutException)
        {
            return false;
        }

        // Hung up again before the caller looks: whoever rang the old bell did so before this look.
        bell = NewBell();
        return true;
    }

    private static TaskCompletionSource NewBell() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
