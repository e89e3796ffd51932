using Floodgate.Load.Audit;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;
using Xunit;

namespace Floodgate.Tests.Load;

/// <summary>
/// Goal: every check of the auditor about sales is seen to fail when it should, and only then. Method: what an honest
/// server lists after a small sale, with one thing changed.
/// </summary>
public sealed class When_a_sale_is_wrong
{
    private const string Accepted = "every accepted order exists once";
    private const string Confirmed = "a confirmed order has one captured payment";
    private const string GivenUp = "an order that was given up has its money back";
    private const string Provider = "the provider took and gave back the same";
    private const string Refunded = "lines that were given back were refunded";
    private const string Seats = "every seat has at most one buyer";
    private const string SeatMap = "the seat map shows the others as free";
    private const string Tally = "what is sold and held is what the orders say";
    private static readonly Guid Sale = Id(1);
    private static readonly Guid Caps = Id(2);
    private static readonly Guid Hall = Id(3);
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    // | what | change | checks that fail |
    private static readonly (string What, Action<World> Change, string[] Fails)[] Errors =
    [
        ("an accepted order is not listed", w => w.Orders.RemoveAt(0), [Accepted, "refused offers", Tally]),
        ("an order is listed twice", w => w.Orders.Add(w.Orders[1]), [Accepted]),
        ("an order is another buyer's", w => w.Change(1, o => o with { UserId = "u-9" }), [Accepted, "refused offers"]),
        ("a refused buyer has an order", w => w.Orders.Add(w.Orders[3] with { Id = Id(77), UserId = "u-5" }),
            ["refused offers"]),
        ("a repeat made a second order", w => w.Book[6] = new Offer { Id = Id(12), Outcome = OfferOutcome.Accepted },
            [Accepted, "a repeated idempotency key", "refused offers"]),
        ("a paid order stays open", w => w.Change(3, o => o with { Status = "PAYMENT_PENDING" }),
            [Accepted, "every order that was to be paid is final"]),
        ("a hold goes on for ever", w => w.Change(4, o => o with { ExpiresAt = Now.AddMinutes(-1) }),
            ["no hold outlives its time"]),
        ("units vanish", w => w.Stock[Caps] = w.Stock[Caps] with { Available = 96 }, ["capacity = held"]),
        ("the server counts a sale too few", w => w.Stock[Caps] = w.Stock[Caps] with { Sold = 1, Available = 98 },
            [Tally]),
        ("more is sold than there is", w => w.Products[0] = w.Products[0] with { Capacity = 2 },
            ["capacity = held", "no more is held and sold"]),
        ("a seat is sold twice", w => w.ChangeSeats(2, "A-001-2"), [Seats, SeatMap]),
        ("a seat is sold that does not exist", w => w.ChangeSeats(2, "A-009-1"), [Seats, SeatMap]),
        ("a sold seat is shown as free", w => w.Free = "011", [SeatMap]),
        ("a buyer has more than the limit", w => w.Products[0] = w.Products[0] with { LimitPerBuyer = 1 },
            ["no buyer has more"]),
        ("an order costs more than its lines", w => w.Change(3, o => o with { Amount = Money(501) }),
            ["an order's amount"]),
        ("a confirmed order was not paid", w => w.ChangePayment(0, p => p with { Captured = 0, Status = "FAILED" }),
            [Confirmed, Provider]),
        ("another amount was captured", w => w.ChangePayment(0, p => p with { Captured = 99 }), [Confirmed, Provider]),
        ("an order was paid twice", w =>
            {
                w.Payments.Add(w.Payments[0] with { Id = Id(88) });
                w.Statement.Add(Line(88, "CHARGE", 100));
            },
            [Confirmed]),
        ("money is kept for nothing", w => w.ChangePayment(1, p => p with { Refunded = 150 }),
            [GivenUp, Refunded, Provider]),
        ("the provider was not asked to refund", w => w.Statement.RemoveAt(2), [Provider]),
        ("the provider charged another amount", w => w.Statement[0] = Line(20, "CHARGE", 101), [Provider]),
        ("an order hides its refund", w => w.Change(1, o => o with { Refunded = null }), [Refunded]),
    ];

    public static TheoryData<string> Whats => [.. Errors.Select(error => error.What)];

    [Fact]
    public void An_honest_sale_passes_every_check() => Assert.Empty(new World().Failed());

    [Theory, MemberData(nameof(Whats))]
    public void The_audit_names_what_is_broken_and_nothing_else(string what)
    {
        var (_, change, fails) = Errors.Single(error => error.What == what);
        var world = new World();
        change(world);
        var failed = world.Failed();
        Assert.Equal(fails.Length, failed.Count);
        Assert.All(fails, fail => Assert.Contains(failed, name => name.StartsWith(fail, StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_check_was_seen_to_fail()
    {
        var all = new World().Checks().Select(check => check.Name);
        Assert.All(all, name => Assert.Contains(
            Errors, error => error.Fails.Any(fail => name.StartsWith(fail, StringComparison.Ordinal))));
    }

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);

    private static WireMoney Money(long amount) => new(amount, "KRW");

    private static WireStatementLine Line(int payment, string kind, long amount) =>
        new($"{payment}-{kind}", Id(payment), kind, Money(amount), "APPROVED");

    /// <summary>
    /// Two units bought, a unit given back, a seat bought, a payment declined, a unit held; an offer refused and one
    /// repeated.
    /// </summary>
    private sealed class World
    {
        public List<WireProduct> Products { get; } =
        [
            new(Caps, Sale, "m", "STOCK", 100, 2), new(Hall, Sale, "m", "SEATS", 3, null),
        ];

        public Dictionary<Guid, WireStock> Stock { get; } = new()
        {
            [Caps] = new(Caps, "STOCK", 100, 97, 1, 2),
            [Hall] = new(Hall, "SEATS", 3, 1, 0, 2),
        };

        public string Free { get; set; } = "001";

        public List<WireOrder> Orders { get; } =
        [
            Order(10, 0, "CONFIRMED", 100, new(Caps, "m", 2, null, 100, "SOLD")) with { PaymentId = Id(20) },
            Order(11, 1, "CANCELLED", 200, new(Caps, "m", 1, null, 200, "CANCELLED")) with
            {
                PaymentId = Id(21), Refunded = Money(200),
            },
            Order(12, 2, "CONFIRMED", 300, new(Hall, "m", 2, ["A-001-1", "A-001-2"], 300, "SOLD")) with
            {
                PaymentId = Id(22), Method = "WALLET",
            },
            Order(13, 3, "PAYMENT_FAILED", 500, new(Caps, "m", 1, null, 500, "RELEASED")),
            Order(14, 4, "TEMPORARY_ASSIGNED", 600, new(Caps, "m", 1, null, 600, "HELD")) with
            {
                Method = null, ExpiresAt = Now.AddMinutes(1),
            },
        ];

        public List<WirePayment> Payments { get; } =
        [
            Payment(20, 10, 100, 0), Payment(21, 11, 200, 200), Payment(22, 12, 300, 0) with { Method = "WALLET" },
        ];

        public List<WireStatementLine> Statement { get; } =
        [
            Line(20, "CHARGE", 100), Line(21, "CHARGE", 200), Line(21, "REFUND", 200),
        ];

        public OfferBook Book { get; } = Offers();

        public void Change(int order, Func<WireOrder, WireOrder> change) => Orders[order] = change(Orders[order]);

        public void ChangePayment(int payment, Func<WirePayment, WirePayment> change) =>
            Payments[payment] = change(Payments[payment]);

        /// <summary>Another order has the first seat and this one.</summary>
        public void ChangeSeats(int order, string second)
        {
            var isTwice = second == "A-001-2";
            Change(order, o => o with
            {
                Lines = [o.Lines[0] with { Seats = isTwice ? [second, second] : ["A-001-1", second] }],
            });
        }

        public List<string> Failed() => [.. Checks().Where(check => !check.Holds).Select(check => check.Name)];

        public IReadOnlyList<AuditCheck> Checks()
        {
            var (sale, payments) = (new SaleBook(), new AuditBook(null, null));
            Products.ForEach(sale.Add);
            Orders.ForEach(sale.Add);
            Statement.ForEach(payments.Add);
            foreach (var payment in Payments)
            {
                payments.Add(payment);
                sale.Add(payment);
            }

            foreach (var (id, tally) in sale.Products)
            {
                tally.Stock = Stock[id];
            }

            sale.Products[Hall].Seats = new WireSeats(Hall, [new WireSeatRow("A", "001", "standard", Free)]);
            var offered = new OfferedOrders(Book, n => n == 6 ? "u-0" : $"u-{n}", n => n != 4);
            var scope = new SaleScope([Sale], [offered]) { Repeats = [(6, 0)] };
            return new SaleChecks(sale, payments, scope).All(Now);
        }

        private static OfferBook Offers()
        {
            var book = new OfferBook();
            for (var n = 0; n < 7; n++)
            {
                book[book.Take()] = n == 5
                    ? new Offer { Outcome = OfferOutcome.Refused }
                    : new Offer { Id = Id(n == 6 ? 10 : 10 + n), Outcome = OfferOutcome.Accepted };
            }

            return book;
        }

        private static WireOrder Order(int id, int buyer, string status, long amount, WireOrderLine line) => new(
            Id(id), Sale, $"u-{buyer}", status, Money(amount), null, [line], null, "GATEWAY", null, null, Now, Now);

        private static WirePayment Payment(int id, int order, long amount, long refunded) => new(
            Id(id), refunded == amount ? "REFUNDED" : "CAPTURED", Money(amount), amount, amount, refunded, "GATEWAY",
            Id(order).ToString());
    }
}
