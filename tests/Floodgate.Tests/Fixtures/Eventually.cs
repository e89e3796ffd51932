using System.Diagnostics;

namespace Floodgate.Tests.Fixtures;

/// <summary>
/// Waits for a condition of another process by asking often; the deadline turns a hang into a message.
/// </summary>
public static class Eventually
{
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Returns as soon as <paramref name="holds"/> answers true. After <paramref name="deadline"/> it throws
    /// <see cref="TimeoutException"/> with <paramref name="what"/>, which is read only then.
    /// </summary>
    public static async Task HoldsAsync(Func<Task<bool>> holds, TimeSpan deadline, Func<string> what)
    {
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(AskEvery);
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(started) > deadline)
            {
                throw new TimeoutException($"After {deadline.TotalSeconds} s still not: {what()}");
            }

            await timer.WaitForNextTickAsync();
        }
    }
}
