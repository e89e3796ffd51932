using System.Collections.Concurrent;
using Floodgate.Checkout.Catalog;

namespace Floodgate.Checkout.Holds;

/// <summary>All that is needed to decide on a basket and does not change by selling.</summary>
/// <param name="Product">The product.</param>
/// <param name="Sale">Its sale.</param>
/// <param name="Seats">Its seats; null for stock.</param>
public sealed record Offer(Product Product, Sale Sale, SeatMap? Seats)
{
    private readonly Dictionary<string, long> amounts = Product.Terms.Tiers.ToDictionary(t => t.Name, t => t.Amount);

    /// <summary>The price of one unit of stock, in minor units.</summary>
    public long Amount => Product.Terms.Tiers[0].Amount;

    /// <summary>The price of a seat, in minor units.</summary>
    public long AmountOf(int place) => amounts[Seats!.RowOf(place).Tier];

    /// <summary>The highest price in it.</summary>
    public long AmountMax => Product.Terms.Tiers.Max(t => t.Amount);
}

/// <summary>
/// What is on sale, from memory. A change made by this process is seen at once, one made elsewhere within a second.
/// </summary>
public sealed class OfferBoard
{
    private const int KeptMax = 10_000;
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    private readonly CatalogBook book;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<Guid, Kept> kept = new();

    // Counted by changes: a read that began before one is not kept.
    private long generation;

    /// <summary>Listens to changes of the catalogue.</summary>
    public OfferBoard(CatalogBook book, TimeProvider time)
    {
        this.book = book;
        this.time = time;
        book.Changed += _ => Interlocked.Increment(ref generation);
    }

    /// <summary>The offer of a product; null when there is no such product.</summary>
    /// <exception cref="Storage.Database.DatabaseUnavailableException">The database cannot be reached.</exception>
    public ValueTask<Offer?> FindAsync(Guid productId) =>
        kept.TryGetValue(productId, out var known)
            && known.Generation == Interlocked.Read(ref generation)
            && time.GetElapsedTime(known.At) < KeptFor
            ? new(known.Offer)
            : new(ReadAsync(productId, known));

    private async Task<Offer?> ReadAsync(Guid productId, Kept? before)
    {
        var (now, begun) = (time.GetTimestamp(), Interlocked.Read(ref generation));
        var product = await book.FindAsync(productId, default);
        var sale = product is null ? null : await book.FindSaleAsync(product.SaleId, default);
        if (product is null || sale is null)
        {
            return null; // Not kept: whoever asks for what is not there is no reason to fill the memory.
        }

        // Seats never change, so they are read once.
        var seats = before?.Offer.Seats
            ?? (product.Kind == ProductKind.Seats ? new SeatMap(await book.SeatRowsAsync(productId, default)) : null);
        var offer = new Offer(product, sale, seats);
        if (kept.Count >= KeptMax)
        {
            kept.Clear();
        }

        kept[productId] = new Kept(offer, now, begun);
        return offer;
    }

    private sealed record Kept(Offer Offer, long At, long Generation);
}
