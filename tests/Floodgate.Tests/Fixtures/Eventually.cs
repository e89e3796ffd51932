using System.Diagnostics;

namespace Floodgate.Tests.Fixtures;

/// <summary>
/// Waits for a condition of another process by asking often; the deadline turns a hang into a message.
/// </summary>
public static class Eventually
{
    /// <summary>
    /// How long a test waits for anything at all: a machine may be as busy as it likes, and only a hang takes longer.
    /// </summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Returns as soon as <paramref name="holds"/> answers true. After <see cref="Deadline"/> it throws
    /// <see cref="TimeoutException"/> with <paramref name="what"/>, which is read only then.
    /// </summary>
    public static async Task HoldsAsync(Func<Task<bool>> holds, Func<string> what)
    {
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(AskEvery);
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > Deadline)
            {
                throw new TimeoutException($"After {Deadline.TotalSeconds} s still not: {what()}");
            }

            await timer.WaitForNextTickAsync();
        }
    }
}
