using System.Text;
using Floodgate.Access;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Database;

namespace Floodgate.Checkout.Orders;

/// <summary>Shows orders: one, a page, as a stream, or when they have come to an end.</summary>
internal sealed class OrderDesk(
    OrderBook book, OfferBoard offers, ChangeWatch watch, OrdersSettings settings, TimeProvider time)
{
    private readonly EventStreams streams = new(settings.StreamsMax, time);

    /// <summary>What is on sale, and the names of its seats.</summary>
    public OfferBoard Offers => offers;

    /// <summary>
    /// Answers with the order: as it is, or 200 when its payment has an outcome if the caller prefers to wait for that.
    /// A database that goes away during the wait ends it: what was done is done.
    /// </summary>
    public async Task AnswerAsync(HttpContext context, int status, Order order, bool mayWait)
    {
        var seconds = mayWait ? Preference.ReadWait(context, settings.WaitSecondsMax) : 0;
        var last = seconds > 0 ? await WaitAsync(order.Id, seconds, context.RequestAborted) : null;
        await Answer.WriteAsync(context, last is null ? status : 200, await ShownAsync(last ?? order),
            OrdersJson.Write);
    }

    /// <summary>Answers with a page; one more than the limit tells that there is another.</summary>
    public async Task AnswerAsync(HttpContext context, List<Order> orders, int limit)
    {
        var shown = new List<ShownOrder>(limit);
        foreach (var order in orders.Take(limit))
        {
            shown.Add(await ShownAsync(order));
        }

        await Answer.WritePageAsync(context, shown, orders.Count > limit, OrdersJson.Write);
    }

    /// <summary>Server-sent events until nothing can change the order any more.</summary>
    public async Task StreamAsync(HttpContext context, Guid id)
    {
        using var listener = watch.Listen(id);
        await streams.RunAsync(context, "order", listener, async cancel =>
        {
            var order = (await book.FindAsync(id, cancel))!;
            var json = Encoding.UTF8.GetString(Answer.Render(await ShownAsync(order), OrdersJson.Write));
            return (json, order.IsClosed);
        });
    }

    /// <summary>The order once it is no longer open; null when the time is over first.</summary>
    private async Task<Order?> WaitAsync(Guid id, int seconds, CancellationToken cancel)
    {
        using var listener = watch.Listen(id);
        var startedAt = time.GetTimestamp();
        try
        {
            while (time.GetElapsedTime(startedAt).TotalSeconds < seconds)
            {
                if (await book.FindAsync(id, cancel) is { IsOpen: false } order)
                {
                    return order;
                }

                await listener.WaitAsync(cancel);
            }
        }
        catch (DatabaseUnavailableException)
        {
            // Answered as it was before the wait.
        }

        return null;
    }

    private async ValueTask<ShownOrder> ShownAsync(Order order)
    {
        Dictionary<Guid, SeatMap>? maps = null;
        foreach (var line in order.Lines)
        {
            if (line.Places.Count > 0 && await offers.FindAsync(line.ProductId) is { Seats: { } map })
            {
                (maps ??= [])[line.ProductId] = map;
            }
        }

        return new ShownOrder(order, maps ?? NoMaps);
    }

    private static readonly Dictionary<Guid, SeatMap> NoMaps = [];
}
