using System.Buffers;
using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Catalog;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// The refusals of waiting rooms; clients branch on the codes. Those of passes are beside the passes.
/// </summary>
internal static class AdmissionProblems
{
    public static readonly ProblemKind TicketNotFound = new(404, "ticket_not_found", "There is no such ticket.");

    public static readonly ProblemKind NoWaitingRoom = new(409, "no_waiting_room", "The sale has no waiting room.");

    public static readonly ProblemKind SaleEnded = new(409, "sale_ended", "The sale is over.");

    public static readonly ProblemKind RoomConflict = new(
        409, "waiting_room_conflict", "Somebody changed the waiting room since it was read.");

    public static readonly ProblemKind Elsewhere = new(
        503, "waiting_room_elsewhere", "Another process keeps the waiting rooms.");

    public static readonly ProblemKind StreamsFull = new(
        503, "ticket_streams_full", "Too many event streams of tickets are open.");
}

/// <summary>The routes of buyers: join, look, listen, leave.</summary>
internal sealed class QueueHttp(
    WaitingRooms rooms,
    TicketBook book,
    TicketDesk desk,
    CatalogBook catalog,
    AdmissionSettings settings,
    TimeProvider time)
{
    private const int RetryAfterSeconds = 1;
    private const int StreamsRetryAfterSeconds = 5;

    private int streams;

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/sales/{id}/queue", Who.Buyer | Who.MerchantKey, JoinAsync, Limit.QueueJoin);
        routes.Map("GET", "/v1/queue/{ticket}", Who.Public, ShowAsync, Limit.QueuePoll);
        routes.Map("GET", "/v1/queue/{ticket}/events", Who.Public, StreamAsync);
        routes.Map("DELETE", "/v1/queue/{ticket}", Who.Public, LeaveAsync, Limit.QueuePoll);
    }

    private async Task JoinAsync(HttpContext context, Caller caller)
    {
        if (await FindRoomAsync(context) is not { } room)
        {
            return;
        }

        if (caller.UserId is null && room.Terms.MerchantId is { } owner && owner != caller.MerchantId)
        {
            await Problem.WriteAsync(
                context, Problems.Forbidden, "A merchant's key joins for its customers in its own and the platform's "
                    + "sales only.");
            return;
        }

        if (await Body.ReadAsync(context, AdmissionBodies.Default.JoinBody, new JoinBody()) is not { } body
            || await Buyer.ReadAsync(context, caller, body.UserId) is not { } buyer)
        {
            return;
        }

        var name = buyer.ToString();
        if (await desk.FindAsync(room, name) is { } known)
        {
            await Answer.WriteAsync(context, 200, known, AdmissionJson.Write);
            return;
        }

        await AnswerAsync(context, await book.JoinAsync(room, name));
    }

    private async Task AnswerAsync(HttpContext context, Join join)
    {
        if (join.Outcome is JoinOutcome.Full or JoinOutcome.Busy)
        {
            var setting = join.Outcome == JoinOutcome.Full ? "Admission:TicketsMax" : "Admission:QueueMax";
            await Problem.WriteAsync(
                context, Problems.Unavailable, $"The queue is full ({setting}). Send the same request again.",
                RetryAfterSeconds);
            return;
        }

        context.Response.Headers.Location = $"/v1/queue/{join.Ticket}";
        if (await desk.FindAsync(join.Ticket, context.RequestAborted) is not { } answer)
        {
            await Problem.WriteAsync(context, AdmissionProblems.TicketNotFound, "It ended meanwhile. Join again.");
            return;
        }

        await Answer.WriteAsync(context, join.Outcome == JoinOutcome.Joined ? 201 : 200, answer, AdmissionJson.Write);
    }

    private async Task ShowAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context) is { } answer)
        {
            context.Response.Headers.CacheControl = "no-store";
            await Answer.WriteAsync(context, 200, answer, AdmissionJson.Write);
        }
    }

    private async Task LeaveAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context) is not { } answer)
        {
            return;
        }

        if (!answer.View.Ticket.State.IsFinal() && !await book.LeaveAsync(answer.View.Ticket.Id))
        {
            await Problem.WriteAsync(
                context, Problems.Unavailable, "The queue is full (Admission:QueueMax). Send the same request again.",
                RetryAfterSeconds);
            return;
        }

        context.Response.StatusCode = 204;
    }

    /// <summary>
    /// Server-sent events: the ticket at once, when it changes, and every 5 s with its position of that moment; it ends
    /// after a final state, when the room goes, or when the server stops.
    /// </summary>
    private async Task StreamAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context) is not { } answer)
        {
            return;
        }

        if (Interlocked.Increment(ref streams) > settings.StreamsMax)
        {
            Interlocked.Decrement(ref streams);
            await Problem.WriteAsync(
                context, AdmissionProblems.StreamsFull, "Poll GET /v1/queue/{ticket}, or try again.",
                StreamsRetryAfterSeconds);
            return;
        }

        AdmissionLog.CountStream(1);
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
        try
        {
            await StreamAsync(context, answer.View.Ticket.Id);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has left: that is how a stream usually ends.
        }
        finally
        {
            AdmissionLog.CountStream(-1);
            Interlocked.Decrement(ref streams);
        }
    }

    private async Task StreamAsync(HttpContext context, Guid ticket)
    {
        var cancel = context.RequestAborted;
        if (desk.RoomOf(ticket) is not { } room)
        {
            await PushAsync(context, ticket); // It is over, and was before.
            return;
        }

        var listener = room.Listeners.Add(ticket);
        try
        {
            using var left = cancel.UnsafeRegister(static one => ((TicketListener)one!).Ring(), listener);
            while (!room.IsClosed && await PushAsync(context, ticket))
            {
                await listener.WaitAsync();
                cancel.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            room.Listeners.Remove(listener);
        }
    }

    /// <summary>Writes the ticket as it is now; false when it was the last time.</summary>
    private async ValueTask<bool> PushAsync(HttpContext context, Guid ticket)
    {
        if (await desk.FindAsync(ticket, context.RequestAborted) is not { } answer)
        {
            return false;
        }

        var body = context.Response.BodyWriter;
        var json = Answer.Render(answer, AdmissionJson.Write);
        body.Write("event: ticket\ndata: "u8);
        body.Write(json);
        body.Write("\n\n"u8);
        await body.FlushAsync(context.RequestAborted);
        return !answer.View.Ticket.State.IsFinal();
    }

    private async ValueTask<Room?> FindRoomAsync(HttpContext context)
    {
        if (await IsElsewhereAsync(context))
        {
            return null;
        }

        var isId = Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id);
        var now = UtcInstant.Now(time);
        if (rooms.Find(id) is { } room && room.Terms.StateAt(now) != SaleState.Ended)
        {
            return room;
        }

        var sale = isId ? await catalog.FindSaleAsync(id, context.RequestAborted) : null;
        await (sale is null
            ? Problem.WriteAsync(context, Problems.NotFound, "There is no such sale. Check the id.")
            : sale.StateAt(now) == SaleState.Ended
                ? Problem.WriteAsync(context, AdmissionProblems.SaleEnded, "Nobody can join any more.")
                : Problem.WriteAsync(
                    context, AdmissionProblems.NoWaitingRoom, "Nobody has to wait: order at once, without a pass."));
        return null;
    }

    private async ValueTask<TicketAnswer?> FindAsync(HttpContext context)
    {
        if (await IsElsewhereAsync(context))
        {
            return null;
        }

        var answer = Guid.TryParseExact((string?)context.Request.RouteValues["ticket"], "D", out var ticket)
            ? await desk.FindAsync(ticket, context.RequestAborted)
            : null;
        if (answer is null)
        {
            await Problem.WriteAsync(
                context, AdmissionProblems.TicketNotFound,
                "Check the ticket. It also goes when its buyer joins anew, and some time after the sale.");
        }
        else if (!answer.Value.View.Ticket.State.IsFinal() && !rooms.IsRequired(answer.Value.View.Terms.SaleId))
        {
            await Problem.WriteAsync(
                context, AdmissionProblems.NoWaitingRoom, "Nobody has to wait any more: order without a pass.");
            return null;
        }

        return answer;
    }

    private async ValueTask<bool> IsElsewhereAsync(HttpContext context)
    {
        if (rooms.ServesLines)
        {
            return false;
        }

        await Problem.WriteAsync(
            context, AdmissionProblems.Elsewhere,
            "This process has Server:Role api and no Coordination:Redis. Set that on every node, or send queue " +
                "requests to the process with Server:Role all.");
        return true;
    }
}
