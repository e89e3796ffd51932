using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Audit;

/// <summary>
/// Judges a <see cref="SaleBook"/> beside the payments of an <see cref="AuditBook"/>: nothing sold twice, nobody above
/// a limit, and money and goods always on opposite sides.
/// </summary>
internal sealed class SaleChecks(SaleBook sale, AuditBook payments, SaleScope scope)
{
    /// <summary>How long after its end a hold may still be listed: the server looks every few seconds.</summary>
    private static readonly TimeSpan ExpiryLateMax = TimeSpan.FromSeconds(30);

    /// <summary>Orders in a final state.</summary>
    public long Final => sale.Orders.Values.LongCount(IsFinal);

    /// <summary>All checks, in the order in which a purchase moves.</summary>
    public IReadOnlyList<AuditCheck> All(DateTimeOffset now) =>
    [
        .. scope.Offers.Count > 0 ? [Accepted(), PerBuyer()] : (AuditCheck[])[],
        .. scope.Repeats.Count > 0 ? [Repeats()] : (AuditCheck[])[],
        EachOrder("every order that was to be paid is final", o => o.Method is not null, NotFinal),
        EachOrder("no hold outlives its time", o => o.Status == "TEMPORARY_ASSIGNED", o =>
            o.ExpiresAt + ExpiryLateMax < now ? $"should have ended at {o.ExpiresAt:u}" : null),
        EachProduct("capacity = held + sold + available", WrongSum),
        EachProduct("what is sold and held is what the orders say", WrongTally),
        EachProduct("no more is held and sold than there is", p =>
            p.Held + p.Sold > p.Product.Capacity ? $"{p.Held} held + {p.Sold} sold of {p.Product.Capacity}" : null),
        Seats(),
        EachProduct("the seat map shows the others as free", WrongMap, p => p.Product.Kind == "SEATS"),
        Limits(),
        EachOrder("an order's amount is the sum of its lines", _ => true, o =>
            o.Lines.Sum(line => line.Amount) == o.Amount.Amount ? null : $"{o.Amount.Amount} is not the sum"),
        EachOrder("a confirmed order has one captured payment of its amount", IsConfirmed, WrongPayment),
        EachOrder("an order that was given up has its money back", IsGivenUp, MoneyKept),
        EachOrder("lines that were given back were refunded", WasPaid, WrongRefund),
        EachOrder("the provider took and gave back the same", o => o.Method == "GATEWAY", WrongStatement),
    ];

    private static bool IsFinal(WireOrder order) =>
        order.Status is "CONFIRMED" or "PAYMENT_FAILED" or "EXPIRED" or "CANCELLED";

    private static bool IsConfirmed(WireOrder order) => order.Status == "CONFIRMED";

    private static bool IsGivenUp(WireOrder order) =>
        order.Status is "PAYMENT_FAILED" or "EXPIRED" or "CANCELLED" or "TEMPORARY_ASSIGNED";

    // A hold that was given back before anybody asked for its payment has nothing to refund.
    private static bool WasPaid(WireOrder order) =>
        order.Status == "CONFIRMED" || order is { Status: "CANCELLED", Method: not null };

    private static string? NotFinal(WireOrder order) => IsFinal(order) ? null : $"is {order.Status}";

    private AuditCheck Accepted()
    {
        var findings = new Findings();
        foreach (var offers in scope.Offers)
        {
            for (var n = 0; n < offers.Book.Count; n++)
            {
                if (offers.Book[n] is { Outcome: OfferOutcome.Accepted } offer)
                {
                    findings.Look(FaultOf(offers, n, offer.Id), $"offer {n} {offer.Id}");
                }
            }
        }

        findings.Look(sale.ListedTwice > 0 ? $"{sale.ListedTwice} orders are listed twice" : null, "the list");
        return findings.Check("every accepted order exists once, of its buyer, and is final if it was to be paid");
    }

    private string? FaultOf(OfferedOrders offers, int number, Guid id) =>
        !sale.Orders.TryGetValue(id, out var order) ? "is not listed"
        : order.UserId != offers.BuyerOf(number) ? $"is of {order.UserId}"
        : offers.PaysOf(number) && !IsFinal(order) ? $"is {order.Status}"
        : null;

    /// <summary>Refused offers left nothing, and unanswered ones at most one order each.</summary>
    private AuditCheck PerBuyer()
    {
        var promised = new Dictionary<string, (HashSet<Guid> Ids, int Open)>();
        foreach (var offers in scope.Offers)
        {
            for (var n = 0; n < offers.Book.Count; n++)
            {
                var buyer = offers.BuyerOf(n);
                var (ids, open) = promised.GetValueOrDefault(buyer, ([], 0));
                var offer = offers.Book[n];
                if (offer.Outcome == OfferOutcome.Accepted)
                {
                    ids.Add(offer.Id);
                }

                promised[buyer] = (ids, open + (offer.Outcome == OfferOutcome.Error ? 1 : 0));
            }
        }

        var listed = sale.Orders.Values.CountBy(order => order.UserId).ToDictionary();
        var findings = new Findings();
        foreach (var (buyer, (ids, open)) in promised)
        {
            var has = listed.GetValueOrDefault(buyer);
            findings.Look(
                has < ids.Count || has > ids.Count + open ? $"has {has} orders, {ids.Count} were accepted" : null,
                    buyer);
        }

        return findings.Check("refused offers left no order, unanswered ones at most one");
    }

    private AuditCheck Repeats()
    {
        var findings = new Findings();
        foreach (var (repeat, first) in scope.Repeats)
        {
            var book = scope.Offers[0].Book;
            if (book[repeat].Outcome == OfferOutcome.Accepted && book[first].Outcome == OfferOutcome.Accepted)
            {
                findings.Look(
                    book[repeat].Id == book[first].Id ? null : $"{book[first].Id} became {book[repeat].Id}",
                    $"offer {repeat}");
            }
        }

        return findings.Check("a repeated idempotency key is answered with the same order");
    }

    private static string? WrongSum(ProductTally p) => p.Stock is not { } stock
        ? "the server tells nothing of it"
        : stock.Capacity == stock.Held + stock.Sold + stock.Available && stock.Capacity == p.Product.Capacity
            && stock.Available >= 0
            ? null
            : $"{stock.Capacity} is not {stock.Held} held + {stock.Sold} sold + {stock.Available} available";

    private static string? WrongTally(ProductTally p) => p.Stock is { } stock && stock.Sold == p.Sold
        && stock.Held == p.Held
        ? null
        : $"the server says {p.Stock?.Held} held, {p.Stock?.Sold} sold; the orders say {p.Held} and {p.Sold}";

    private AuditCheck Seats()
    {
        var findings = new Findings();
        foreach (var tally in sale.Products.Values)
        {
            var known = tally.Seats is { } seats ? NamesOf(seats).Select(seat => seat.Name).ToHashSet() : [];
            foreach (var (seat, (orders, first)) in tally.SeatOwners)
            {
                findings.Look(
                    orders > 1 ? $"is in {orders} orders, the first is {first}"
                        : known.Contains(seat) ? null : $"does not exist, and order {first} has it",
                    seat);
            }

            findings.Look(
                tally.LinesWithWrongSeats > 0 ? $"{tally.LinesWithWrongSeats} lines name another number of seats"
                    : null,
                $"product {tally.Product.Id}");
        }

        return findings.Check("every seat has at most one buyer");
    }

    private static string? WrongMap(ProductTally tally)
    {
        if (tally.Seats is not { } seats)
        {
            return "has no seat map";
        }

        var wrong = NamesOf(seats).Where(seat => seat.Free == tally.SeatOwners.ContainsKey(seat.Name)).ToList();
        return wrong.Count == 0 ? null : $"{wrong.Count} seats, the first is {wrong[0].Name}";
    }

    private static IEnumerable<(string Name, bool Free)> NamesOf(WireSeats seats) => seats.Rows.SelectMany(row =>
        row.Free.Select((free, i) => ($"{row.Section}-{row.Row}-{i + 1}", free == '1')));

    private AuditCheck Limits()
    {
        var findings = new Findings();
        foreach (var tally in sale.Products.Values)
        {
            if (tally.Product.LimitPerBuyer is { } limit)
            {
                foreach (var (buyer, units) in tally.PerBuyer)
                {
                    findings.Look(units > limit ? $"has {units} of at most {limit}" : null, buyer);
                }
            }
        }

        return findings.Check("no buyer has more than the limit");
    }

    private string? WrongPayment(WireOrder order)
    {
        var captured = sale.PaymentsOf(order.Id).Where(id => payments.Find(id).Captured > 0).ToList();
        return captured.Count != 1 ? $"has {captured.Count} captured payments"
            : captured[0] != order.PaymentId ? $"names payment {order.PaymentId}, and {captured[0]} was captured"
            : payments.Find(captured[0]).Captured != order.Amount.Amount
                ? $"costs {order.Amount.Amount}, and {payments.Find(captured[0]).Captured} was captured"
            : null;
    }

    private string? MoneyKept(WireOrder order)
    {
        var kept = sale.PaymentsOf(order.Id).Sum(id => payments.Find(id) is var p ? p.Captured - p.Refunded : 0);
        return kept == 0 ? null : $"is {order.Status}, and {kept} was kept";
    }

    private string? WrongRefund(WireOrder order)
    {
        var given = order.Lines.Where(line => line.Status == "CANCELLED").Sum(line => line.Amount);
        var refunded = sale.PaymentsOf(order.Id).Sum(id => payments.Find(id).Refunded);
        return given == refunded && (order.Refunded?.Amount ?? 0) == given
            ? null
            : $"{given} given back, {refunded} refunded, the order says {order.Refunded?.Amount ?? 0}";
    }

    private string? WrongStatement(WireOrder order)
    {
        foreach (var id in sale.PaymentsOf(order.Id))
        {
            var payment = payments.Find(id);
            if (payment.Charges + payment.Captures != (payment.Captured > 0 ? 1 : 0)
                || payment.TakenSum != payment.Captured
                || payment.RefundedSum != payment.Refunded)
            {
                return $"the statement has {payment.Charges + payment.Captures} charges of {payment.TakenSum} and"
                    + $" {payment.RefundedSum} refunded, the server {payment.Captured} and {payment.Refunded}";
            }
        }

        return null;
    }

    private AuditCheck EachOrder(string name, Func<WireOrder, bool> applies, Func<WireOrder, string?> fault)
    {
        var findings = new Findings();
        foreach (var order in sale.Orders.Values)
        {
            if (applies(order))
            {
                findings.Look(fault(order), $"order {order.Id}");
            }
        }

        return findings.Check(name);
    }

    private AuditCheck EachProduct(
        string name, Func<ProductTally, string?> fault, Func<ProductTally, bool>? applies = null)
    {
        var findings = new Findings();
        foreach (var (id, tally) in sale.Products)
        {
            if (applies?.Invoke(tally) ?? true)
            {
                findings.Look(fault(tally), $"product {id}");
            }
        }

        return findings.Check(name);
    }
}
