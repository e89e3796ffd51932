using Floodgate.Load.Target;

namespace Floodgate.Load.Audit;

/// <summary>
/// Reads sales through the public API. Orders are read between two looks at what is left, and read again when the
/// looks differ: a hold may expire meanwhile.
/// </summary>
internal sealed class SaleReader(SaleApi api, SaleScope scope, TimeProvider time, Action<string> progress)
{
    private const int ReadsMax = 5;
    private const int TellEvery = 100_000;

    /// <summary>What the server says is left may be this old.</summary>
    private static readonly TimeSpan StockAgeMax = TimeSpan.FromMilliseconds(700);

    /// <summary>Fills the book. Only reads.</summary>
    public async Task<SaleBook> ReadAsync(CancellationToken cancel)
    {
        var book = new SaleBook();
        var sales = scope.SaleIds?.ToList() ?? [];
        if (scope.SaleIds is null)
        {
            await foreach (var sale in api.AllSalesAsync(cancel))
            {
                sales.Add(sale.Id);
            }
        }

        foreach (var sale in sales)
        {
            await foreach (var product in api.ProductsAsync(sale, cancel))
            {
                book.Add(product);
            }
        }

        await Task.Delay(StockAgeMax, time, cancel);
        var before = await StockAsync(sales, cancel);
        for (var reads = 1; ; reads++)
        {
            await ReadOrdersAsync(book, sales, cancel);
            await Task.Delay(StockAgeMax, time, cancel);
            var after = await StockAsync(sales, cancel);
            if (reads == ReadsMax || before.SequenceEqual(after))
            {
                return await WithSeatsAsync(book, after, cancel);
            }

            progress("audit: stock moved meanwhile, reading the orders again");
            before = after;
            book.ForgetOrders();
        }
    }

    private async Task ReadOrdersAsync(SaleBook book, List<Guid> sales, CancellationToken cancel)
    {
        var own = sales.ToHashSet();
        var one = scope.SaleIds is { Count: 1 } ? sales[0] : (Guid?)null;
        await foreach (var order in api.OrdersAsync(one, cancel))
        {
            if (own.Contains(order.SaleId))
            {
                book.Add(order);
                if (book.Orders.Count % TellEvery == 0)
                {
                    progress($"audit: {book.Orders.Count} orders read");
                }
            }
        }
    }

    private async Task<List<WireStock>> StockAsync(List<Guid> sales, CancellationToken cancel)
    {
        var all = new List<WireStock>();
        foreach (var sale in sales)
        {
            all.AddRange((await api.AvailabilityAsync(sale, cancel)).Products);
        }

        return all;
    }

    private async Task<SaleBook> WithSeatsAsync(SaleBook book, List<WireStock> stock, CancellationToken cancel)
    {
        foreach (var one in stock)
        {
            if (book.Products.TryGetValue(one.ProductId, out var tally))
            {
                tally.Stock = one;
            }
        }

        foreach (var tally in book.Products.Values.Where(tally => tally.Product.Kind == "SEATS"))
        {
            tally.Seats = await api.SeatsAsync(tally.Product.SaleId, tally.Product.Id, cancel);
        }

        return book;
    }
}
