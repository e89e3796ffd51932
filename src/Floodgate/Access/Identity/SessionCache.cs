using System.Collections.Concurrent;
using Floodgate.Storage.Coordination.Shared;

namespace Floodgate.Access.Identity;

/// <summary>
/// Sessions seen alive lately, so that a token costs a look-up now and then only. A session that ends on this node is
/// gone from here before its end is answered, and one that ends on another node is told. While that may not be told,
/// nothing here is believed and the database is asked. Bounded: a full one is emptied, which costs look-ups and never
/// memory.
/// </summary>
internal sealed class SessionCache(IdentitySettings settings, TimeProvider time, News news)
{
    // Read by every request with a token; written under the gate.
    private readonly ConcurrentDictionary<Guid, long> liveUntil = new();

    // Under the gate.
    private readonly Lock gate = new();
    private int count;
    private long ends;

    /// <summary>How many sessions have ended here: taken before a look-up and given back with its answer.</summary>
    public long Ends => Interlocked.Read(ref ends);

    /// <summary>True when the session was alive a short while ago.</summary>
    public bool IsLive(Guid session) =>
        !news.IsDeaf && liveUntil.TryGetValue(session, out var until) && time.GetTimestamp() < until;

    /// <summary>Keeps that it lives, unless any session has ended since: it may be this one.</summary>
    public void PutLive(Guid session, long endsBefore)
    {
        lock (gate)
        {
            if (ends != endsBefore)
            {
                return;
            }

            if (count >= settings.SessionsCachedMax)
            {
                liveUntil.Clear();
                count = 0;
            }

            var until = time.GetTimestamp() + (long)(settings.SessionCached.TotalSeconds * time.TimestampFrequency);
            count += liveUntil.TryAdd(session, until) ? 1 : 0;
            liveUntil[session] = until;
        }
    }

    /// <summary>Any may have ended: all are looked up again.</summary>
    public void Forget()
    {
        lock (gate)
        {
            ends++;
            liveUntil.Clear();
            count = 0;
        }
    }

    /// <summary>The session has ended, as the database knows already.</summary>
    public void Remove(Guid session)
    {
        lock (gate)
        {
            ends++;
            count -= liveUntil.TryRemove(session, out _) ? 1 : 0;
        }
    }
}
