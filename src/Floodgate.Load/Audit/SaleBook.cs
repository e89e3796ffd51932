using System.Runtime.InteropServices;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Audit;

/// <summary>Orders that a run offered, so that the auditor can hold the server to its answers.</summary>
/// <param name="Book">What became of each offer.</param>
/// <param name="BuyerOf">The user id that offer number <c>n</c> named.</param>
/// <param name="PaysOf">True when offer <c>n</c> asked for payment, at once or later.</param>
internal sealed record OfferedOrders(OfferBook Book, Func<int, string> BuyerOf, Func<int, bool> PaysOf);

/// <summary>What to audit of the sales.</summary>
/// <param name="SaleIds">The sales of this run; null = all.</param>
/// <param name="Offers">What the run offered; empty when it only audits.</param>
internal sealed record SaleScope(IReadOnlyList<Guid>? SaleIds, IReadOnlyList<OfferedOrders> Offers)
{
    /// <summary>Every sale on the server, whoever made it.</summary>
    public static SaleScope WholeServer { get; } = new(null, []);

    /// <summary>Gets the orders once they are read, for figures of the run's own.</summary>
    public Action<SaleBook>? Read { get; init; }

    /// <summary>Numbers of offers that repeated an earlier one's key, and that one's number.</summary>
    public IReadOnlyList<(int Repeat, int First)> Repeats { get; init; } = [];
}

/// <summary>All that the orders say of one product.</summary>
internal sealed class ProductTally(WireProduct product)
{
    /// <summary>The product as the catalogue shows it.</summary>
    public WireProduct Product => product;

    /// <summary>What the server says is left of it; null when it says nothing.</summary>
    public WireStock? Stock { get; set; }

    /// <summary>Its rows of seats, when it has any.</summary>
    public WireSeats? Seats { get; set; }

    /// <summary>Units in held lines and in sold ones.</summary>
    public long Held { get; set; }

    /// <summary>Units in sold lines.</summary>
    public long Sold { get; set; }

    /// <summary>Who has each seat that is held or sold: how many orders, and the first of them.</summary>
    public Dictionary<string, (int Orders, Guid First)> SeatOwners { get; } = [];

    /// <summary>Lines whose number of seats is not their quantity.</summary>
    public int LinesWithWrongSeats { get; set; }

    /// <summary>Units that each buyer holds and owns.</summary>
    public Dictionary<string, int> PerBuyer { get; } = [];
}

/// <summary>Gathers what the API lists of the sales: stock, seats, orders, and which payments belong to which order.
/// </summary>
internal sealed class SaleBook
{
    private readonly Dictionary<Guid, ProductTally> products = [];
    private readonly Dictionary<Guid, WireOrder> orders = [];
    private readonly Dictionary<Guid, List<Guid>> paymentsOf = [];

    /// <summary>Products by id.</summary>
    public IReadOnlyDictionary<Guid, ProductTally> Products => products;

    /// <summary>Orders by id.</summary>
    public IReadOnlyDictionary<Guid, WireOrder> Orders => orders;

    /// <summary>Orders that were listed more than once.</summary>
    public int ListedTwice { get; private set; }

    /// <summary>One product of the catalogue.</summary>
    public void Add(WireProduct product) => products[product.Id] = new ProductTally(product);

    /// <summary>Forgets the orders, to read them again.</summary>
    public void ForgetOrders()
    {
        orders.Clear();
        ListedTwice = 0;
        foreach (var (id, tally) in products.ToList())
        {
            products[id] = new ProductTally(tally.Product);
        }
    }

    /// <summary>One order as the API lists it.</summary>
    public void Add(WireOrder order)
    {
        if (!orders.TryAdd(order.Id, order))
        {
            ListedTwice++;
            return;
        }

        foreach (var line in order.Lines)
        {
            if (products.TryGetValue(line.ProductId, out var tally) && line.Status is "HELD" or "SOLD")
            {
                Add(tally!, order, line);
            }
        }
    }

    /// <summary>One payment; only those of orders are kept.</summary>
    public void Add(WirePayment payment)
    {
        if (Guid.TryParse(payment.OrderId, out var order))
        {
            ref var list = ref CollectionsMarshal.GetValueRefOrAddDefault(paymentsOf, order, out _);
            (list ??= []).Add(payment.Id);
        }
    }

    /// <summary>The payments of an order.</summary>
    public IReadOnlyList<Guid> PaymentsOf(Guid order) => paymentsOf.TryGetValue(order, out var list) ? list : [];

    private static void Add(ProductTally tally, WireOrder order, WireOrderLine line)
    {
        var sold = line.Status == "SOLD";
        tally.Sold += sold ? line.Quantity : 0;
        tally.Held += sold ? 0 : line.Quantity;
        CollectionsMarshal.GetValueRefOrAddDefault(tally.PerBuyer, order.UserId, out _) += line.Quantity;
        var seats = line.Seats ?? [];
        tally.LinesWithWrongSeats += tally.Product.Kind == "SEATS" && seats.Count != line.Quantity ? 1 : 0;
        foreach (var seat in seats)
        {
            ref var owner = ref CollectionsMarshal.GetValueRefOrAddDefault(tally.SeatOwners, seat, out var known);
            owner = (owner.Orders + 1, known ? owner.First : order.Id);
        }
    }
}
