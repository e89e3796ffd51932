using System.Numerics;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Holds;

/// <summary>
/// What there is of one product, while a transaction has its row locked: how many are held and sold, and which seats
/// are taken. No input or output; used by one caller at a time.
/// </summary>
public sealed class Pool
{
    private readonly byte[] seats;

    // Free seats of each row; counted when the first basket asks for the best that is available.
    private (SeatMap Map, int[] Free)? counted;

    /// <summary>The pool as it is stored. The bytes are the pool's own from now on.</summary>
    public Pool(Guid productId, long capacity, long held, long sold, byte[] seats, long takes = 0)
    {
        this.seats = seats;
        (ProductId, Capacity, Held, Sold, Takes) = (productId, capacity, held, sold, takes);
        Check();
    }

    /// <summary>The product.</summary>
    public Guid ProductId { get; }

    /// <summary>How many there are in all.</summary>
    public long Capacity { get; }

    /// <summary>Held for orders that are not paid.</summary>
    public long Held { get; private set; }

    /// <summary>Sold.</summary>
    public long Sold { get; private set; }

    /// <summary>How many were ever held: the same number means the same buyers.</summary>
    public long Takes { get; private set; }

    /// <summary>Neither held nor sold.</summary>
    public long Available => Capacity - Held - Sold;

    /// <summary>One bit for each seat, set while it is held or sold; empty for stock.</summary>
    public ReadOnlySpan<byte> Seats => seats;

    /// <summary>True when the bytes changed.</summary>
    public bool AreSeatsChanged { get; private set; }

    /// <summary>True while the seat is held or sold.</summary>
    public bool IsTaken(int place) => (seats[place >> 3] & (1 << (place & 7))) != 0;

    /// <summary>Takes units; there must be as many.</summary>
    public void Hold(int quantity)
    {
        Held = checked(Held + quantity);
        Takes = checked(Takes + quantity);
        Check();
    }

    /// <summary>Takes seats; they must be free.</summary>
    public void Hold(ReadOnlySpan<int> places)
    {
        foreach (var place in places)
        {
            Invariant.Check(!IsTaken(place), "a seat is held once");
            Flip(place);
        }

        Hold(places.Length);
    }

    /// <summary>Gives back what was held in this very transaction, as if it had never been.</summary>
    public void Undo(int quantity, ReadOnlySpan<int> places)
    {
        Takes -= quantity;
        Release(quantity, places, wasSold: false);
    }

    /// <summary>What was held is sold.</summary>
    public void Confirm(int quantity)
    {
        Held -= quantity;
        Sold = checked(Sold + quantity);
        Check();
    }

    /// <summary>What was held, or sold, is free again, with its seats.</summary>
    public void Release(int quantity, ReadOnlySpan<int> places, bool wasSold)
    {
        (Held, Sold) = wasSold ? (Held, Sold - quantity) : (Held - quantity, Sold);
        foreach (var place in places)
        {
            Invariant.Check(IsTaken(place), "only a taken seat is released");
            Flip(place);
        }

        Check();
    }

    /// <summary>
    /// The best seats that are free: side by side in the first row that has so many, in the narrowest gap of that row
    /// that fits, so that wide gaps last; else the first free ones, of one row if one has enough. Null when there are
    /// not as many.
    /// </summary>
    /// <param name="map">The seats of this product.</param>
    /// <param name="quantity">How many.</param>
    /// <param name="isWanted">Which rows may be used.</param>
    public int[]? BestAvailable(SeatMap map, int quantity, Func<Catalog.SeatRow, bool> isWanted)
    {
        counted ??= (map, CountFree(map));
        var freeOfRow = counted.Value.Free;
        var enough = -1;
        var total = 0;
        for (var row = 0; row < map.Rows.Count; row++)
        {
            if (freeOfRow[row] == 0 || !isWanted(map.Rows[row]))
            {
                continue;
            }

            total += freeOfRow[row];
            if (freeOfRow[row] >= quantity)
            {
                if (NarrowestGap(map, row, quantity) is { } first)
                {
                    return [.. Enumerable.Range(first, quantity)];
                }

                enough = enough < 0 ? row : enough;
            }
        }

        return total < quantity ? null
            : enough >= 0 ? FirstFree(map, [enough], quantity)
            : FirstFree(map, Enumerable.Range(0, map.Rows.Count).Where(row => isWanted(map.Rows[row])), quantity);
    }

    private void Flip(int place)
    {
        seats[place >> 3] ^= (byte)(1 << (place & 7));
        AreSeatsChanged = true;
        if (counted is { } rows)
        {
            rows.Free[rows.Map.RowIndexOf(place)] += IsTaken(place) ? -1 : 1;
        }
    }

    private int[] CountFree(SeatMap map)
    {
        var free = new int[map.Rows.Count];
        for (var row = 0; row < free.Length; row++)
        {
            var (first, count) = (map.FirstOf(row), map.Rows[row].Seats);
            var taken = 0;
            for (var place = first; place < first + count;)
            {
                if ((place & 7) == 0 && place + 8 <= first + count)
                {
                    taken += BitOperations.PopCount(seats[place >> 3]);
                    place += 8;
                }
                else
                {
                    taken += IsTaken(place) ? 1 : 0;
                    place++;
                }
            }

            free[row] = count - taken;
        }

        return free;
    }

    private int? NarrowestGap(SeatMap map, int row, int quantity)
    {
        var (place, end) = (map.FirstOf(row), map.FirstOf(row) + map.Rows[row].Seats);
        var (best, bestLength) = (-1, int.MaxValue);
        while (place < end)
        {
            var start = place;
            while (place < end && !IsTaken(place))
            {
                place++;
            }

            if (place - start >= quantity && place - start < bestLength)
            {
                (best, bestLength) = (start, place - start);
            }

            place++;
        }

        return best < 0 ? null : best;
    }

    private int[] FirstFree(SeatMap map, IEnumerable<int> rows, int quantity) =>
    [
        .. rows.SelectMany(row => Enumerable.Range(map.FirstOf(row), map.Rows[row].Seats))
            .Where(place => !IsTaken(place)).Take(quantity),
    ];

    private void Check()
    {
        Invariant.Check(Held >= 0 && Sold >= 0, "held and sold are never negative");
        Invariant.Check(Held + Sold <= Capacity, "no more is held and sold than there is");
    }
}
