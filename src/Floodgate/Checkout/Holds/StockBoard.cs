using System.Collections.Concurrent;
using Floodgate.Access;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>What is left of a whole sale, over all its products that are not withdrawn.</summary>
public readonly record struct SaleStock(long Capacity, long Held, long Sold)
{
    /// <summary>Neither held nor sold.</summary>
    public long Available => Capacity - Held - Sold;
}

/// <summary>What is left of one product.</summary>
public sealed record ProductStock(Guid ProductId, string Kind, long Capacity, long Held, long Sold)
{
    /// <summary>Neither held nor sold.</summary>
    public long Available => Capacity - Held - Sold;
}

/// <summary>
/// What is left, for those who look and not for those who decide: read at most twice a second for each sale or seat
/// map, however many ask.
/// </summary>
/// <exception cref="DatabaseUnavailableException">From each of its members: the database cannot be reached.</exception>
public sealed class StockBoard(Database database, OfferBoard offers, TimeProvider time)
{
    private readonly Recent<IReadOnlyList<ProductStock>> stocks = new(time);
    private readonly Recent<byte[]> seats = new(time);

    /// <summary>The stock of a sale; zero for one that has no products. At most half a second old.</summary>
    public async ValueTask<SaleStock> OfSaleAsync(Guid saleId)
    {
        var products = await ProductsOfAsync(saleId);
        return new(products.Sum(p => p.Capacity), products.Sum(p => p.Held), products.Sum(p => p.Sold));
    }

    /// <summary>The stock of each product of a sale that is not withdrawn. At most half a second old.</summary>
    public ValueTask<IReadOnlyList<ProductStock>> ProductsOfAsync(Guid saleId) => new(stocks.GetAsync(
        saleId,
        async () => await database.ReadAsync(tx => HoldsSql.SelectStockAsync(tx, saleId))));

    /// <summary>
    /// The seats of a product as JSON, free ones as 1; at most half a second old. Null when it is no product with
    /// seats.
    /// </summary>
    public async ValueTask<byte[]?> SeatsOfAsync(Guid productId)
    {
        if (await offers.FindAsync(productId) is not { Seats: { } map } offer)
        {
            return null;
        }

        return await seats.GetAsync(productId, async () =>
        {
            var taken = await database.ReadAsync(tx => HoldsSql.SelectSeatsAsync(tx, productId));
            return Answer.Render((offer, map, taken), HoldsJson.Write).ToArray();
        });
    }
}

/// <summary>Answers that may be half a second old: one read at a time for each key.</summary>
internal sealed class Recent<T>(TimeProvider time)
{
    private const int KeptMax = 10_000;
    private static readonly TimeSpan KeptFor = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<Guid, Kept> kept = new();

    /// <summary>The answer that is kept, or what <paramref name="read"/> gives; a failed read is not kept.</summary>
    public Task<T> GetAsync(Guid key, Func<Task<T>> read)
    {
        if (kept.TryGetValue(key, out var known)
            && time.GetElapsedTime(known.At) < KeptFor
            && !known.Once.Value.IsFaulted)
        {
            return known.Once.Value;
        }

        if (kept.Count >= KeptMax)
        {
            kept.Clear();
        }

        var mine = new Kept(time.GetTimestamp(), new(() => Task.Run(read)));
        var now = kept.AddOrUpdate(key, mine, (_, other) => ReferenceEquals(other, known) ? mine : other);
        return now.Once.Value;
    }

    private sealed record Kept(long At, Lazy<Task<T>> Once);
}
