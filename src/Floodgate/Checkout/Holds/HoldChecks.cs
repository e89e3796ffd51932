using System.Numerics;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Holds;

/// <summary>What must hold of pools, seats and shares, and between them and the orders they were taken for.</summary>
public static class HoldChecks
{
    /// <summary>Checks every pool against what the orders say, and against its seats and buyers.</summary>
    /// <param name="tx">A snapshot.</param>
    /// <param name="orders">Held and sold of each product by its orders.</param>
    /// <param name="count">How many orders that were, for the detail.</param>
    public static async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(
        Tx tx, IReadOnlyDictionary<Guid, (long Held, long Sold)> orders, long count)
    {
        var pools = await HoldsSql.SelectPoolsAsync(tx);
        var known = pools.Select(p => p.Pool.ProductId).ToHashSet();
        var unlike = pools.Where(p => (p.Pool.Held, p.Pool.Sold) != orders.GetValueOrDefault(p.Pool.ProductId))
            .Select(p => p.Pool.ProductId)
            .Concat(orders.Where(o => o.Value != (0, 0) && !known.Contains(o.Key)).Select(o => o.Key)).ToList();
        var seats = pools.Where(p => p.Pool.Seats.Length > 0
            && (CountBits(p.Pool.Seats) != p.Pool.Held + p.Pool.Sold || p.Taken != p.Pool.Held + p.Pool.Sold)).ToList();
        var shares = pools.Where(p => p.Shares != p.Pool.Held + p.Pool.Sold).ToList();
        return
        [
            new(
                "pools-equal-orders", unlike.Count == 0,
                unlike.Count == 0 ? $"{pools.Count} pools hold and have sold what {count} orders say"
                    : $"products {Some(unlike)} hold or have sold something else than their orders say"),
            new(
                "one-order-per-seat", seats.Count == 0,
                seats.Count == 0 ? "every seat that is taken is of one order"
                    : $"products {Some(seats.Select(p => p.Pool.ProductId))} have seats of no order, or of several"),
            new(
                "shares-equal-pools", shares.Count == 0,
                shares.Count == 0 ? "buyers have what is held and sold"
                    : $"products {Some(shares.Select(p => p.Pool.ProductId))} have buyers with more or less than it"),
        ];
    }

    private static string Some(IEnumerable<Guid> ids) => string.Join(", ", ids.Take(10));

    private static long CountBits(ReadOnlySpan<byte> bytes)
    {
        var bits = 0L;
        foreach (var b in bytes)
        {
            bits += BitOperations.PopCount(b);
        }

        return bits;
    }
}
