using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// Finds tickets for their owners: live ones in memory, those that are over in the table. Asking is a sign of life.
/// </summary>
internal sealed class TicketDesk(
    Database database, WaitingRooms rooms, StockBoard stock, AdmissionSettings settings, TimeProvider time)
{
    private const int PollMsMin = 1_000;
    private const int PollMsForEachAhead = 10;
    private const int PollMsInside = 5_000;
    private const int PollsPerSecondAtOpening = 5_000;

    /// <summary>The live ticket of a buyer in a room; null without one.</summary>
    public async ValueTask<TicketAnswer?> FindAsync(Room room, string buyer)
    {
        await KnowStockAsync(room);
        return room.ViewOf(buyer) is { } view ? AnswerOf(view) : null;
    }

    /// <summary>A ticket; null when it is not known, or its place was given to a newer one of its buyer.</summary>
    public ValueTask<TicketAnswer?> FindAsync(Guid ticket, CancellationToken cancel) =>
        rooms.FindOf(ticket) is { NeedsStock: false } room && room.View(ticket) is { } view
            ? new(AnswerOf(view))
            : LookUpAsync(ticket, cancel);

    /// <summary>The room of a live ticket; null when it is over.</summary>
    public Room? RoomOf(Guid ticket) => rooms.FindOf(ticket);

    private async ValueTask<TicketAnswer?> LookUpAsync(Guid ticket, CancellationToken cancel)
    {
        if (rooms.FindOf(ticket) is { } room)
        {
            await KnowStockAsync(room);
            if (room.View(ticket) is { } view)
            {
                return AnswerOf(view);
            }
        }

        var stored = (await database.ReadAsync(tx => AdmissionSql.SelectAsync(tx, [ticket]), cancel)).FirstOrDefault();
        return stored is null ? null : await ReadAsync(stored, cancel);
    }

    private async ValueTask<TicketAnswer?> ReadAsync(Ticket stored, CancellationToken cancel)
    {
        if (!stored.State.IsFinal() && rooms.Find(stored.SaleId) is { } room)
        {
            // Committed, and whoever wrote it never heard: it is in the line from now on, in its place.
            room.Add([stored]);
            return room.View(stored.Id) is { } view ? AnswerOf(view) : null;
        }

        var terms = rooms.Find(stored.SaleId)?.Terms
            ?? await database.ReadAsync(tx => AdmissionSql.FindRoomAsync(tx, stored.SaleId), cancel);
        if (terms is null)
        {
            return null;
        }

        var left = await stock.OfSaleAsync(stored.SaleId);
        return AnswerOf(new TicketView(
            new Waiter(stored.Id, stored.State, stored.ExpiresMs),
            terms,
            stored.Buyer,
            Position: 0,
            Waiting: null,
            WaitSeconds: null,
            terms.StateAt(UtcInstant.Now(time)),
            AdmissionRate.IsSoldOut(left),
            left));
    }

    private async ValueTask KnowStockAsync(Room room)
    {
        if (room.NeedsStock)
        {
            room.Note(await stock.OfSaleAsync(room.Terms.SaleId));
        }
    }

    private TicketAnswer AnswerOf(TicketView view)
    {
        var ticket = view.Ticket;
        var pass = ticket.State == TicketState.Active
            ? rooms.Passes.Of(ticket.Id, view.Terms.SaleId, view.Buyer, ticket.ExpiresMs)
            : null;
        return new(view, pass, PollAfterMs(view));
    }

    // Who is far back asks rarely, because asking is the real load of a waiting room; a quarter more or less by ticket
    // spreads those who began together.
    private int? PollAfterMs(TicketView view)
    {
        if (view.Ticket.State.IsFinal())
        {
            return null;
        }

        var share = (view.Ticket.Id.GetHashCode() & 0xFF) / 1_024.0;
        var untilOpenMs = view.Terms.OpensMs - UtcInstant.Now(time).Ms;
        if (view.Waiting is { } waiting && untilOpenMs < settings.PollMsMax)
        {
            // All want to know their place once it is drawn. They come one after the other, or they would come at once.
            var spreadMs = Math.Min(waiting * 1_000L / PollsPerSecondAtOpening, settings.PollMsMax);
            return (int)Math.Max(PollMsMin, untilOpenMs + (spreadMs * 4 * share));
        }

        var ms = view.Ticket.State == TicketState.Active ? PollMsInside
            : view.Position > 0 ? PollMsMin + ((view.Position - 1L) * PollMsForEachAhead)
            : untilOpenMs;
        ms = Math.Clamp(ms, PollMsMin, settings.PollMsMax);
        return (int)(ms + (ms * share));
    }
}
