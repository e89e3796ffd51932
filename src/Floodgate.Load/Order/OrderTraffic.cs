using System.Collections.Concurrent;
using Floodgate.Load.Hold;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>What all lanes of a run share.</summary>
internal sealed class OrderDesk(OrderPlan plan, OrderStage stage, OfferBook book)
{
    // Those who wait for the end of their order always order and pay, whatever their number says.
    private readonly ConcurrentDictionary<int, bool> waiters = [];

    /// <summary>What became of each order.</summary>
    public OfferBook Book => book;

    /// <summary>What the orders meet.</summary>
    public OrderStage Stage => stage;

    /// <summary>The plan of the run.</summary>
    public OrderPlan Plan => plan;

    /// <summary>Told of every accepted order that its buyer comes back to.</summary>
    public Action<int, OrderKind, Guid> ComesBack { get; set; } = static (_, _, _) => { };

    /// <summary>What order number <paramref name="number"/> is.</summary>
    public OrderKind KindOf(int number) => waiters.ContainsKey(number) ? OrderKind.Plain : plan.KindOf(number);

    /// <summary>Takes a number for somebody who waits.</summary>
    public int TakeWaiting()
    {
        var number = book.Take();
        waiters[number] = true;
        return number;
    }
}

/// <summary>Whole orders: placed, and paid at once unless their kind says otherwise.</summary>
internal sealed class OrderTraffic : BookedTraffic
{
    private readonly OrderDesk desk;
    private readonly bool waits;
    private readonly RequestTemplate paid;
    private readonly RequestTemplate fromWallet;
    private readonly RequestTemplate held;
    private readonly RequestTemplate[] ofTwoMerchants;

    /// <summary>Orders of this run; with <paramref name="waits"/> each answer comes when the order is final.</summary>
    public OrderTraffic(Session session, OrderDesk desk, bool waits)
        : base(desk.Book)
    {
        (this.desk, this.waits) = (desk, waits);
        var stage = desk.Stage;
        var key = $"{session.RunId}-o-<n0>";
        var head = OrderHeads.Of(session, stage.MerchantKey, key) + (waits ? "Prefer: wait=10\r\n" : "");
        var sale = $"{{\"saleId\":\"{stage.Sale.Id}\"";
        var item = $"{sale},\"userId\":\"{Buyers.Place(session.RunId, 1)}\""
            + ",\"items\":[{\"productId\":\"<g0>\",\"quantity\":1}]";
        held = new RequestTemplate("POST /v1/orders", head, $"{item}}}");
        fromWallet = new RequestTemplate("POST /v1/orders", head, item + Pay("WALLET"));
        paid = desk.Plan.ByWallet ? fromWallet : new RequestTemplate("POST /v1/orders", head, item + Pay("GATEWAY"));
        var second = stage.Sale.Products[^1];
        ofTwoMerchants =
        [
            .. stage.Users.Select(user => new RequestTemplate(
                "POST /v1/orders",
                OrderHeads.Of(session, user.Token, key),
                $"{sale},\"items\":[{{\"productId\":\"<g0>\",\"quantity\":1}},"
                    + $"{{\"productId\":\"{second}\",\"quantity\":1}}]{Pay("GATEWAY")}")),
        ];
        RequestBytesMax = ofTwoMerchants.Append(paid).Append(fromWallet).Max(template => template.BytesMax);
    }

    /// <inheritdoc/>
    public override int RequestBytesMax { get; }

    /// <inheritdoc/>
    public override int Take() => waits ? desk.TakeWaiting() : base.Take();

    /// <inheritdoc/>
    public override int Write(int number, Span<byte> buffer)
    {
        var kind = desk.KindOf(number);
        var original = kind == OrderKind.Repeated ? number - 1 : number;
        var template = kind switch
        {
            OrderKind.Abandoned or OrderKind.PaidTwice => held,
            OrderKind.WithoutCover => fromWallet,
            OrderKind.PartlyCancelled => ofTwoMerchants[desk.Stage.UserOf(number)],
            _ => paid,
        };
        return template.Write(buffer, new RequestValues
        {
            Numbers = [original, OrderStage.BuyerNumber(number, kind, desk.Plan)],
            Ids = [desk.Stage.Sale.Products[original % desk.Plan.Products]],
        });
    }

    /// <inheritdoc/>
    public override OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        var outcome = base.Judge(number, status, body);
        if (outcome == OfferOutcome.Accepted
            && desk.KindOf(number) is var kind
            && kind is OrderKind.Cancelled or OrderKind.PaidTwice or OrderKind.PartlyCancelled)
        {
            desk.ComesBack(number, kind, Book[number].Id);
        }

        return outcome;
    }

    private static string Pay(string method) => $",\"pay\":{{\"method\":\"{method}\"}}}}";
}
