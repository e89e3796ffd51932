using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// What a node does because others serve the same lines: it reads on where their joins are numbered, compares its
/// memory with the table, tells who was heard of, and takes the lease under which one of them admits. News only makes
/// it quicker: with Redis away everything here is found by asking, and the order is that of the table. Of one loop.
/// </summary>
internal sealed class RoomFollower(
    Database database,
    WaitingRooms rooms,
    LeaseBook leases,
    NodeBook nodes,
    News news,
    SignsOfLife signs,
    AdmissionSettings settings,
    AdmissionTools tools)
{
    private const string LeaseName = "admission";
    private const int CheckedMax = 500;

    private static readonly TimeSpan LeaseLength = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);

    private readonly TimeProvider time = tools.Time;

    private Lease? lease;
    private long askedAt;
    private long? deafAt;

    /// <summary>
    /// True in the one node that admits. Whoever begins compares every line with the table first: the one before may
    /// have admitted somebody a moment ago.
    /// </summary>
    public async ValueTask<bool> MayAdmitAsync(CancellationToken stop)
    {
        if (!rooms.IsShared)
        {
            return true;
        }

        if (askedAt != 0 && time.GetElapsedTime(askedAt) < AskEvery)
        {
            return lease is not null;
        }

        askedAt = time.GetTimestamp();
        if (lease is { } held)
        {
            lease = null; // Until it is known: an answer that fails to come is none.
            lease = await leases.RenewAsync(held, LeaseLength, stop);
            return lease is not null;
        }

        if (await leases.TryTakeAsync(LeaseName, nodes.Name, LeaseLength, stop) is not { } taken)
        {
            return false;
        }

        foreach (var room in rooms.All)
        {
            await rooms.ReloadAsync(room, (tickets, stored) => Follow(room, tickets, stored));
        }

        lease = taken;
        return true;
    }

    /// <summary>True while no other node has begun to admit; holds that until the commit.</summary>
    public async ValueTask<bool> StillAdmitsAsync(Tx tx)
    {
        if (!rooms.IsShared)
        {
            return true;
        }

        if (lease is { } held && await LeaseBook.HoldsAsync(tx, held))
        {
            return true;
        }

        lease = null;
        return false;
    }

    /// <summary>Gives the lease back, so that another node goes on at once.</summary>
    public async ValueTask GiveUpAsync(CancellationToken cancel)
    {
        if (lease is { } held)
        {
            lease = null;
            try
            {
                await leases.ReleaseAsync(held, cancel);
            }
            catch (Exception error) when (error is DatabaseUnavailableException or OperationCanceledException)
            {
                // It ends by itself.
            }
        }
    }

    /// <summary>Takes what other nodes did.</summary>
    /// <param name="isLooking">Once a second: whether to compare with the table too.</param>
    /// <param name="stop">Ends it.</param>
    public async ValueTask FollowAsync(bool isLooking, CancellationToken stop)
    {
        if (!rooms.IsShared)
        {
            return;
        }

        deafAt = nodes.IsSomebodyDeaf ? time.GetTimestamp() : deafAt;
        var all = rooms.All.ToDictionary(room => room.Terms.SaleId);
        var joined = await database.ReadAsync(
            tx => AdmissionSql.SelectJoinedAsync(tx, [.. all.Values.Select(room => room.NextJoins())]), stop);
        var ofRooms = joined.ToLookup(ticket => ticket.SaleId);
        foreach (var (saleId, room) in all)
        {
            room.Follow([.. ofRooms[saleId]]);
            if (isLooking)
            {
                await CheckAsync(room, stop);
                await signs.NoteAsync(saleId, room.TakeHeardOf());
            }
        }
    }

    /// <summary>
    /// Those of the tickets that no node has heard of. Nobody while it cannot be told: Redis was away for any node
    /// within that time, or knows less than it.
    /// </summary>
    public async ValueTask<IReadOnlyList<Guid>> AbandonedAsync(Room room, IReadOnlyList<Guid> unseen)
    {
        if (!rooms.IsShared || unseen.Count == 0)
        {
            return unseen;
        }

        if ((deafAt is { } at && time.GetElapsedTime(at).TotalSeconds < settings.AbandonedSeconds)
            || await signs.AgoAsync(room.Terms.SaleId, unseen, settings.AbandonedSeconds) is not { } ago)
        {
            return [];
        }

        var alive = unseen.Zip(ago).Where(one => one.Second < settings.AbandonedSeconds).ToList();
        room.Heard([.. alive.Select(one => (one.First, one.Second!.Value))]);
        return [.. unseen.Except(alive.Select(one => one.First))];
    }

    /// <summary>Memory does what the table says; a ticket without a row is over.</summary>
    public void Follow(Room room, IReadOnlyList<Guid> tickets, IReadOnlyList<Ticket> stored)
    {
        var isFree = room.Change([.. tickets.Except(stored.Select(ticket => ticket.Id))], TicketState.Expired);
        foreach (var ticket in stored.Where(ticket => ticket.State != TicketState.Waiting))
        {
            isFree |= room.Change([ticket.Id], ticket.State, ticket.ExpiresMs);
        }

        if (isFree)
        {
            rooms.Freed.Set();
        }
    }

    // Admissions come from the front, so that is where a node that heard nothing finds them within a second.
    private async ValueTask CheckAsync(Room room, CancellationToken stop)
    {
        var waiting = room.NextToCheck(news.IsDeaf ? settings.BatchMax : CheckedMax, CheckedMax);
        if (waiting.Count > 0)
        {
            Follow(room, waiting, await database.ReadAsync(tx => AdmissionSql.SelectAsync(tx, waiting), stop));
        }
    }
}
