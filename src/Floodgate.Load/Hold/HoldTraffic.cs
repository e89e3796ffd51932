using System.Text;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Hold;

/// <summary>Orders without payment, all for one product at a time, each of a buyer of its own.</summary>
internal sealed class HoldTraffic : BookedTraffic
{
    private readonly TimeProvider time;
    private readonly SaleOnSite sale;
    private readonly RequestTemplate template;
    private readonly byte[][] seatNames;
    private readonly bool pairs;
    private readonly Guid[] product = new Guid[1];

    // Written by many lanes with Interlocked or by whoever is last.
    private int first;
    private long decided;
    private long accepted;
    private long adjacent;
    private long lastAcceptedAt;
    private long decidedAtLastAccepted;
    private volatile bool soldOut;

    /// <summary>Orders of this session for products of this sale.</summary>
    public HoldTraffic(Session session, SaleOnSite sale, HoldPlan plan, OfferBook book)
        : base(book)
    {
        time = session.Time;
        this.sale = sale;
        pairs = plan is { Seats: not null, BestAvailable: > 1 };
        var named = plan is { Seats: not null, BestAvailable: 0 };
        seatNames = named
            ? [.. Enumerable.Range(0, plan.Seats!.Count).Select(i => Encoding.ASCII.GetBytes(plan.Seats.NameOf(i)))]
            : [];
        var what = named ? "\"seats\":[<q>]" : $"\"quantity\":{plan.PerOrder}";
        template = new RequestTemplate(
            "POST /v1/orders",
            OrderHeads.Of(session, session.Address.MerchantKey, $"{session.RunId}-h-<n0>"),
            $"{{\"saleId\":\"{sale.Id}\",\"userId\":\"{Buyers.Place(session.RunId, 0)}\""
                + $",\"items\":[{{\"productId\":\"<g0>\",{what}}}]}}");
    }

    /// <inheritdoc/>
    public override int RequestBytesMax => template.BytesMax;

    /// <summary>True once an order of this crowd was refused because too little is left.</summary>
    public bool SoldOut => soldOut;

    /// <summary>What the crowd did so far.</summary>
    public Crowd Crowd => new(
        Volatile.Read(ref decided), Volatile.Read(ref accepted), Volatile.Read(ref adjacent),
        Volatile.Read(ref lastAcceptedAt), Volatile.Read(ref decidedAtLastAccepted));

    /// <summary>The next crowd, for the product with this number. No lane may be busy.</summary>
    public void Begin(int number)
    {
        product[0] = sale.Products[number];
        first = Book.Count;
        (decided, accepted, adjacent, decidedAtLastAccepted) = (0, 0, 0, 0);
        lastAcceptedAt = time.GetTimestamp();
        soldOut = false;
    }

    /// <inheritdoc/>
    public override int Write(int number, Span<byte> buffer) => template.Write(buffer, new RequestValues
    {
        Numbers = [number],
        Ids = product,
        Text = seatNames.Length > 0 ? seatNames[(number - first) % seatNames.Length] : default,
    });

    /// <inheritdoc/>
    public override OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        var outcome = base.Judge(number, status, body);
        if (outcome == OfferOutcome.Error)
        {
            return outcome;
        }

        var count = Interlocked.Increment(ref decided);
        if (outcome == OfferOutcome.Accepted)
        {
            Interlocked.Increment(ref accepted);
            Volatile.Write(ref decidedAtLastAccepted, count);
            Volatile.Write(ref lastAcceptedAt, time.GetTimestamp());
            if (pairs && SeatNames.AreAdjacent(body))
            {
                Interlocked.Increment(ref adjacent);
            }
        }
        else if (body.IndexOf("insufficient_stock"u8) >= 0)
        {
            soldOut = true;
        }

        return outcome;
    }
}

/// <summary>What one crowd did: orders decided and accepted, and how many had been decided at the last acceptance.
/// </summary>
internal readonly record struct Crowd(
    long Decided, long Accepted, long Adjacent, long LastAcceptedAt, long DecidedAtLastAccepted);

/// <summary>The head of requests about orders.</summary>
internal static class OrderHeads
{
    /// <summary>Host, who asks, and the key that makes a repeat harmless.</summary>
    public static string Of(Session session, string bearer, string idempotencyKey) =>
        $"Host: {session.Address.Url.Authority}\r\nAuthorization: Bearer {bearer}\r\n"
        + $"Idempotency-Key: {idempotencyKey}\r\n";
}

/// <summary>Reads seats out of an order's answer.</summary>
internal static class SeatNames
{
    /// <summary>True when all seats of the first line are side by side in one row.</summary>
    public static bool AreAdjacent(ReadOnlySpan<byte> body)
    {
        var at = body.IndexOf("\"seats\":["u8);
        if (at < 0)
        {
            return false;
        }

        var list = body[(at + 9)..];
        var end = list.IndexOf((byte)']');
        var seats = Encoding.ASCII.GetString(list[..Math.Max(0, end)]).Split(',')
            .Select(seat => seat.Trim('"')).ToList();
        var rows = seats.Select(seat => seat[..(seat.LastIndexOf('-') + 1)]).Distinct().Count();
        var numbers = seats
            .Select(seat => int.TryParse(seat.AsSpan(seat.LastIndexOf('-') + 1), out var number) ? number : -1)
            .Order()
            .ToList();
        return rows == 1 && numbers[^1] - numbers[0] == numbers.Count - 1
            && numbers.Distinct().Count() == numbers.Count;
    }
}
