using System.Text;
using Floodgate.Load.Audit;
using Floodgate.Load.Hold;
using Floodgate.Load.Queue;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Rush;

/// <summary>
/// The journey of each buyer, one request at a time: join, look, order, follow the order. Each answer decides what
/// comes next and when. What is lost on the way is sent again: a join, an order and a cancellation have one effect
/// however often they are sent, also when the server was restarted in between.
/// </summary>
internal sealed class RushTraffic : ITraffic
{
    private const int LooksUntilGivingUp = 3;
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FollowAfter = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan MindChangesAfter = TimeSpan.FromSeconds(4);
    private readonly RushPlan plan;
    private readonly RushAgenda agenda;
    private readonly TimeProvider time;
    private readonly RushBuyer[] buyers;
    private readonly long passMs;
    private readonly RequestTemplate[] templates = new RequestTemplate[(int)RushStep.Done];
    private readonly RequestTemplate unpaidOrder;
    private readonly Guid product;

    // Counted by many lanes with Interlocked.
    private readonly long[] ends = new long[Enum.GetValues<RushEnd>().Length];
    private long joined;
    private long admitted;
    private long inside;

    // Under the gate.
    private readonly Lock gate = new();
    private readonly Findings places = new();

    /// <summary>The journeys of a run into one sale whose passes are good for so long.</summary>
    public RushTraffic(Session session, RushPlan plan, SaleOnSite sale, int passSeconds, RushAgenda agenda)
    {
        (this.plan, this.agenda, time, product) = (plan, agenda, session.Time, sale.Products[0]);
        passMs = passSeconds * 1_000L;
        buyers = [.. Enumerable.Range(0, plan.Buyers).Select(number => new RushBuyer(plan.TemperOf(number)))];
        for (var i = 0; i < plan.Buyers; i++)
        {
            Book.Take(); // Buyer and order have the same number; who never orders leaves it empty.
        }

        var key = session.Address.MerchantKey;
        var bearer = $"Host: {session.Address.Url.Authority}\r\nAuthorization: Bearer {key}\r\n";
        var head = OrderHeads.Of(session, key, $"{session.RunId}-r-<n0>") + "Admission-Pass: <t>\r\n";
        var order = $"{{\"saleId\":\"{sale.Id}\",\"userId\":\"{Buyers.Place(session.RunId, 0)}\""
            + $",\"items\":[{{\"productId\":\"<g0>\",\"quantity\":{plan.PerOrder}}}]";
        templates[(int)RushStep.Join] = QueueRequests.Join(session, sale.Id);
        templates[(int)RushStep.Look] = QueueRequests.Poll(session);
        templates[(int)RushStep.Leave] = QueueRequests.Leave(session);
        templates[(int)RushStep.Order] = new("POST /v1/orders", head, order + ",\"pay\":{\"method\":\"GATEWAY\"}}");
        templates[(int)RushStep.Follow] = new("GET /v1/orders/<g0>", bearer, null);
        templates[(int)RushStep.GiveBack] = new("POST /v1/orders/<g0>/cancel", bearer, "{}");
        unpaidOrder = new("POST /v1/orders", head, order + "}");
        RequestBytesMax = templates.Max(template => template.BytesMax);
    }

    /// <inheritdoc/>
    public int RequestBytesMax { get; }

    /// <summary>Everybody.</summary>
    public IReadOnlyList<RushBuyer> All => buyers;

    /// <summary>What became of the order of each buyer.</summary>
    public OfferBook Book { get; } = new();

    /// <summary>Refusals by code.</summary>
    public RefusalCodes Codes { get; } = new();

    /// <summary>How many ended so.</summary>
    public long Of(RushEnd end) => Volatile.Read(ref ends[(int)end]);

    /// <summary>How many joined, were let in, and are inside without an order now.</summary>
    public (long Joined, long Admitted, long Inside) Now =>
        (Volatile.Read(ref joined), Volatile.Read(ref admitted), Volatile.Read(ref inside));

    /// <summary>How many are through with it.</summary>
    public long Ended => ends.Sum();

    /// <summary>Whether a ticket lost its place, or its place grew: also over a restart.</summary>
    public AuditCheck Places
    {
        get
        {
            lock (gate)
            {
                return places.Check("nobody who kept asking lost a ticket or a place");
            }
        }
    }

    /// <inheritdoc/>
    public int Take() => throw new InvalidOperationException("The agenda says whose turn it is.");

    /// <inheritdoc/>
    public int Write(int number, Span<byte> buffer)
    {
        var buyer = buyers[number];
        if (buyer.Step == RushStep.Join && buyer.SentAt == 0)
        {
            buyer.SentAt = time.GetTimestamp();
        }

        var isUnpaid = buyer is { Step: RushStep.Order, Temper: Temper.ChangesMind };
        return (isUnpaid ? unpaidOrder : templates[(int)buyer.Step]).Write(buffer, new RequestValues
        {
            Numbers = [number],
            Ids = [buyer.Step switch
            {
                RushStep.Order => product,
                RushStep.Follow or RushStep.GiveBack => buyer.Order,
                _ => buyer.Ticket,
            }],
            Text = buyer.Pass,
        });
    }

    /// <inheritdoc/>
    public OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        var buyer = buyers[number];
        if (status is 429 or >= 500)
        {
            Codes.Count(status, body);
            NoteOrder(number, OfferOutcome.Error);
            agenda.Add(number, AgainAfter);
            return status is 500 ? OfferOutcome.Error : OfferOutcome.Refused;
        }

        if (status >= 400)
        {
            Codes.Count(status, body);
            NoteOrder(number, OfferOutcome.Refused);
            Refuse(number, buyer, body);
            return OfferOutcome.Refused;
        }

        switch (buyer.Step)
        {
            case RushStep.Join or RushStep.Look:
                ReadTicket(number, buyer, body);
                break;
            case RushStep.Leave:
                Finish(buyer, buyer.EndOnceLeft);
                break;
            case RushStep.Order:
                Ordered(number, buyer, body);
                break;
            case RushStep.Follow:
                Follow(number, buyer, body);
                break;
            default:
                Finish(buyer, RushEnd.GaveBack);
                break;
        }

        return OfferOutcome.Accepted;
    }

    /// <inheritdoc/>
    public void Lost(int number)
    {
        NoteOrder(number, OfferOutcome.Error);
        agenda.Add(number, AgainAfter);
    }

    private void ReadTicket(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        JsonPeek.TryGuid(body, "\"ticket\":\""u8, out var ticket);
        if (buyer.Step == RushStep.Join)
        {
            (buyer.Ticket, buyer.AnsweredAt, buyer.Step) = (ticket, time.GetTimestamp(), RushStep.Look);
            Interlocked.Increment(ref joined);
        }

        var state = JsonPeek.Text(body, "\"state\":\""u8);
        if (state.SequenceEqual("ACTIVE"u8))
        {
            Enter(number, buyer, body);
        }
        else if (!state.SequenceEqual("WAITING"u8))
        {
            Note($"is {Encoding.ASCII.GetString(state)}", buyer);
            Finish(buyer, RushEnd.Refused);
        }
        else if (JsonPeek.Text(body, "\"sale\":{\"state\":\""u8).SequenceEqual("SOLD_OUT"u8))
        {
            Finish(buyer, RushEnd.WentHome);
        }
        else
        {
            Wait(number, buyer, body);
        }
    }

    private void Wait(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        if (JsonPeek.TryLong(body, "\"position\":"u8, out var place))
        {
            Note(buyer.Place > 0 && place > buyer.Place ? $"was at {buyer.Place}, is at {place}" : null, buyer);
            buyer.Place = place;
        }

        if (buyer.Temper is Temper.Leaves or Temper.Vanishes && ++buyer.Looks >= LooksUntilGivingUp)
        {
            if (buyer.Temper == Temper.Vanishes)
            {
                Finish(buyer, RushEnd.Vanished);
                return;
            }

            buyer.Step = RushStep.Leave;
        }

        JsonPeek.TryLong(body, "\"pollAfterMs\":"u8, out var afterMs);
        agenda.Add(number, TimeSpan.FromMilliseconds(Math.Max(100, afterMs)));
    }

    private void Enter(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        var until = Encoding.ASCII.GetString(JsonPeek.Text(body, "\"passExpiresAt\":\""u8));
        buyer.AdmittedMs = DateTimeOffset.Parse(until, System.Globalization.CultureInfo.InvariantCulture)
            .ToUnixTimeMilliseconds() - passMs;
        buyer.Pass = JsonPeek.Text(body, "\"pass\":\""u8).ToArray();
        buyer.Step = RushStep.Order;
        Interlocked.Increment(ref admitted);
        Interlocked.Increment(ref inside);
        agenda.Add(number, TimeSpan.Zero);
    }

    private void Ordered(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        JsonPeek.TryGuid(body, "\"id\":\""u8, out var order);
        buyer.Order = order;
        Book[number] = new Offer { Id = order, Outcome = OfferOutcome.Accepted };
        Interlocked.Decrement(ref inside);
        buyer.Step = buyer.Temper == Temper.ChangesMind ? RushStep.GiveBack : RushStep.Follow;
        agenda.Add(number, buyer.Step == RushStep.GiveBack ? MindChangesAfter : FollowAfter);
    }

    private void Follow(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        var status = JsonPeek.Text(body, "\"status\":\""u8);
        if (status.SequenceEqual("PAYMENT_PENDING"u8))
        {
            agenda.Add(number, FollowAfter);
            return;
        }

        Finish(buyer, status.SequenceEqual("CONFIRMED"u8) ? RushEnd.Bought : RushEnd.NotPaid);
    }

    private void Refuse(int number, RushBuyer buyer, ReadOnlySpan<byte> body)
    {
        var code = JsonPeek.Text(body, "\"code\":\""u8);
        if (buyer.Step == RushStep.Order)
        {
            Interlocked.Decrement(ref inside);
        }

        if (buyer.Step == RushStep.Look)
        {
            Note($"answered {Encoding.ASCII.GetString(code)}", buyer);
        }

        if (buyer.Step == RushStep.Order && code.SequenceEqual("insufficient_stock"u8))
        {
            // Its place inside is for somebody else, should something come back.
            (buyer.Step, buyer.EndOnceLeft) = (RushStep.Leave, RushEnd.TooLate);
            agenda.Add(number, TimeSpan.Zero);
            return;
        }

        Finish(buyer, RushEnd.Refused);
    }

    // Of several tries of one order the last one tells.
    private void NoteOrder(int number, OfferOutcome outcome)
    {
        if (buyers[number].Step == RushStep.Order)
        {
            Book[number] = new Offer { Outcome = outcome };
        }
    }

    private void Note(string? fault, RushBuyer buyer)
    {
        lock (gate)
        {
            places.Look(fault, $"ticket {buyer.Ticket}");
        }
    }

    private void Finish(RushBuyer buyer, RushEnd end)
    {
        (buyer.Step, buyer.End) = (RushStep.Done, end);
        Interlocked.Increment(ref ends[(int)end]);
    }
}
