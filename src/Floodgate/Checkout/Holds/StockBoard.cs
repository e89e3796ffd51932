using System.Collections.Concurrent;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Holds;

/// <summary>What is left of a whole sale, over all its products that are not withdrawn.</summary>
public readonly record struct SaleStock(long Capacity, long Held, long Sold)
{
    /// <summary>Neither held nor sold.</summary>
    public long Available => Capacity - Held - Sold;
}

/// <summary>What is left, for those who look and not for those who decide: it may be half a second old.</summary>
public sealed class StockBoard(Database database, TimeProvider time)
{
    private static readonly TimeSpan KeptFor = TimeSpan.FromMilliseconds(500);

    // One read at a time for each sale, however many ask; sales are few.
    private readonly ConcurrentDictionary<Guid, Kept> kept = new();

    /// <summary>The stock of a sale; zero for one that has no products. At most half a second old.</summary>
    /// <exception cref="DatabaseUnavailableException">The database cannot be reached.</exception>
    public async ValueTask<SaleStock> OfSaleAsync(Guid saleId)
    {
        if (!kept.TryGetValue(saleId, out var known)
            || time.GetElapsedTime(known.At) > KeptFor
            || known.Reading.IsFaulted)
        {
            var mine = new Kept(
                time.GetTimestamp(), new(() => database.ReadAsync(tx => HoldsSql.SelectStockAsync(tx, saleId)).AsTask()));
            known = known is null ? kept.GetOrAdd(saleId, mine)
                : kept.TryUpdate(saleId, mine, known) ? mine
                : kept[saleId];
        }

        return await known.Reading;
    }

    private sealed record Kept(long At, Lazy<Task<SaleStock>> Once)
    {
        public Task<SaleStock> Reading => Once.Value;
    }
}
