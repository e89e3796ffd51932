using System.Security.Cryptography;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Access.RateLimits;
using Floodgate.Checkout.Admission;
using Floodgate.Checkout.Holds;

namespace Floodgate.Checkout.Orders;

/// <summary>The routes of orders.</summary>
internal sealed class OrdersHttp(OrderBook book, OrderDesk desk, WaitingRooms rooms, OrdersSettings settings)
{
    private const Who Buying = Who.Buyer | Who.MerchantKey;
    private const int PageMax = 1_000;
    private const string NotActiveDetail =
        "It was used to pay, given up, or its time is over. Join again with POST /v1/sales/{id}/queue.";

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/orders", Buying, PlaceAsync, Limit.Order);
        routes.Map("GET", "/v1/orders", Buying | Who.MerchantOrAdmin, ListAsync);
        routes.Map("GET", "/v1/orders/{id}", Buying | Who.MerchantOrAdmin, GetAsync);
        routes.Map("GET", "/v1/orders/{id}/events", Buying | Who.MerchantOrAdmin, StreamAsync);
        routes.Map("POST", "/v1/orders/{id}/pay", Buying, PayAsync, Limit.Order);
        routes.Map("POST", "/v1/orders/{id}/cancel", Buying | Who.MerchantOrAdmin, CancelAsync);
    }

    private async Task PlaceAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, OrderBodies.Default.OrderBody) is not { } body
            || await Buyer.ReadAsync(context, caller, body.UserId) is not { } buyer
            || await ReadLinesAsync(context, caller, body) is not { } lines)
        {
            return;
        }

        var pass = rooms.IsRequired(body.SaleId)
            ? rooms.Check(context.Request.Headers[PassProblems.Header], body.SaleId, buyer)
            : new CheckedPass(PassVerdict.Good, Guid.Empty);
        if (pass.Verdict is not (PassVerdict.Good or PassVerdict.Expired))
        {
            await RefusePassAsync(context, pass.Verdict);
            return;
        }

        var hash = SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(body, OrderBodies.Default.OrderBody));
        var request = new OrderRequest(
            lines[0].Offer.Sale, buyer, key, Convert.ToBase64String(hash), lines, body.Pay?.Method, pass.Ticket);
        var placed = await book.PlaceAsync(request);
        if (placed.Order is not { } order)
        {
            OrdersLog.CountRefused(placed.Outcome);
            await (placed.Outcome == PlaceOutcome.TicketNotActive && pass.Verdict == PassVerdict.Expired
                ? RefusePassAsync(context, PassVerdict.Expired)
                : RefuseAsync(context, placed, request));
            return;
        }

        if (placed.Outcome == PlaceOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        context.Response.Headers.Location = $"/v1/orders/{order.Id}";
        await desk.AnswerAsync(context, 201, order, body.Pay is not null);
    }

    private async Task GetAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context, caller) is { } order)
        {
            await desk.AnswerAsync(context, 200, order, mayWait: false);
        }
    }

    private async Task StreamAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context, caller) is { } order)
        {
            await desk.StreamAsync(context, order.Id);
        }
    }

    /// <summary>A buyer sees its own, a merchant its customers' and, with saleId, those that it earns from.</summary>
    private async Task ListAsync(HttpContext context, Caller caller)
    {
        if (await ReadQueryAsync(context, "saleId") is not { } saleId
            || await ReadUserAsync(context, caller) is not { } user
            || await Paging.ReadAsync(context, PageMax) is not { } paging)
        {
            return;
        }

        var asker = AskerOf(caller);
        var buyer = asker.Buyer ?? user.Buyer;
        if (caller.Role == Role.Merchant && buyer is null && saleId.Id is null)
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter,
                    "Say ?saleId= with a sale, or ?userId= with one of your customers.");
            return;
        }

        // What is not the asker's is passed over, so pages are read until one is full.
        var shown = new List<Order>();
        var after = paging.After;
        while (shown.Count <= paging.Limit)
        {
            var page = await book.ListAsync(buyer, saleId.Id, after, paging.Limit + 1, context.RequestAborted);
            shown.AddRange(page.Where(o => asker.Sees(o) && (saleId.Id is null || o.Facts.SaleId == saleId.Id)));
            if (page.Count <= paging.Limit)
            {
                break;
            }

            after = page[^1].Id;
        }

        await desk.AnswerAsync(context, shown, paging.Limit);
    }

    private async Task PayAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id
            || await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, OrderBodies.Default.PayBody) is not { } body)
        {
            return;
        }

        if (BasketRequests.FaultOf(body) is { } fault)
        {
            await Problem.WriteAsync(context, fault.Kind, fault.Detail);
            return;
        }

        var change = new OrderChange(id, AskerOf(caller), OrderChangeKind.Pay, body.Method, key, null);
        await ChangeAsync(context, change, 202);
    }

    private async Task CancelAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is { } id
            && await Body.ReadAsync(context, OrderBodies.Default.CancelBody, new CancelBody()) is { } body)
        {
            var change = new OrderChange(id, AskerOf(caller), OrderChangeKind.Cancel, null, null, body.MerchantId);
            await ChangeAsync(context, change, 200);
        }
    }

    private async Task ChangeAsync(HttpContext context, OrderChange change, int status)
    {
        var changed = await book.ChangeAsync(change);
        if (changed is not { Outcome: ChangeOutcome.Done or ChangeOutcome.Replayed, Order: { } order })
        {
            await RefuseAsync(context, changed);
            return;
        }

        if (changed.Value.Outcome == ChangeOutcome.Replayed)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        await desk.AnswerAsync(context, status, order, mayWait: change.Kind == OrderChangeKind.Pay);
    }

    /// <summary>The basket; null after the request was refused. A merchant's key sells its own products only.</summary>
    private async ValueTask<List<WantedLine>?> ReadLinesAsync(HttpContext context, Caller caller, OrderBody body)
    {
        var fault = BasketRequests.FaultOf(body, settings);
        var lines = new List<WantedLine>(body.Items.Count);
        for (var n = 0; n < body.Items.Count && fault is null; n++)
        {
            var offer = await desk.Offers.FindAsync(body.Items[n].ProductId);
            if (offer is not null && lines.Count > 0 && offer.Sale.Terms.Currency != lines[0].Offer.Sale.Terms.Currency)
            {
                fault = new(OrderProblems.MixedCurrencies, $"items[{n}] is priced in another currency than items[0].");
            }
            else if (BasketRequests.Read(body.Items[n], $"items[{n}]", offer, body.SaleId, settings,
                out fault) is { } line)
            {
                lines.Add(line);
                if (caller.UserId is null && line.Offer.Product.MerchantId != caller.MerchantId)
                {
                    fault = new(Problems.Forbidden,
                        $"items[{n}] is another merchant's; your key sells your own products.");
                }
            }
        }

        if ((fault ?? BasketRequests.FaultOf(lines)) is not { } found)
        {
            return lines;
        }

        await Problem.WriteAsync(context, found.Kind, found.Detail);
        return null;
    }

    private async Task<Order?> FindAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id)
        {
            return null;
        }

        var order = await book.FindAsync(id, context.RequestAborted);
        if (order is not null && AskerOf(caller).Sees(order))
        {
            return order;
        }

        await Problem.WriteAsync(context, OrderProblems.OrderNotFound, $"You have no order {id}. Check the id.");
        return null;
    }

    private static Asker AskerOf(Caller caller) => caller is { Role: Role.Buyer, UserId: { } user }
        ? new(new Buyer(Buyer.Platform, user.ToString()), null)
        : new(null, caller.MerchantId);

    private static ValueTask<Guid?> ReadIdAsync(HttpContext context) =>
        RouteId.ReadAsync(context, OrderProblems.OrderNotFound);

    private static async ValueTask<Sought?> ReadQueryAsync(HttpContext context, string name)
    {
        if (!context.Request.Query.TryGetValue(name, out var text))
        {
            return new Sought(null, null);
        }

        if (Guid.TryParseExact(text, "D", out var id))
        {
            return new Sought(id, null);
        }

        await Problem.WriteAsync(context, Problems.InvalidParameter, $"{name} must be an id as it was given out here.");
        return null;
    }

    private static async ValueTask<Sought?> ReadUserAsync(HttpContext context, Caller caller)
    {
        if (!context.Request.Query.TryGetValue("userId", out var user) || caller.Role == Role.Buyer)
        {
            return new Sought(null, null);
        }

        var realm = caller.MerchantId ?? (string?)context.Request.Query["realm"] ?? Buyer.Platform;
        return await Buyer.ReadAsync(context, Caller.OfMerchant(realm), user) is { } buyer
            ? new Sought(null, buyer)
            : null;
    }

    private static Task RefusePassAsync(HttpContext context, PassVerdict verdict)
    {
        var (kind, detail) = PassProblems.Of(verdict);
        return Problem.WriteAsync(context, kind, detail);
    }

    private static Task RefuseAsync(HttpContext context, Placed placed, OrderRequest request) => placed.Outcome switch
    {
        PlaceOutcome.KeyInUse => Problem.WriteAsync(
            context, OrderProblems.KeyInUse, "Send the same request again for its answer.", 1),
        PlaceOutcome.Busy => Problem.WriteAsync(
            context, Problems.Unavailable, "The queue is full (Orders:QueueMax). Send the same request again.", 1),
        PlaceOutcome.KeyReused => Problem.WriteAsync(
            context, Problems.IdempotencyKeyReused,
            $"This {IdempotencyKey.Header} was used for another order. Send a new key for a new intent."),
        PlaceOutcome.SaleNotOpen => Problem.WriteAsync(
            context, OrderProblems.SaleNotOpen, $"It opens at {Show(request.Sale.Terms.OpensMs)}."),
        PlaceOutcome.SaleEnded => Problem.WriteAsync(
            context, OrderProblems.SaleEnded, "The sale has ended, or a product was taken out of it."),
        PlaceOutcome.TicketNotActive => Problem.WriteAsync(
            context, PassProblems.NotActive, NotActiveDetail),
        PlaceOutcome.LimitPerBuyer => Problem.WriteAsync(
            context, OrderProblems.LimitPerBuyer,
            $"One buyer may hold and own {LimitOf(placed, request)} of product {placed.ProductId}. Order fewer."),
        PlaceOutcome.SeatTaken => Problem.WriteAsync(
            context, OrderProblems.SeatTaken,
            $"A seat of product {placed.ProductId} that you named is held or sold. Look at the seats again."),
        _ => Problem.WriteAsync(
            context, OrderProblems.InsufficientStock,
            $"Fewer of product {placed.ProductId} are left than you want. What is held may come back."),
    };

    private static int? LimitOf(Placed placed, OrderRequest request) =>
        request.Lines.First(l => l.Offer.Product.Id == placed.ProductId).Offer.Product.Terms.LimitPerBuyer;

    private static string StateOf(Changed? changed) => OrdersSql.NameOf(changed!.Value.Order!.State);

    private static string Show(long ms) => new Vocabulary.UtcInstant(ms).ToString();

    private static Task RefuseAsync(HttpContext context, Changed? changed) => changed?.Outcome switch
    {
        null => Problem.WriteAsync(
            context, Problems.Unavailable, "The queue is full (Orders:QueueMax). Send the same request again.", 1),
        ChangeOutcome.NotPayable => Problem.WriteAsync(
            context, OrderProblems.NotPayable,
            $"It is {StateOf(changed)}; only a held order that has not expired is paid, once."),
        ChangeOutcome.TicketNotActive => Problem.WriteAsync(
            context, PassProblems.NotActive, NotActiveDetail),
        ChangeOutcome.PaymentPending => Problem.WriteAsync(
            context, OrderProblems.PaymentPending,
                "Wait until its status is no longer PAYMENT_PENDING, and ask again.", 1),
        ChangeOutcome.NotCancellable => Problem.WriteAsync(
            context, OrderProblems.NotCancellable,
            $"It is {StateOf(changed)}, or has no lines of that merchant for you to give back."),
        _ => Problem.WriteAsync(context, OrderProblems.OrderNotFound, "You have no such order. Check the id."),
    };

    /// <summary>What a list is narrowed to; both null for everything.</summary>
    private sealed record Sought(Guid? Id, Buyer? Buyer);
}
