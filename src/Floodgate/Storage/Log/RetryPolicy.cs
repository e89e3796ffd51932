namespace Floodgate.Storage.Log;

/// <summary>When a failed event is tried again: exponential backoff with jitter, then never. Pure.</summary>
public sealed class RetryPolicy(int attemptsMax, int delayMsFirst, int delayMsMax)
{
    /// <summary>
    /// The delay after the given number of tries, or null when there is no further try. Between half and the whole of
    /// the doubled delay, so that what failed together does not come back together.
    /// </summary>
    /// <param name="attempts">Tries so far, from 1.</param>
    /// <param name="chance">A random number from 0 up to 1.</param>
    public TimeSpan? DelayAfter(int attempts, double chance)
    {
        if (attempts >= attemptsMax)
        {
            return null;
        }

        var whole = Math.Min(delayMsMax, delayMsFirst * Math.Pow(2, Math.Min(attempts - 1, 30)));
        return TimeSpan.FromMilliseconds(whole * (0.5 + (chance / 2)));
    }
}
