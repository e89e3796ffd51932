using Floodgate.Load.Hold;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Queue;

/// <summary>Joins of one waiting room, each by a buyer of its own.</summary>
internal sealed class JoinTraffic : BookedTraffic
{
    private readonly TimeProvider time;
    private readonly RequestTemplate template;
    private readonly long[] sentAt;
    private readonly long[] answeredAt;

    /// <summary>At most <paramref name="count"/> joins.</summary>
    public JoinTraffic(Session session, Guid saleId, int count)
        : base(new OfferBook())
    {
        time = session.Time;
        (sentAt, answeredAt) = (new long[count], new long[count]);
        template = QueueRequests.Join(session, saleId);
    }

    /// <inheritdoc/>
    public override int RequestBytesMax => template.BytesMax;

    /// <inheritdoc/>
    protected override ReadOnlySpan<byte> IdMember => "\"ticket\":\""u8;

    /// <inheritdoc/>
    public override int Write(int number, Span<byte> buffer)
    {
        sentAt[number] = time.GetTimestamp();
        return template.Write(buffer, new RequestValues { Numbers = [number] });
    }

    /// <inheritdoc/>
    public override OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        answeredAt[number] = time.GetTimestamp();
        return base.Judge(number, status, body);
    }

    /// <summary>Join <paramref name="number"/> with the place in line that it got.</summary>
    public Wait WaitOf(int number, int place) => new(sentAt[number], answeredAt[number], place);
}

/// <summary>Looks at the tickets of a run, one after the other.</summary>
internal sealed class PollTraffic(Session session, OfferBook joins) : ITraffic
{
    private readonly RequestTemplate template = QueueRequests.Poll(session);
    private readonly int[] places = new int[joins.Count];
    private int next;

    /// <inheritdoc/>
    public int RequestBytesMax => template.BytesMax;

    /// <summary>The place of each ticket by the number of its join; 0 = none was told.</summary>
    public IReadOnlyList<int> Places => places;

    /// <inheritdoc/>
    public int Take() => (Interlocked.Increment(ref next) - 1) % places.Length;

    /// <inheritdoc/>
    public int Write(int number, Span<byte> buffer) =>
        template.Write(buffer, new RequestValues { Ids = [joins[number].Id] });

    /// <inheritdoc/>
    public OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        if (status != 200 || !JsonPeek.TryLong(body, "\"position\":"u8, out var place))
        {
            return status < 500 ? OfferOutcome.Refused : OfferOutcome.Error;
        }

        places[number] = (int)place;
        return OfferOutcome.Accepted;
    }

    /// <inheritdoc/>
    public void Lost(int number)
    {
    }
}

/// <summary>The requests of those who wait.</summary>
internal static class QueueRequests
{
    /// <summary>A join; the number of the buyer goes into <c>n0</c>.</summary>
    public static RequestTemplate Join(Session session, Guid saleId) => new(
        $"POST /v1/sales/{saleId}/queue",
        HeadOf(session) + $"Authorization: Bearer {session.Address.MerchantKey}\r\n",
        $"{{\"userId\":\"{Buyers.Place(session.RunId, 0)}\"}}");

    /// <summary>A look at the ticket in <c>g0</c>.</summary>
    public static RequestTemplate Poll(Session session) => new("GET /v1/queue/<g0>", HeadOf(session), null);

    /// <summary>The ticket in <c>g0</c> is given up.</summary>
    public static RequestTemplate Leave(Session session) => new("DELETE /v1/queue/<g0>", HeadOf(session), null);

    /// <summary>The stream of the ticket in <c>g0</c>.</summary>
    public static RequestTemplate Listen(Session session) => new("GET /v1/queue/<g0>/events", HeadOf(session), null);

    private static string HeadOf(Session session) => $"Host: {session.Address.Url.Authority}\r\n";
}
