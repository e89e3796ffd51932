using Floodgate.Tests.Fixtures;

namespace Floodgate.Tests.Drills;

/// <summary>Counts requests and answers, so that a drill can strike at a random one of them.</summary>
internal sealed class Moments
{
    // Under the gate: what has happened so far, and who waits for how much.
    private readonly Lock gate = new();
    private long happened;
    private (long At, TaskCompletionSource Reached)? awaited;

    /// <summary>Completes with the n-th request or answer from now, or fails as the first of these tasks did.</summary>
    public async Task HappenAsync(int times, IReadOnlyList<Task> buyers)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            awaited = (happened + times, reached);
        }

        var first = await Task.WhenAny([reached.Task, .. buyers]).WaitAsync(Eventually.Deadline);
        await first;
    }

    /// <summary>One more.</summary>
    public void Happen()
    {
        lock (gate)
        {
            happened++;
            if (awaited is { } waiting && waiting.At <= happened)
            {
                waiting.Reached.TrySetResult();
                awaited = null;
            }
        }
    }
}
