using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Storage;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Checkout.Holds;

/// <summary>
/// Goal: whatever is wanted, confirmed, released and returned, in whatever batches, pools, seats and shares are what a
/// model of a few lists says. Method: random stories on the real database; after each transaction the program's own
/// checks compare all tables with the model. FsCheck prints the seed.
/// </summary>
public abstract class HoldContract : IAsyncLifetime
{
    private static readonly string[] Buyers = ["p/ann", "p/bob", "p/cat"];

    private readonly DataPlace place;
    private Database database = null!;
    private int stories;

    private protected HoldContract(PostgreSqlServer? server) => place = new(server);

    public async ValueTask InitializeAsync()
    {
        await place.CreateAsync();
        database = place.Open();
        await database.MigrateAsync([.. CatalogModule.Migrations, .. HoldsModule.Migrations], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await place.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A line of a basket: which of three products, how many, and whether seats are named.</summary>
    public sealed record Want(int Product, int Quantity, int[] Places);

    /// <summary>One transaction: baskets of buyers, or what becomes of the orders taken so far.</summary>
    public sealed record Step(bool IsTake, (int Buyer, Want[] Lines)[] Baskets, (int Order, MoveKind Kind)[] Moves);

    [Fact]
    public void Any_story_ends_as_the_model_says() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(place.IsPostgreSql ? 60 : 150),
        Prop.ForAll(Steps().ListOf().ToArbitrary(), steps =>
        {
            PlayAsync(steps).GetAwaiter().GetResult(); // tidy: blocking: properties of FsCheck are.
            return true;
        }));

    [Fact]
    public async Task Of_many_at_once_as_many_get_it_as_there_are()
    {
        var offer = Things.Stock(7, 100);
        var book = new HoldBook(new SoldOutBoard(TimeProvider.System, News.Alone()));
        var orders = 0;
        var all = await Task.WhenAll(Enumerable.Range(0, 300).Select(n => Task.Run(() => database.WriteAsync(tx =>
            book.TakeAsync(
                tx, [new Basket(Things.IdOf(Interlocked.Increment(ref orders)), $"p/{n}", [new(offer,
                    1)])])).AsTask())));
        Assert.Equal(100, all.Count(one => one[0].Outcome == HoldOutcome.Held));
        Assert.Equal(200, all.Count(one => one[0].Outcome == HoldOutcome.InsufficientStock));
    }

    [Fact]
    public async Task Two_baskets_with_the_same_products_in_other_orders_do_not_wait_in_a_circle()
    {
        Offer[] offers = [Things.Stock(8, 1_000_000), Things.Stock(9, 1_000_000)];
        var book = new HoldBook(new SoldOutBoard(TimeProvider.System, News.Alone()));
        var orders = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), async (n, _) =>
        {
            WantedLine[] lines = [new(offers[n % 2], 1), new(offers[(n + 1) % 2], 1)];
            var basket = new Basket(Things.IdOf(Interlocked.Increment(ref orders)), $"p/{n}", lines);
            Assert.Equal(HoldOutcome.Held, (await database.WriteAsync(tx => book.TakeAsync(tx, [basket])))[0].Outcome);
        });
    }

    [Fact]
    public async Task Nothing_is_sold_out_for_those_who_have_some_and_for_others_until_some_comes_back()
    {
        var offer = Things.Stock(11, 2);
        var board = new SoldOutBoard(TimeProvider.System, News.Alone());
        var book = new HoldBook(board);
        await database.WriteAsync(tx => book.TakeAsync(tx, [new Basket(Things.IdOf(501), "p/ann", [new(offer, 2)])]));
        Assert.True(board.IsFor(offer.Product.Id, "p/bob"));
        Assert.False(board.IsFor(offer.Product.Id, "p/ann"));

        HoldMove[] release = [new(MoveKind.Release, Things.IdOf(501), "p/ann", offer.Product.Id, 2, [])];
        await database.WriteAsync(async tx =>
        {
            await book.MoveAsync(tx, release);
            return 0;
        });
        Assert.False(board.IsFor(offer.Product.Id, "p/bob"));
        await Assert.ThrowsAnyAsync<Exception>(() => database.WriteAsync(async tx =>
        {
            await book.MoveAsync(tx, release); // A second time: the invariant, or the constraint behind it.
            return 0;
        }).AsTask());
    }

    private async Task PlayAsync(IReadOnlyList<Step> steps)
    {
        var first = 1_000 * ++stories;
        Offer[] offers =
        [
            Things.Stock(first, 5, limit: 3), Things.Seats(first + 1, null, 3, 4), Things.Seats(first + 2, 2, 2, 2),
        ];
        var model = new Model(offers);
        var book = new HoldBook(new SoldOutBoard(TimeProvider.System, News.Alone()));
        foreach (var step in steps)
        {
            if (step.IsTake)
            {
                await TakeAsync(book, model, step, offers, first);
            }
            else
            {
                var moves = model.Take(step.Moves);
                await database.WriteAsync(async tx =>
                {
                    await book.MoveAsync(tx, moves);
                    return 0;
                });
            }

            var totals = model.Totals();
            var checks = await database.ReadSnapshotAsync(tx => HoldChecks.CheckAsync(tx, totals, 0));
            Assert.All(checks, check => Assert.True(check.Holds || IsOfOthers(check, offers), check.Detail));
        }
    }

    // Earlier stories left their pools in the same tables.
    private static bool IsOfOthers(InvariantCheck check, Offer[] offers) =>
        check.Name == "pools-equal-orders" && !offers.Any(o => check.Detail.Contains($"{o.Product.Id}"));

    private async Task TakeAsync(HoldBook book, Model model, Step step, Offer[] offers, int first)
    {
        var baskets = step.Baskets.Select((b, n) => new Basket(
            Things.IdOf((first * 1_000) + model.Orders.Count + n),
            Buyers[b.Buyer],
            [.. b.Lines.Select(w => LineOf(w, offers[w.Product]))])).ToList();
        var held = await database.WriteAsync(tx => book.TakeAsync(tx, baskets));
        Assert.Equal(baskets.Count, held.Count);
        foreach (var (basket, holding) in baskets.Zip(held))
        {
            model.Follow(basket, holding);
        }
    }

    private static WantedLine LineOf(Want want, Offer offer) => offer.Seats is { } map && want.Places.Length > 0
        ? Named(offer, [.. want.Places.Select(p => p % map.Count).Distinct()])
        : new(offer, want.Quantity);

    private static WantedLine Named(Offer offer, int[] places) => new(offer, places.Length, places);

    private static Gen<Step> Steps()
    {
        var wants =
            from product in Gen.Choose(0, 2)
            from quantity in Gen.Choose(1, 3)
            from isNamed in Gen.Choose(0, 2)
            from places in Gen.Choose(0, 6).ArrayOf(isNamed)
            select new Want(product, quantity, places);
        var baskets =
            from buyer in Gen.Choose(0, 2)
            from count in Gen.Choose(1, 3)
            from lines in wants.ArrayOf(count)
            select (buyer, lines);
        var moves =
            from order in Gen.Choose(0, 9)
            from kind in Gen.Elements(MoveKind.Confirm, MoveKind.Release, MoveKind.Return)
            select (order, kind);
        return
            from isTake in Gen.Elements(true, false)
            from b in Gen.Choose(1, 4).SelectMany(n => baskets.ArrayOf(n))
            from m in Gen.Choose(1, 4).SelectMany(n => moves.ArrayOf(n))
            select new Step(isTake, b, m);
    }

    /// <summary>What should be: every order that was held, with its lines and whether they are sold.</summary>
    private sealed class Model(Offer[] offers)
    {
        public List<(Basket Basket, Holding Holding, string State)> Orders { get; } = [];

        public Dictionary<Guid, (long Held, long Sold)> Totals() => offers.ToDictionary(
            o => o.Product.Id,
            o => (LinesOf(o, "held").Sum(l => (long)l.Quantity), LinesOf(o, "sold").Sum(l => (long)l.Quantity)));

        /// <summary>Checks an outcome against what is there, and takes it over.</summary>
        public void Follow(Basket basket, Holding holding)
        {
            var before = Orders.Count;
            Orders.Add((basket, Holding.Refused(HoldOutcome.Held, Guid.Empty), "held"));
            var lines = new List<HeldLine>();
            foreach (var wanted in basket.InOrder)
            {
                Orders[before] = (basket, new Holding(HoldOutcome.Held, lines, Guid.Empty), "held");
                var expected = Expect(wanted, basket.Buyer);
                if (expected != HoldOutcome.Held)
                {
                    Assert.Equal((expected, wanted.Offer.Product.Id), (holding.Outcome, holding.RefusedProductId));
                    Assert.Empty(holding.Lines);
                    Orders[before] = (basket, holding, "refused");
                    return;
                }

                var line = holding.Outcome == HoldOutcome.Held
                    ? holding.Lines.First(l => ReferenceEquals(l.Wanted, wanted))
                    : new HeldLine(wanted, StandIn(wanted), 0); // A later line will be refused; any seats will do.
                Assert.All(line.Places, p => Assert.DoesNotContain(p, Taken(wanted.Offer)));
                Assert.Equal(wanted.Offer.Seats is null ? 0 : wanted.Quantity, line.Places.Distinct().Count());
                lines.Add(line);
            }

            Assert.Equal(HoldOutcome.Held, holding.Outcome);
            Assert.All(holding.Lines, line => Assert.Equal(
                line.Places.Length == 0
                    ? 100 * line.Wanted.Quantity
                    : line.Places.Sum(p => line.Wanted.Offer.Seats!.RowOf(p).Tier == "a" ? 500 : 300),
                line.Amount));
            Orders[before] = (basket, holding, "held");
        }

        /// <summary>The moves that the orders' states allow, each order once; the others are left out.</summary>
        public List<HoldMove> Take((int Order, MoveKind Kind)[] moves)
        {
            var taken = new List<HoldMove>();
            foreach (var (order, kind) in moves.Where(m => m.Order < Orders.Count).DistinctBy(m => m.Order))
            {
                var (basket, holding, state) = Orders[order];
                if (state == (kind == MoveKind.Return ? "sold" : "held"))
                {
                    taken.AddRange(holding.Lines.Select(l => new HoldMove(
                        kind, basket.OrderId, basket.Buyer, l.Wanted.Offer.Product.Id, l.Wanted.Quantity, l.Places)));
                    Orders[order] = (basket, holding, kind == MoveKind.Confirm ? "sold" : "over");
                }
            }

            return taken;
        }

        private HoldOutcome Expect(WantedLine wanted, string buyer)
        {
            var live = Orders.Where(o => o.State is "held" or "sold").ToList();
            var share = live.Where(o => o.Basket.Buyer == buyer).SelectMany(o => o.Holding.Lines)
                .Where(l => l.Wanted.Offer == wanted.Offer).Sum(l => l.Wanted.Quantity);
            var used = live.SelectMany(o => o.Holding.Lines).Where(l => l.Wanted.Offer == wanted.Offer)
                .Sum(l => l.Wanted.Quantity);
            return share + wanted.Quantity > (wanted.Offer.Product.Terms.LimitPerBuyer ?? int.MaxValue)
                ? HoldOutcome.LimitPerBuyer
                : wanted.Places is { } places && places.Any(Taken(wanted.Offer).Contains) ? HoldOutcome.SeatTaken
                : wanted.Offer.Product.Capacity - used < wanted.Quantity ? HoldOutcome.InsufficientStock
                : HoldOutcome.Held;
        }

        private int[] StandIn(WantedLine wanted) => wanted.Offer.Seats is not { } map ? []
            : wanted.Places is { } named ? [.. named]
            : [.. Enumerable.Range(0, map.Count).Except(Taken(wanted.Offer)).Take(wanted.Quantity)];

        private HashSet<int> Taken(Offer offer) =>
            [.. LinesOf(offer, "held").Concat(LinesOf(offer, "sold")).SelectMany(l => l.Places)];

        private IEnumerable<(int Quantity, int[] Places)> LinesOf(Offer offer, string state) => Orders
            .Where(o => o.State == state).SelectMany(o => o.Holding.Lines)
            .Where(l => l.Wanted.Offer == offer).Select(l => (l.Wanted.Quantity, l.Places));
    }
}

public sealed class Holds_on_SQLite() : HoldContract(null);

public sealed class Holds_on_PostgreSQL(PostgreSqlServer server) : HoldContract(server);
