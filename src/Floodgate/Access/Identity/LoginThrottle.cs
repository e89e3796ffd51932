using System.Net;

namespace Floodgate.Access.Identity;

/// <summary>
/// Makes guessing slow: after so many failures an account, or an address, waits, and twice as long after each further
/// one. Counts on this node only. Attempts under way count as failures, so many at once gain nothing.
/// </summary>
/// <remarks>
/// Names are spread over a fixed number of counters by a hash that is another in each process: the memory is bounded,
/// nobody can push out a counter by inventing names, and names that share one are rare and cannot be chosen.
/// </remarks>
public sealed class LoginThrottle(IdentitySettings settings, TimeProvider time)
{
    // All under the gate.
    private readonly Lock gate = new();
    private readonly Counter[] accounts = new Counter[settings.ThrottleCounters];
    private readonly Counter[] addresses = new Counter[settings.ThrottleCounters];

    /// <summary>
    /// Begins an attempt, which is taken back when it is disposed without a verdict. Null when it must wait, for
    /// <paramref name="wait"/>.
    /// </summary>
    /// <param name="email">The account in its normal form, existing or not; null for a sign-up.</param>
    /// <param name="address">Where it comes from; of an IPv6 address the network (64 bits) counts.</param>
    /// <param name="wait">How long, when it must.</param>
    public LoginAttempt? TryBegin(string? email, IPAddress? address, out TimeSpan wait)
    {
        var network = IndexOf(ClientAddress.NetworkOf(address));
        var attempt = new LoginAttempt(this, email is null ? null : IndexOf(email), network);
        lock (gate)
        {
            var now = time.GetTimestamp();
            var until = addresses[attempt.Address].WaitsUntil;
            if (attempt.Account is { } account)
            {
                until = Math.Max(until, accounts[account].WaitsUntil);
            }

            if (now < until)
            {
                wait = time.GetElapsedTime(now, until);
                return null;
            }

            Count_NeedsLock(ref addresses[attempt.Address], settings.AddressFailuresMax, now);
            if (attempt.Account is { } counted)
            {
                Count_NeedsLock(ref accounts[counted], settings.AccountFailuresMax, now);
            }
        }

        wait = TimeSpan.Zero;
        return attempt;
    }

    /// <summary>Forgets the failures of the account, and of the address this attempt only.</summary>
    internal void Succeed(LoginAttempt attempt)
    {
        lock (gate)
        {
            TakeBack_NeedsLock(ref addresses[attempt.Address], settings.AddressFailuresMax);
            if (attempt.Account is { } account)
            {
                accounts[account] = default;
            }
        }
    }

    /// <summary>As if the attempt had not been made.</summary>
    internal void TakeBack(LoginAttempt attempt)
    {
        lock (gate)
        {
            TakeBack_NeedsLock(ref addresses[attempt.Address], settings.AddressFailuresMax);
            if (attempt.Account is { } account)
            {
                TakeBack_NeedsLock(ref accounts[account], settings.AccountFailuresMax);
            }
        }
    }

    private void Count_NeedsLock(ref Counter counter, int failuresMax, long now)
    {
        if (time.GetElapsedTime(Math.Max(counter.LastAt, counter.WaitsUntil), now) >= settings.ThrottleMax)
        {
            counter = default;
        }

        counter.Failures++;
        counter.LastAt = now;
        if (counter.Failures >= failuresMax)
        {
            var doublings = Math.Min(counter.Failures - failuresMax, 20);
            var seconds = settings.ThrottleFirst.TotalSeconds * (1 << doublings);
            counter.WaitsUntil = now
                + (long)(Math.Min(seconds, settings.ThrottleMax.TotalSeconds) * time.TimestampFrequency);
        }
    }

    private static void TakeBack_NeedsLock(ref Counter counter, int failuresMax)
    {
        counter.Failures = Math.Max(0, counter.Failures - 1);
        if (counter.Failures < failuresMax)
        {
            counter.WaitsUntil = 0;
        }
    }

    private int IndexOf<T>(T name)
        where T : notnull => (int)((uint)HashCode.Combine(name) % (uint)settings.ThrottleCounters);

    private struct Counter
    {
        public int Failures;
        public long LastAt;
        public long WaitsUntil;
    }
}

/// <summary>A log-in or sign-up under way. Used by one caller at a time.</summary>
public sealed class LoginAttempt : IDisposable
{
    private readonly LoginThrottle throttle;
    private bool isJudged;

    internal LoginAttempt(LoginThrottle throttle, int? account, int address) =>
        (this.throttle, Account, Address) = (throttle, account, address);

    internal int? Account { get; }

    internal int Address { get; }

    /// <summary>It stays counted.</summary>
    public void Fail() => isJudged = true;

    /// <summary>The account starts anew; its address loses this attempt only.</summary>
    public void Succeed()
    {
        isJudged = true;
        throttle.Succeed(this);
    }

    /// <summary>Takes the attempt back unless it was judged.</summary>
    public void Dispose()
    {
        if (!isJudged)
        {
            isJudged = true;
            throttle.TakeBack(this);
        }
    }
}
