using Floodgate.Load.Audit;
using Floodgate.Load.Reports;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>What became of the orders, from the list that the auditor read.</summary>
internal sealed class OrderOutcomes(OrderDesk desk, int measuredFrom)
{
    private const string Group = "Orders in the end";
    private readonly Histogram toFinal = new();
    private readonly Dictionary<string, long> states = [];
    private readonly List<DateTimeOffset> accepted = [];
    private readonly List<DateTimeOffset> confirmations = [];
    private long payable;
    private long confirmed;

    /// <summary>Orders of the measured load in a final state.</summary>
    public long Final { get; private set; }

    /// <summary>Numbers of offers that repeated the one before.</summary>
    public IReadOnlyList<(int Repeat, int First)> Repeats => [.. Enumerable.Range(0, desk.Book.Count)
        .Where(number => desk.KindOf(number) == OrderKind.Repeated)
        .Select(number => (number, number - 1))];

    /// <summary>True when the order was to be paid.</summary>
    public static bool Pays(OrderKind kind) => kind != OrderKind.Abandoned;

    /// <summary>Looks at every order once.</summary>
    public void Read(SaleBook sale)
    {
        foreach (var order in sale.Orders.Values)
        {
            states[order.Status] = states.GetValueOrDefault(order.Status) + 1;
        }

        for (var number = measuredFrom; number < desk.Book.Count; number++)
        {
            var kind = desk.KindOf(number);
            var offer = OfferOf(number);
            var order = offer.Outcome == OfferOutcome.Accepted ? sale.Orders.GetValueOrDefault(offer.Id) : null;
            if (kind != OrderKind.Repeated)
            {
                Look(kind, order);
            }
        }
    }

    // A repeat that overtakes its original makes the order, and the original is told that its key is in use.
    private Offer OfferOf(int number) => desk.Book[number] is { Outcome: OfferOutcome.Refused }
        && number + 1 < desk.Book.Count && desk.KindOf(number + 1) == OrderKind.Repeated
            ? desk.Book[number + 1]
            : desk.Book[number];

    /// <summary>The figures, once read.</summary>
    public IEnumerable<Figure> Figures()
    {
        foreach (var (state, count) in states.OrderByDescending(state => state.Value))
        {
            yield return new Figure(Group, state, count, FigureUnit.Count);
        }

        yield return new Figure(Group, "payable orders offered", payable, FigureUnit.Count);
        yield return new Figure(Group, "payable orders confirmed", confirmed, FigureUnit.Count);
        yield return new Figure(
            Group, FigureNames.PayableConfirmed, payable == 0 ? 0 : (double)confirmed / payable, FigureUnit.Ratio);
        foreach (var (percent, name) in ((double, string)[])[(50, "p50"), (95, "p95"), (99, "p99"), (100, "longest")])
        {
            yield return new Figure(
                Group,
                $"from placed to confirmed by the server's clock, {name}",
                toFinal.PercentileMicros(percent),
                FigureUnit.Micros);
        }

        yield return new Figure(Group, "longest time without an order accepted", Stall(accepted), FigureUnit.Seconds);
        yield return new Figure(
            Group, "longest time without an order confirmed", Stall(confirmations), FigureUnit.Seconds);
    }

    // The longest gap between two of them, in seconds.
    private static double Stall(List<DateTimeOffset> times)
    {
        times.Sort();
        return times.Zip(times.Skip(1), (one, next) => (next - one).TotalSeconds).DefaultIfEmpty().Max();
    }

    private void Look(OrderKind kind, WireOrder? order)
    {
        var isConfirmed = order?.Status is "CONFIRMED" or "CANCELLED";
        Final += order?.Status is "CONFIRMED" or "CANCELLED" or "PAYMENT_FAILED" or "EXPIRED" ? 1 : 0;

        // What the simulated provider declines by chance could not be paid.
        if (Pays(kind) && kind != OrderKind.WithoutCover && order?.FailReason != "card_declined")
        {
            payable++;
            confirmed += isConfirmed ? 1 : 0;
        }

        if (order is not null)
        {
            accepted.Add(order.CreatedAt);
        }

        if (kind == OrderKind.Plain && order?.Status == "CONFIRMED")
        {
            confirmations.Add(order.ChangedAt);
            toFinal.Record((order.ChangedAt - order.CreatedAt).Ticks / TimeSpan.TicksPerMicrosecond);
        }
    }
}
