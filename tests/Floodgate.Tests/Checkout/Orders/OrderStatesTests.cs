using Floodgate.Checkout.Orders;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Checkout.Orders;

// Goal: an order leaves each state only by the ways the design draws, and never gives back more than was paid. Method:
// the table of states and moves, then random sequences of moves.
public sealed class OrderStatesTests
{
    private const long Now = 1_000;
    private const long Later = 2_000_000;

    /// <summary>A move and the states that it may start from.</summary>
    public static TheoryData<string, OrderState[], OrderState> Moves => new()
    {
        { "pay", [OrderState.TemporaryAssigned], OrderState.PaymentPending },
        { "confirm", [OrderState.PaymentPending], OrderState.Confirmed },
        { "fail", [OrderState.PaymentPending], OrderState.PaymentFailed },
        { "expire", [OrderState.TemporaryAssigned, OrderState.PaymentPending], OrderState.Expired },
        { "cancel", [OrderState.TemporaryAssigned, OrderState.Confirmed], OrderState.Cancelled },
    };

    [Theory, MemberData(nameof(Moves))]
    public void A_move_starts_from_its_states_only(string move, OrderState[] from, OrderState to)
    {
        foreach (var state in Enum.GetValues<OrderState>())
        {
            var next = Apply(Of(state), move, Later);
            Assert.Equal(from.Contains(state) ? to : null, next?.State);
        }
    }

    [Fact]
    public void Nothing_expires_before_its_time_and_nothing_is_paid_after_it()
    {
        var order = Of(OrderState.TemporaryAssigned);
        Assert.Null(order.Expire(order.ExpiresMs - 1));
        Assert.NotNull(order.Expire(order.ExpiresMs));
        Assert.NotNull(order.Pay("WALLET", "k", Later, order.ExpiresMs - 1));
        Assert.Null(order.Pay("WALLET", "k", Later, order.ExpiresMs));
    }

    [Fact]
    public void Money_that_comes_late_goes_back_once_and_only_when_it_was_awaited()
    {
        var pending = Of(OrderState.PaymentPending).Expire(Later)!;
        var late = pending.ReturnLateMoney(Later)!;
        Assert.Equal((300, "late_success"), (late.Refunding, late.FailReason));
        Assert.Null(late.ReturnLateMoney(Later));
        Assert.Null(late.EndRefund(300, isDone: false, Later).ReturnLateMoney(Later));
        Assert.Null(Of(OrderState.TemporaryAssigned).Expire(Later)!.ReturnLateMoney(Later));
        Assert.Null(Of(OrderState.Confirmed).ReturnLateMoney(Later));
    }

    [Fact]
    public void Any_sequence_of_moves_keeps_to_the_states_and_the_money() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3_000),
        Prop.ForAll(
            Gen.Elements("pay", "confirm", "fail", "expire", "cancel", "cancel m-1", "cancel m-2", "late", "refunded",
                "refused").ListOf().ToArbitrary(),
            moves =>
            {
                var order = Of(OrderState.TemporaryAssigned);
                var refunds = new Queue<long>();
                foreach (var move in moves)
                {
                    var next = move is "refunded" or "refused"
                        ? refunds.TryDequeue(out var amount) ? order.EndRefund(amount, move == "refunded", Later) : null
                        : Apply(order, move, Later);
                    if (next is null)
                    {
                        continue;
                    }

                    if (next.Refunding > order.Refunding)
                    {
                        refunds.Enqueue(next.Refunding - order.Refunding);
                    }

                    Assert.True(next.Refunding + next.Refunded <= 300);
                    Assert.True(!IsOver(order.State) || next.State == order.State, $"{order.State} is final");
                    var sold = next.Lines.Where(l => next.StateOf(l) == LineState.Sold).Sum(l => l.Amount);
                    Assert.True(sold + refunds.Sum() + next.Refunded <= 300, "what is sold is not given back too");
                    order = next;
                }

                Assert.Equal(refunds.Sum(), order.Refunding);
                return true;
            }));

    private static bool IsOver(OrderState state) =>
        state is OrderState.PaymentFailed or OrderState.Expired or OrderState.Cancelled;

    private static Order? Apply(Order order, string move, long nowMs) => move switch
    {
        "pay" => order.Pay("WALLET", "key", Later, Now),
        "confirm" => order.Confirm(nowMs),
        "fail" => order.Fail("declined", nowMs),
        "expire" => order.Expire(nowMs),
        "late" => order.ReturnLateMoney(nowMs),
        "cancel" => order.Cancel(null, nowMs),
        _ => order.Cancel(move.Split(' ')[1], nowMs),
    };

    private static Order Of(OrderState state)
    {
        var facts = new OrderFacts(
            Guid.Empty, Guid.Empty, "p/ann", "k", "h", new Money(300, Currency.FromStored("KRW")), Guid.Empty,
            Guid.Empty, Now);
        return new Order(
            facts,
            [
                new OrderLine(0, Guid.Empty, "m-1", 1, [], 100, IsCancelled: false),
                new OrderLine(1, Guid.Empty, "m-2", 2, [], 200, IsCancelled: state == OrderState.Cancelled),
            ])
        {
            State = state,
            ExpiresMs = 10_000,
        };
    }
}
