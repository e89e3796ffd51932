using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Access.Identity;

/// <summary>
/// Makes guessing slow: after so many failures an account, or an address, waits, and twice as long after each further
/// one. Attempts under way count as failures, so many at once gain nothing. Nodes tell each other what failed and what
/// succeeded; each counts for itself what it does not hear of.
/// </summary>
/// <remarks>
/// Names are spread over a fixed number of counters by a hash that is another in each process: the memory is bounded,
/// nobody can push out a counter by inventing names, and names that share one are rare and cannot be chosen.
/// </remarks>
public sealed class LoginThrottle
{
    private const string Topic = "log-ins";
    private const int NameBytes = 16;
    private const byte Failed = 0;
    private const byte Succeeded = 1;

    private readonly IdentitySettings settings;
    private readonly News news;
    private readonly TimeProvider time;

    // All under the gate.
    private readonly Lock gate = new();
    private readonly Counter[] accounts;
    private readonly Counter[] addresses;

    /// <summary>Nobody has failed yet, as far as this node knows.</summary>
    public LoginThrottle(IdentitySettings settings, News news, TimeProvider time)
    {
        (this.settings, this.news, this.time) = (settings, news, time);
        accounts = new Counter[settings.ThrottleCounters];
        addresses = new Counter[settings.ThrottleCounters];
        news.Listen(Topic, Hear);
    }

    /// <summary>
    /// Begins an attempt, which is taken back when it is disposed without a verdict. Null when it must wait, for
    /// <paramref name="wait"/>.
    /// </summary>
    /// <param name="email">The account in its normal form, existing or not; null for a sign-up.</param>
    /// <param name="address">Where it comes from; of an IPv6 address the network (64 bits) counts.</param>
    /// <param name="wait">How long, when it must.</param>
    public LoginAttempt? TryBegin(string? email, IPAddress? address, out TimeSpan wait)
    {
        var attempt = new LoginAttempt(
            this, email is null ? null : NumberOf(email), ClientAddress.NetworkOf(address));
        lock (gate)
        {
            var now = time.GetTimestamp();
            var until = AddressOf_NeedsLock(attempt).WaitsUntil;
            if (attempt.Account is { } account)
            {
                until = Math.Max(until, accounts[IndexOf(account)].WaitsUntil);
            }

            if (now < until)
            {
                wait = time.GetElapsedTime(now, until);
                return null;
            }

            Count_NeedsLock(attempt.Account, attempt.Network);
        }

        wait = TimeSpan.Zero;
        return attempt;
    }

    /// <summary>It stays counted, and the other nodes count it too.</summary>
    internal void Fail(LoginAttempt attempt) => Tell(Failed, attempt);

    /// <summary>Forgets the failures of the account, and of the address this attempt only.</summary>
    internal void Succeed(LoginAttempt attempt)
    {
        lock (gate)
        {
            TakeBack_NeedsLock(ref AddressOf_NeedsLock(attempt), settings.AddressFailuresMax);
            Forgive_NeedsLock(attempt.Account);
        }

        Tell(Succeeded, attempt);
    }

    /// <summary>As if the attempt had not been made.</summary>
    internal void TakeBack(LoginAttempt attempt)
    {
        lock (gate)
        {
            TakeBack_NeedsLock(ref AddressOf_NeedsLock(attempt), settings.AddressFailuresMax);
            if (attempt.Account is { } account)
            {
                TakeBack_NeedsLock(ref accounts[IndexOf(account)], settings.AccountFailuresMax);
            }
        }
    }

    // Of an e-mail the others learn a number from which it cannot be read.
    private void Tell(byte verdict, LoginAttempt attempt)
    {
        Span<byte> body = stackalloc byte[1 + (2 * NameBytes)];
        body[0] = verdict;
        BinaryPrimitives.WriteUInt128BigEndian(body[1..], attempt.Network);
        BinaryPrimitives.WriteUInt128BigEndian(body[(1 + NameBytes)..], attempt.Account ?? 0);
        news.Tell(Topic, attempt.Account is null ? body[..(1 + NameBytes)] : body);
    }

    private void Hear(ReadOnlyMemory<byte> message)
    {
        var body = message.Span;
        if (body.Length is not (1 + NameBytes or 1 + (2 * NameBytes)))
        {
            return; // Of another release.
        }

        var network = BinaryPrimitives.ReadUInt128BigEndian(body[1..]);
        UInt128? account = body.Length > 1 + NameBytes
            ? BinaryPrimitives.ReadUInt128BigEndian(body[(1 + NameBytes)..])
            : null;
        lock (gate)
        {
            if (body[0] == Failed)
            {
                Count_NeedsLock(account, network);
            }
            else
            {
                Forgive_NeedsLock(account); // The attempt was not counted here.
            }
        }
    }

    private void Forgive_NeedsLock(UInt128? account)
    {
        if (account is { } known)
        {
            accounts[IndexOf(known)] = default;
        }
    }

    private void Count_NeedsLock(UInt128? account, UInt128 network)
    {
        var now = time.GetTimestamp();
        Count_NeedsLock(ref addresses[IndexOf(network)], settings.AddressFailuresMax, now);
        if (account is { } counted)
        {
            Count_NeedsLock(ref accounts[IndexOf(counted)], settings.AccountFailuresMax, now);
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

    private ref Counter AddressOf_NeedsLock(LoginAttempt attempt) => ref addresses[IndexOf(attempt.Network)];

    private static UInt128 NumberOf(string email) =>
        BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(email)));

    private int IndexOf(UInt128 name) => (int)((uint)HashCode.Combine(name) % (uint)settings.ThrottleCounters);

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

    internal LoginAttempt(LoginThrottle throttle, UInt128? account, UInt128 network) =>
        (this.throttle, Account, Network) = (throttle, account, network);

    internal UInt128? Account { get; }

    internal UInt128 Network { get; }

    /// <summary>It stays counted.</summary>
    public void Fail()
    {
        isJudged = true;
        throttle.Fail(this);
    }

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
