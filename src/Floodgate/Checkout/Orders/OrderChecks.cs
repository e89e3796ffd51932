using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>The door for supervision: what must hold between orders and what is held and sold.</summary>
public sealed class OrderChecks
{
    private const int Page = 10_000;
    private readonly ExpiryWorker expiry;

    internal OrderChecks(ExpiryWorker expiry) => this.expiry = expiry;

    /// <summary>Why expired orders are not swept; null while all is well.</summary>
    public Exception? Failure => expiry.Failure;

    /// <summary>
    /// Checks every rule over all rows. Give it a snapshot: it compares tables. Its cost grows with what is stored; it
    /// reads only, a page at a time.
    /// </summary>
    public static async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(Tx tx)
    {
        var held = new Dictionary<Guid, (long Held, long Sold)>();
        var orders = 0L;
        var after = Guid.Empty;
        while (await OrdersSql.SelectPageAsync(tx, null, null, after, Page) is { Count: > 0 } page)
        {
            orders += page.Count;
            after = page[^1].Id;
            foreach (var (order, line) in page.SelectMany(o => o.Lines.Select(l => (o, l))))
            {
                var (h, s) = held.GetValueOrDefault(line.ProductId);
                held[line.ProductId] = order.StateOf(line) switch
                {
                    LineState.Held => (h + line.Quantity, s),
                    LineState.Sold => (h, s + line.Quantity),
                    _ => (h, s),
                };
            }
        }

        return await HoldChecks.CheckAsync(tx, held, orders);
    }
}
