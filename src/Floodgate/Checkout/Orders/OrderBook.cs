using System.Collections.Concurrent;
using Floodgate.Access;
using Floodgate.Checkout.Admission;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>What can come of placing an order, in the order in which it is checked.</summary>
public enum PlaceOutcome
{
    /// <summary>The same key is being decided at this moment: ask again.</summary>
    KeyInUse,

    /// <summary>The queue is full: ask again later.</summary>
    Busy,

    /// <summary>The key was used for another order.</summary>
    KeyReused,

    /// <summary>Placed before under the same key with the same request: the same order again.</summary>
    Replayed,

    /// <summary>The sale is not open yet.</summary>
    SaleNotOpen,

    /// <summary>The sale is over, or a product was taken out of it.</summary>
    SaleEnded,

    /// <summary>The waiting-room ticket is not active any more: used, left or expired.</summary>
    TicketNotActive,

    /// <summary>The buyer would hold and own more of a product than one buyer may.</summary>
    LimitPerBuyer,

    /// <summary>A named seat is held or sold.</summary>
    SeatTaken,

    /// <summary>Fewer are available than are wanted.</summary>
    InsufficientStock,

    /// <summary>Held, and its payment asked for if that was wanted too.</summary>
    Placed,
}

/// <summary>An outcome; the order when it was placed or replayed, else the product that was in the way.</summary>
public readonly record struct Placed(PlaceOutcome Outcome, Order? Order, Guid ProductId = default);

/// <summary>What a buyer asks for; all of it checked as far as that needs no stored state.</summary>
/// <param name="Sale">The sale of all its lines.</param>
/// <param name="Buyer">Who buys.</param>
/// <param name="IdempotencyKey">Unique among the buyer's orders.</param>
/// <param name="RequestHash">Tells a repeat from another order.</param>
/// <param name="Lines">The basket.</param>
/// <param name="Method">Pay at once with it; null: hold only.</param>
/// <param name="Ticket">The waiting-room ticket of a good pass; empty when the sale has no waiting room.</param>
public sealed record OrderRequest(
    Sale Sale,
    Buyer Buyer,
    string IdempotencyKey,
    string RequestHash,
    IReadOnlyList<WantedLine> Lines,
    string? Method,
    Guid Ticket);

/// <summary>
/// Takes orders, each once for its key: all that arrive together are decided in one transaction, in the order of their
/// arrival, and answered after its commit.
/// </summary>
public sealed class OrderBook : IAsyncDisposable
{
    // Set once.
    private readonly Database database;
    private readonly HoldBook holds;
    private readonly SoldOutBoard soldOut;
    private readonly OrderMoves moves;
    private readonly OrderTools tools;
    private readonly GroupCommit<Placing, Placed> placing;
    private readonly GroupCommit<OrderChange, Changed> changing;

    // Keys between arrival and commit.
    private readonly ConcurrentDictionary<(Buyer Buyer, string Key), bool> inUse = new();

    /// <summary>Starts the group commits.</summary>
    internal OrderBook(Database database, HoldBook holds, SoldOutBoard soldOut, OrderMoves moves, OrderTools tools)
    {
        this.database = database;
        this.holds = holds;
        this.soldOut = soldOut;
        this.moves = moves;
        this.tools = tools;
        var settings = tools.Settings;
        GroupCommitLimits Limits(string name) => new(
            name, settings.QueueMax, settings.BatchMax, database.WritersMax, settings.GiveUpMs);
        placing = new(database, PlaceAsync, Limits("orders"), tools.Time);
        changing = new(database, moves.DecideAsync, Limits("order-changes"), tools.Time);
    }

    /// <summary>
    /// Places an order: holds all of it or nothing, and asks for its payment in the same transaction if a method is
    /// given, which uses its ticket up. Locks the pools of its products, then the tickets; appends
    /// <c>order.payment-requested</c>. Idempotent by the buyer's key; a refusal is not remembered. Of what is known to
    /// be sold out it is refused at once, without the database.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; the same key may be sent
    /// again.</exception>
    public async ValueTask<Placed> PlaceAsync(OrderRequest request)
    {
        var now = UtcInstant.Now(tools.Time);
        if (request.Sale.StateAt(now) == SaleState.Scheduled)
        {
            return new(PlaceOutcome.SaleNotOpen, null);
        }

        var buyer = request.Buyer.ToString();
        foreach (var line in request.Lines)
        {
            if (soldOut.IsFor(line.Offer.Product.Id, buyer))
            {
                return new(PlaceOutcome.InsufficientStock, null, line.Offer.Product.Id);
            }
        }

        var key = (request.Buyer, request.IdempotencyKey);
        if (!inUse.TryAdd(key, true))
        {
            return new(PlaceOutcome.KeyInUse, null);
        }

        try
        {
            var command = new Placing(tools.Ids.Next(), tools.Ids.Next(), buyer, request, now.Ms);
            return placing.TrySubmit(command) is { } placed ? await placed : new(PlaceOutcome.Busy, null);
        }
        finally
        {
            inUse.TryRemove(key, out _);
        }
    }

    /// <summary>
    /// Pays or cancels an order. Locks it, and its pools when something is given back. A repeat changes nothing and is
    /// answered as the first time. Null when the queue is full.
    /// </summary>
    /// <exception cref="DatabaseUnavailableException">The database stayed away; ask again.</exception>
    public async ValueTask<Changed?> ChangeAsync(OrderChange change) =>
        changing.TrySubmit(change) is { } changed ? await changed : null;

    /// <summary>The order with this id, or null.</summary>
    public async ValueTask<Order?> FindAsync(Guid id, CancellationToken cancel) =>
        (await database.ReadAsync(tx => OrdersSql.SelectAsync(tx, [id]), cancel)).FirstOrDefault();

    /// <summary>The orders with these ids that there are, in no order.</summary>
    public static ValueTask<List<Order>> FindAsync(Tx tx, IReadOnlyList<Guid> ids) => OrdersSql.SelectAsync(tx, ids);

    /// <summary>Orders after an id, by id: of one buyer, else of one sale, else of all.</summary>
    public ValueTask<List<Order>> ListAsync(
        Buyer? buyer, Guid? saleId, Guid after, int page, CancellationToken cancel) => database.ReadAsync(
        tx => OrdersSql.SelectPageAsync(tx, buyer?.ToString(), saleId, after, page), cancel);

    /// <summary>Finishes what was taken in.</summary>
    public async ValueTask DisposeAsync()
    {
        await placing.DisposeAsync();
        await changing.DisposeAsync();
    }

    private async ValueTask<IReadOnlyList<Placed>> PlaceAsync(Tx tx, IReadOnlyList<Placing> batch)
    {
        var known = (await OrdersSql.SelectByKeysAsync(
            tx, [.. batch.Select(p => (p.Buyer, p.Request.IdempotencyKey))]))
            .ToDictionary(o => (o.Facts.Buyer, o.Facts.IdempotencyKey));
        var tickets = batch.Select(p => p.Request.Ticket).Where(t => t != Guid.Empty).ToList();
        var active = tickets.Count == 0 ? [] : (await tools.Rooms.ActiveAsync(tx, tickets)).ToHashSet();
        var outcomes = new Placed[batch.Count];
        var wanted = new List<int>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            if (Refuse(batch[i], known, active) is { } refused)
            {
                outcomes[i] = refused;
            }
            else
            {
                wanted.Add(i);
            }
        }

        var held = await holds.TakeAsync(
            tx, [.. wanted.Select(i => new Basket(batch[i].Id, batch[i].Buyer, batch[i].Request.Lines))]);
        var orders = new List<Order>(wanted.Count);
        foreach (var (n, i) in wanted.Index())
        {
            outcomes[i] = held[n].Outcome == HoldOutcome.Held
                ? new(PlaceOutcome.Placed, OrderOf(batch[i], held[n].Lines))
                : new(OutcomeOf(held[n].Outcome), null, held[n].RefusedProductId);
            if (outcomes[i].Order is { } order)
            {
                orders.Add(order);
            }
        }

        await WriteAsync(tx, orders);
        return outcomes;
    }

    private async ValueTask WriteAsync(Tx tx, List<Order> orders)
    {
        if (orders.Count == 0)
        {
            return;
        }

        if ((await OrdersSql.InsertAsync(tx, orders)).Count < orders.Count)
        {
            throw new DatabaseUnavailableException(
                "Another node used one of these keys meanwhile: decided again, the batch sees what it did.");
        }

        OrdersSql.InsertDue(tx, orders);
        await OrderMoves.UseTicketsAsync(tx, tools.Rooms, orders);
        await tools.Log.AppendAsync(tx, [.. orders.Where(o => o.Method is not null).Select(OrderMoves.PaymentOf)]);
        tx.OnCommitted(() => OrdersLog.CountPlaced(orders.Count));
    }

    /// <summary>
    /// The checks before the stock, in the order of <see cref="PlaceOutcome"/>; null when all is well.
    /// </summary>
    private static Placed? Refuse(
        Placing placing, Dictionary<(string, string), Order> known, HashSet<Guid> active)
    {
        var request = placing.Request;
        if (known.TryGetValue((placing.Buyer, request.IdempotencyKey), out var earlier))
        {
            // The same id: this very command was committed by a try whose answer was lost.
            return earlier.Facts.RequestHash != request.RequestHash ? new(PlaceOutcome.KeyReused, null)
                : new(earlier.Id == placing.Id ? PlaceOutcome.Placed : PlaceOutcome.Replayed, earlier);
        }

        if (request.Sale.StateAt(new UtcInstant(placing.AtMs)) == SaleState.Ended
            || request.Lines.Any(l => l.Offer.Product.IsWithdrawn))
        {
            return new(PlaceOutcome.SaleEnded, null);
        }

        // Asking for the payment uses the ticket up, so of two orders of this batch with one ticket the first may pay.
        var isActive = request.Ticket == Guid.Empty
            || (request.Method is null ? active.Contains(request.Ticket) : active.Remove(request.Ticket));
        return isActive ? null : new(PlaceOutcome.TicketNotActive, null);
    }

    private static PlaceOutcome OutcomeOf(HoldOutcome outcome) => outcome switch
    {
        HoldOutcome.LimitPerBuyer => PlaceOutcome.LimitPerBuyer,
        HoldOutcome.SeatTaken => PlaceOutcome.SeatTaken,
        _ => PlaceOutcome.InsufficientStock,
    };

    private Order OrderOf(Placing placing, IReadOnlyList<HeldLine> held)
    {
        var request = placing.Request;
        var lines = held.Select((h, n) => new OrderLine(
            n, h.Wanted.Offer.Product.Id, h.Wanted.Offer.Product.MerchantId, h.Wanted.Quantity, h.Places, h.Amount,
            IsCancelled: false)).ToList();
        var amount = new Money(checked(lines.Sum(l => l.Amount)), request.Sale.Terms.Currency);
        var facts = new OrderFacts(
            placing.Id, request.Sale.Id, placing.Buyer, request.IdempotencyKey, request.RequestHash, amount,
            placing.PaymentId, request.Ticket, placing.AtMs);
        var isPaid = request.Method is not null;
        var seconds = isPaid ? tools.Settings.PaymentSeconds : tools.Settings.HoldSeconds;
        return new Order(facts, lines)
        {
            State = isPaid ? OrderState.PaymentPending : OrderState.TemporaryAssigned,
            Method = request.Method,
            PayKey = isPaid ? request.IdempotencyKey : null,
            ExpiresMs = placing.AtMs + (seconds * 1_000L),
            ChangedMs = placing.AtMs,
        };
    }

    /// <summary>A request on its way into a batch: the ids that its order and payment would have.</summary>
    private sealed record Placing(Guid Id, Guid PaymentId, string Buyer, OrderRequest Request, long AtMs);
}

/// <summary>What orders need besides their stores.</summary>
internal sealed record OrderTools(
    OrdersSettings Settings, WaitingRooms Rooms, IEventLog Log, Ids Ids, TimeProvider Time);
