namespace Floodgate.Storage.Coordination;

/// <summary>
/// A lease that one loop wants for as long as it runs, so that of the same loops in several processes one works. Used
/// by that loop alone. What is under way when a lease is lost is not called back, so the work must bear to be repeated.
/// </summary>
/// <param name="leases">The leases of the database.</param>
/// <param name="name">What it is for.</param>
/// <param name="owner">This process.</param>
/// <param name="length">How long the work stands still after its owner died; asked for three times as often.</param>
/// <param name="time">The clock.</param>
public sealed class KeptLease(LeaseBook leases, string name, string owner, TimeSpan length, TimeProvider time)
{
    private Lease? held;
    private long? askedAt;

    /// <summary>Takes or renews the lease when it is time to; true while this loop has it.</summary>
    /// <exception cref="Database.DatabaseUnavailableException">It is not known; ask again.</exception>
    public async ValueTask<bool> KeepAsync(CancellationToken cancel)
    {
        if (askedAt is not { } at || time.GetElapsedTime(at) >= length / 3)
        {
            held = held is { } old ? await leases.RenewAsync(old, length, cancel) : null;
            held ??= await leases.TryTakeAsync(name, owner, length, cancel);
            askedAt = time.GetTimestamp();
        }

        return held is { } mine && leases.IsLive(mine);
    }

    /// <summary>Gives it back, so that another takes it with its next question.</summary>
    public async ValueTask LeaveAsync()
    {
        if (held is { } mine)
        {
            held = null;
            await leases.ReleaseAsync(mine, CancellationToken.None);
        }
    }
}
