using Floodgate.Checkout.Catalog;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Admission;

/// <summary>What can come of a change to a room, in the order in which it is checked.</summary>
internal enum RoomOutcome
{
    /// <summary>There is no such sale, or it is another merchant's.</summary>
    NotFound,

    /// <summary>The sale has no waiting room to be paused.</summary>
    NoRoom,

    /// <summary>Somebody changed it since it was read.</summary>
    VersionConflict,

    /// <summary>It is stored, and in force here; on other nodes when they hear of it, or within a second.</summary>
    Done,
}

/// <summary>An outcome with the room, when there is one.</summary>
internal readonly record struct ChangedRoom(RoomOutcome Outcome, RoomTerms? Terms);

/// <summary>The settings of waiting rooms, for merchants and operators; on every node.</summary>
internal sealed class RoomBook(Database database, CatalogBook catalog, WaitingRooms rooms)
{
    /// <summary>
    /// The room of a sale, also one that is not enabled; null terms when there never was one. Outcomes: NotFound, Done.
    /// </summary>
    public async ValueTask<ChangedRoom> FindAsync(Editor editor, Guid saleId, CancellationToken cancel) =>
        await MayChangeAsync(editor, saleId, cancel)
            ? new(
                RoomOutcome.Done,
                await database.ReadAsync(tx => AdmissionSql.FindRoomAsync(tx, saleId), cancel))
            : new(RoomOutcome.NotFound, null);

    /// <summary>
    /// Sets the rules of a room, and makes it when there is none. With a version it must be at that one. Locks the
    /// room. Outcomes: NotFound, VersionConflict, Done.
    /// </summary>
    public async ValueTask<ChangedRoom> SaveAsync(
        Editor editor, Guid saleId, RoomRules rules, long? version, CancellationToken cancel)
    {
        if (!await MayChangeAsync(editor, saleId, cancel))
        {
            return new(RoomOutcome.NotFound, null);
        }

        var changed = await database.WriteAsync(
            async tx =>
            {
                var now = await AdmissionSql.LockRoomAsync(tx, saleId);
                if (version is not null && version != (now ?? 0))
                {
                    return new ChangedRoom(RoomOutcome.VersionConflict, null);
                }

                AdmissionSql.Upsert(tx, saleId, rules);
                return new ChangedRoom(RoomOutcome.Done, await AdmissionSql.FindRoomAsync(tx, saleId));
            },
            cancel);
        await rooms.RefreshAsync(cancel);
        rooms.TellRules();
        return changed;
    }

    /// <summary>
    /// Stops or goes on with admitting. A repeat changes nothing. Outcomes: NotFound, NoRoom, Done.
    /// </summary>
    public async ValueTask<ChangedRoom> PauseAsync(
        Editor editor, Guid saleId, bool isPaused, CancellationToken cancel)
    {
        if (!await MayChangeAsync(editor, saleId, cancel))
        {
            return new(RoomOutcome.NotFound, null);
        }

        var terms = await database.WriteAsync(
            tx =>
            {
                AdmissionSql.Pause(tx, saleId, isPaused);
                return AdmissionSql.FindRoomAsync(tx, saleId);
            },
            cancel);
        await rooms.RefreshAsync(cancel);
        rooms.TellRules();
        return new(terms is null ? RoomOutcome.NoRoom : RoomOutcome.Done, terms);
    }

    private async ValueTask<bool> MayChangeAsync(Editor editor, Guid saleId, CancellationToken cancel) =>
        await catalog.FindSaleAsync(saleId, cancel) is { } sale && editor.MayChange(sale.Terms.MerchantId);
}
