using Floodgate.Access;
using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>The refusals of orders; clients branch on the codes.</summary>
internal static class OrderProblems
{
    public static readonly ProblemKind InsufficientStock = new(
        409, "insufficient_stock", "There are not as many left.");

    public static readonly ProblemKind SeatTaken = new(409, "seat_taken", "A seat is taken.");

    public static readonly ProblemKind SeatUnknown = new(422, "seat_unknown", "There is no such seat.");

    public static readonly ProblemKind ProductNotInSale = new(
        422, "product_not_in_sale", "A product is not in this sale.");

    public static readonly ProblemKind MixedCurrencies = new(
        422, "mixed_currencies", "An order is in one currency.");

    public static readonly ProblemKind SaleNotOpen = new(409, "sale_not_open", "The sale is not open yet.");

    public static readonly ProblemKind SaleEnded = new(409, "sale_ended", "The sale is over.");

    public static readonly ProblemKind LimitPerBuyer = new(
        409, "limit_per_buyer", "One buyer may not have as many.");

    public static readonly ProblemKind AmountOutOfRange = new(
        422, "amount_out_of_range", "The amount is not one that can be paid.");

    public static readonly ProblemKind OrderNotFound = new(404, "order_not_found", "There is no such order.");

    public static readonly ProblemKind NotPayable = new(409, "order_not_payable", "The order cannot be paid.");

    public static readonly ProblemKind PaymentPending = new(
        409, "payment_pending", "The payment of the order has no outcome yet.");

    public static readonly ProblemKind NotCancellable = new(
        409, "order_not_cancellable", "The order cannot be cancelled.");

    public static readonly ProblemKind KeyInUse = new(
        409, "idempotency_key_in_use", "The first request with this key is still running.");
}

/// <summary>A refusal with the sentence that belongs to it.</summary>
internal readonly record struct OrderFault(ProblemKind Kind, string Detail);

/// <summary>From bodies to baskets: every check that needs no more than the catalogue.</summary>
internal static class BasketRequests
{
    private static OrderFault Field(string detail) => new(Problems.InvalidField, detail);

    /// <summary>What is wrong with the shape of a basket; null when nothing is.</summary>
    public static OrderFault? FaultOf(OrderBody body, OrdersSettings settings) =>
        body.Items.Count == 0 ? Field("items is empty; name at least one product.")
        : body.Items.Count > settings.LinesMax
            ? Field($"items has {body.Items.Count} entries; at most {settings.LinesMax} are taken (Orders:LinesMax).")
        : body.Pay is { } pay ? FaultOf(pay)
        : null;

    /// <summary>What is wrong with a way to pay; null when nothing is.</summary>
    public static OrderFault? FaultOf(PayBody pay) =>
        pay.Method is "GATEWAY" or "WALLET" ? null : Field("method must be GATEWAY or WALLET.");

    /// <summary>A line of the basket; null with a fault.</summary>
    /// <param name="item">As it was sent.</param>
    /// <param name="field">Its name in messages, such as <c>items[0]</c>.</param>
    /// <param name="offer">Its product; null when there is none.</param>
    /// <param name="saleId">The sale of the order.</param>
    /// <param name="settings">The limits.</param>
    /// <param name="fault">What is wrong.</param>
    public static WantedLine? Read(
        ItemBody item, string field, Offer? offer, Guid saleId, OrdersSettings settings, out OrderFault? fault)
    {
        if (offer is null || offer.Product.SaleId != saleId)
        {
            fault = new(OrderProblems.ProductNotInSale, $"{field}.productId {item.ProductId} is not in sale {saleId}.");
            return null;
        }

        fault = FaultOf(item, field, offer, settings);
        var places = fault is null && item.Seats is { } names
            ? ReadSeats(names, $"{field}.seats", offer.Seats!, out fault)
            : null;
        return fault is null
            ? new WantedLine(offer, places?.Count ?? item.Quantity!.Value, places, item.Section, item.Tier)
            : null;
    }

    /// <summary>What is wrong with a whole basket; null when nothing is.</summary>
    public static OrderFault? FaultOf(IReadOnlyList<WantedLine> lines) =>
        lines.Aggregate((Int128)0, (sum, line) => sum + (line.Quantity * (Int128)line.Offer.AmountMax))
            > Money.PaymentMinorMax
            ? new(OrderProblems.AmountOutOfRange,
                $"The order could cost more than {Money.PaymentMinorMax} minor units: order fewer.")
            : null;

    private static OrderFault? FaultOf(ItemBody item, string field, Offer offer, OrdersSettings settings)
    {
        if (item.Seats is null)
        {
            if (item.Quantity is not { } quantity || quantity < 1 || quantity > settings.QuantityMax)
            {
                return Field($"{field}.quantity must be from 1 to {settings.QuantityMax} (Orders:QuantityMax).");
            }
        }
        else if (item.Seats.Count == 0 || item.Seats.Count > settings.QuantityMax
            || (item.Quantity is { } asked && asked != item.Seats.Count))
        {
            return Field(
                $"{field}.seats must name 1 to {settings.QuantityMax} seats; quantity, if given, is their number.");
        }
        else if (item.Section is not null || item.Tier is not null)
        {
            return Field($"{field} names seats; section and tier are for the best that is available.");
        }

        return offer.Seats is null && (item.Seats is not null || item.Section is not null || item.Tier is not null)
            ? Field($"{field} is of a product without seats: give its quantity only.")
            : null;
    }

    private static List<int>? ReadSeats(
        IReadOnlyList<string> names, string field, SeatMap map, out OrderFault? fault)
    {
        var places = new List<int>(names.Count);
        fault = null;
        foreach (var name in names)
        {
            if (!map.TryFind(name, out var place))
            {
                fault = new(
                    OrderProblems.SeatUnknown,
                    $"{field} names {Shortened(name)}; it is SECTION-ROW-NUMBER as GET /v1/sales/ID/seats shows it.");
                return null;
            }

            places.Add(place.Value);
        }

        fault = places.Distinct().Count() < places.Count ? Field($"{field} names a seat twice.") : null;
        return places;
    }

    private static string Shortened(string text) => text.Length <= 64 ? text : $"{text[..64]}...";
}
