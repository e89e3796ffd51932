using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Holds;

/// <summary>What can come of wanting to hold, in the order in which it is checked.</summary>
public enum HoldOutcome
{
    /// <summary>The buyer would hold and own more of a product than one buyer may.</summary>
    LimitPerBuyer,

    /// <summary>A named seat is held or sold.</summary>
    SeatTaken,

    /// <summary>Fewer are available than are wanted.</summary>
    InsufficientStock,

    /// <summary>Held: all of the basket.</summary>
    Held,
}

/// <summary>One line of a basket.</summary>
/// <param name="Offer">Of which product, at which price.</param>
/// <param name="Quantity">How many, at least 1.</param>
/// <param name="Places">The seats that are named, each once; null for stock and for the best that is available.</param>
/// <param name="Section">Only seats of this section; null for any.</param>
/// <param name="Tier">Only seats of this price; null for any.</param>
public sealed record WantedLine(
    Offer Offer, int Quantity, IReadOnlyList<int>? Places = null, string? Section = null, string? Tier = null);

/// <summary>A basket: all of it is held for the order, or nothing.</summary>
public sealed record Basket(Guid OrderId, string Buyer, IReadOnlyList<WantedLine> Lines)
{
    /// <summary>The lines in the order in which they are decided: those that name their seats first.</summary>
    public IEnumerable<WantedLine> InOrder =>
        Lines.Count == 1 ? Lines : Lines.Where(l => l.Places is not null).Concat(Lines.Where(l => l.Places is null));
}

/// <summary>What is held of one line: the seats, and the price of the line in minor units.</summary>
public sealed record HeldLine(WantedLine Wanted, int[] Places, long Amount);

/// <summary>What came of a basket: the lines when it is held, else the product that was in the way.</summary>
public sealed record Holding(HoldOutcome Outcome, IReadOnlyList<HeldLine> Lines, Guid RefusedProductId)
{
    /// <summary>Not held.</summary>
    public static Holding Refused(HoldOutcome outcome, Guid productId) => new(outcome, [], productId);
}

/// <summary>What becomes of something that was held or sold.</summary>
public enum MoveKind
{
    /// <summary>What was held is sold.</summary>
    Confirm,

    /// <summary>What was held is free again.</summary>
    Release,

    /// <summary>What was sold is free again.</summary>
    Return,
}

/// <summary>One line of an order on its way out of being held or sold.</summary>
public sealed record HoldMove(
    MoveKind Kind, Guid OrderId, string Buyer, Guid ProductId, int Quantity, IReadOnlyList<int> Places);

/// <summary>
/// The only writer of what is available, held and sold. It works within the transaction of the caller, who guards by
/// the state of its orders that each hold is taken once and moved on once. All baskets of a transaction are decided in
/// their order on pools that are locked by id, so a hot product is locked once for all of them and nobody waits in a
/// circle.
/// </summary>
public sealed class HoldBook(SoldOutBoard soldOut)
{
    /// <summary>
    /// Holds each basket as a whole, or says why not; one answer for each, in their order. Locks the pools of all
    /// products, and makes those that are not there yet. A product that has nothing left is known to be sold out after
    /// the commit. Call it once in a transaction, before anything else locks pools.
    /// </summary>
    public async ValueTask<IReadOnlyList<Holding>> TakeAsync(Tx tx, IReadOnlyList<Basket> baskets)
    {
        var offers = baskets.SelectMany(b => b.Lines).Select(l => l.Offer).DistinctBy(o => o.Product.Id).ToList();
        var pools = await LockAsync(tx, offers);
        var shares = (await HoldsSql.SelectSharesAsync(
            tx, [.. baskets.SelectMany(b => b.Lines.Select(l => (l.Offer.Product.Id, b.Buyer))).Distinct()]))
            .ToDictionary(s => (s.ProductId, s.Buyer), s => s.Quantity);
        var held = new List<Holding>(baskets.Count);
        var before = pools.Values.ToDictionary(p => p.ProductId, p => p.Held);
        var taken = new Dictionary<(Guid, string), long>();
        foreach (var basket in baskets)
        {
            held.Add(Decide(basket, pools, shares, taken));
        }

        var changed = pools.Values.Where(p => p.Held != before[p.ProductId]).ToList();
        HoldsSql.Hold(tx, [.. changed.Select(p => (p, p.Held - before[p.ProductId]))]);
        HoldsSql.Upsert(tx, [.. taken.Select(t => new BuyerShare(t.Key.Item1, t.Key.Item2, t.Value))]);
        HoldsSql.Insert(
            tx,
            [
                .. held.Index().SelectMany(h => h.Item.Lines.SelectMany(l => l.Places.Select(
                    place => new TakenSeat(l.Wanted.Offer.Product.Id, place, baskets[h.Index].OrderId)))),
            ]);
        await NoteSoldOutAsync(tx, pools.Values);
        return held;
    }

    /// <summary>
    /// Confirms, releases and returns. Locks the pools. What was not held, or not sold, breaks an invariant and the
    /// transaction: the caller moves each hold once.
    /// </summary>
    public async ValueTask MoveAsync(Tx tx, IReadOnlyList<HoldMove> moves)
    {
        if (moves.Count == 0)
        {
            return;
        }

        // The pools are read only where seats are freed; for the rest it is enough that they are locked in order.
        var freed = moves.Where(m => m.Kind != MoveKind.Confirm).ToList();
        var productIds = moves.Select(m => m.ProductId).Distinct().ToList();
        var pools = freed.Count == 0
            ? []
            : (await HoldsSql.LockAsync(tx, productIds)).ToDictionary(p => p.ProductId);
        if (freed.Count == 0)
        {
            HoldsSql.Lock(tx, productIds);
        }

        foreach (var move in moves.Where(m => pools.ContainsKey(m.ProductId)))
        {
            Apply(move, pools[move.ProductId]);
        }

        HoldsSql.Move(tx, [.. moves.GroupBy(m => m.ProductId).Select(g => Total(g.Key, g))]);
        HoldsSql.UpdateSeats(tx, [.. pools.Values.Where(p => p.AreSeatsChanged)]);
        HoldsSql.Give(
            tx,
            [
                .. freed.GroupBy(m => (m.ProductId, m.Buyer))
                    .Select(g => new BuyerShare(g.Key.ProductId, g.Key.Buyer, g.Sum(m => (long)m.Quantity))),
            ]);
        HoldsSql.Delete(
            tx, [.. freed.SelectMany(m => m.Places.Select(p => new TakenSeat(m.ProductId, p, m.OrderId)))]);
        tx.OnCommitted(() => soldOut.Forget([.. freed.Select(m => m.ProductId).Distinct()]));
    }

    private static async ValueTask<Dictionary<Guid, Pool>> LockAsync(Tx tx, List<Offer> offers)
    {
        var ids = offers.Select(o => o.Product.Id).ToList();
        var pools = await HoldsSql.LockAsync(tx, ids);
        if (pools.Count < ids.Count)
        {
            HoldsSql.Create(tx, offers);
            pools = await HoldsSql.LockAsync(tx, ids);
        }

        return pools.ToDictionary(p => p.ProductId);
    }

    private static void Apply(HoldMove move, Pool pool)
    {
        if (move.Kind == MoveKind.Confirm)
        {
            pool.Confirm(move.Quantity);
        }
        else
        {
            pool.Release(move.Quantity, [.. move.Places], move.Kind == MoveKind.Return);
        }
    }

    private static (Guid ProductId, long Held, long Sold) Total(Guid productId, IEnumerable<HoldMove> moves)
    {
        var (held, sold) = (0L, 0L);
        foreach (var move in moves)
        {
            held -= move.Kind == MoveKind.Return ? 0 : move.Quantity;
            sold += move.Kind switch
            {
                MoveKind.Confirm => move.Quantity,
                MoveKind.Return => -move.Quantity,
                _ => 0,
            };
        }

        return (productId, held, sold);
    }

    /// <summary>
    /// Checks in the order of <see cref="HoldOutcome"/>, line by line, those that name their seats first: or the best
    /// that is available might be what a later line names. A line that is refused frees what the lines before it took.
    /// </summary>
    private static Holding Decide(
        Basket basket,
        Dictionary<Guid, Pool> pools,
        Dictionary<(Guid, string), long> shares,
        Dictionary<(Guid, string), long> taken)
    {
        var held = new List<HeldLine>(basket.Lines.Count);
        foreach (var line in basket.InOrder)
        {
            var pool = pools[line.Offer.Product.Id];
            var share = shares.GetValueOrDefault((pool.ProductId, basket.Buyer))
                + held.Where(h => h.Wanted.Offer.Product.Id == pool.ProductId).Sum(h => h.Wanted.Quantity);
            var (outcome, places) = Decide(line, pool, share);
            if (outcome != HoldOutcome.Held)
            {
                held.ForEach(h => pools[h.Wanted.Offer.Product.Id].Undo(h.Wanted.Quantity, h.Places));
                return Holding.Refused(outcome, pool.ProductId);
            }

            held.Add(new HeldLine(line, places, AmountOf(line, places)));
        }

        // From here it must succeed.
        foreach (var line in basket.Lines)
        {
            var key = (line.Offer.Product.Id, basket.Buyer);
            taken[key] = shares[key] = checked(shares.GetValueOrDefault(key) + line.Quantity);
        }

        return new Holding(
            HoldOutcome.Held,
            [.. basket.Lines.Select(line => held.Find(h => ReferenceEquals(h.Wanted, line))!)],
            Guid.Empty);
    }

    private static (HoldOutcome Outcome, int[] Places) Decide(WantedLine line, Pool pool, long share)
    {
        if (line.Offer.Product.Terms.LimitPerBuyer is { } limit && share + line.Quantity > limit)
        {
            return (HoldOutcome.LimitPerBuyer, []);
        }

        if (line.Places is { } named)
        {
            if (named.Any(pool.IsTaken))
            {
                return (HoldOutcome.SeatTaken, []);
            }

            pool.Hold([.. named]);
            return (HoldOutcome.Held, [.. named]);
        }

        if (pool.Available < line.Quantity)
        {
            return (HoldOutcome.InsufficientStock, []);
        }

        if (line.Offer.Seats is not { } map)
        {
            pool.Hold(line.Quantity);
            return (HoldOutcome.Held, []);
        }

        var best = pool.BestAvailable(
            map,
            line.Quantity,
            row => (line.Section is null || row.Section == line.Section)
                && (line.Tier is null || row.Tier == line.Tier));
        if (best is null)
        {
            return (HoldOutcome.InsufficientStock, []);
        }

        pool.Hold(best);
        return (HoldOutcome.Held, best);
    }

    private static long AmountOf(WantedLine line, int[] places) => places.Length == 0
        ? checked(line.Offer.Amount * line.Quantity)
        : places.Sum(line.Offer.AmountOf);

    // A buyer who has had something of the product may be asking again for an answer that was lost, so these buyers are
    // never refused from memory. There are at most as many as were ever held.
    private async ValueTask NoteSoldOutAsync(Tx tx, IEnumerable<Pool> pools)
    {
        foreach (var pool in pools.Where(p => p.Available == 0))
        {
            var takes = pool.Takes;
            if (!soldOut.Knows(pool.ProductId, takes))
            {
                var buyers = await HoldsSql.SelectBuyersAsync(tx, pool.ProductId, SoldOutBoard.BuyersMax + 1);
                tx.OnCommitted(() => soldOut.Note(pool.ProductId, takes, buyers));
            }
            else
            {
                tx.OnCommitted(() => soldOut.Note(pool.ProductId, takes, null));
            }
        }
    }
}
