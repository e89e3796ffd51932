using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Checkout.Holds;

// Goal: the best seats that are free are chosen, side by side whenever that is possible, and no seat twice. Method:
// rows written as text, a dot for a free seat; random maps against a plain search.
public sealed class PoolTests
{
    [Theory]
    [InlineData(2, "....", "S-1-1 S-1-2")]
    [InlineData(2, ".#..", "S-1-3 S-1-4")]
    [InlineData(2, "....#..", "S-1-6 S-1-7")] // The narrowest gap, so that the wide one lasts.
    [InlineData(2, ".#.|..", "S-2-1 S-2-2")] // Together in a later row rather than apart in this one.
    [InlineData(2, ".#.|.#", "S-1-1 S-1-3")] // Nowhere together: of one row.
    [InlineData(3, ".#.|.#", "S-1-1 S-1-3 S-2-1")] // Nowhere in one row.
    [InlineData(1, "###|.", "S-2-1")]
    [InlineData(2, "###|.", null)]
    [InlineData(9, "........|.........", "S-2-1 S-2-2 S-2-3 S-2-4 S-2-5 S-2-6 S-2-7 S-2-8 S-2-9")]
    public void The_best_that_is_available(int quantity, string rows, string? expected)
    {
        var (pool, map) = Of(rows);
        var best = pool.BestAvailable(map, quantity, _ => true);
        Assert.Equal(expected, best is null ? null : string.Join(' ', best.Select(map.NameOf)));
    }

    [Fact]
    public void Only_rows_that_are_wanted_are_used()
    {
        var (pool, map) = Of("..|..");
        Assert.Equal("S-2-1", map.NameOf(pool.BestAvailable(map, 1, row => row.Tier == "b")!.Single()));
        Assert.Null(pool.BestAvailable(map, 3, row => row.Tier == "b"));
    }

    [Fact]
    public void Names_and_places_are_one_to_one()
    {
        var map = Things.Seats(1, null, 3, 1, 12).Seats!;
        Assert.Equal(16, map.Count);
        for (var place = 0; place < map.Count; place++)
        {
            Assert.True(map.TryFind(map.NameOf(place), out var found));
            Assert.Equal(place, found);
        }

        Assert.All(
            ["S-1-0", "S-1-4", "S-4-1", "T-1-1", "S-1", "S-1-1-1", "S-1--1", "S-1-x", ""],
            name => Assert.False(map.TryFind(name, out _)));
    }

    [Fact]
    public void Chosen_seats_are_free_and_side_by_side_if_any_row_has_room() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2_000),
        Prop.ForAll(
            Gen.Elements('.', '.', '#').ArrayOf().Where(row => row.Length > 0).NonEmptyListOf().ToArbitrary(),
            Gen.Choose(1, 6).ToArbitrary(),
            (rows, quantity) =>
            {
                var text = string.Join('|', rows.Select(row => new string(row[..Math.Min(row.Length, 200)])));
                var (pool, map) = Of(text);
                var best = pool.BestAvailable(map, quantity, _ => true);
                var free = Enumerable.Range(0, map.Count).Where(place => !pool.IsTaken(place)).ToList();
                Assert.Equal(free.Count >= quantity, best is not null);
                if (best is null)
                {
                    return true;
                }

                Assert.Equal(quantity, best.Distinct().Count());
                Assert.All(best, place => Assert.Contains(place, free));
                var isRoom = text.Split('|').Any(row => row.Contains(new string('.', quantity)));
                var isTogether = best[^1] - best[0] == quantity - 1
                    && map.RowIndexOf(best[0]) == map.RowIndexOf(best[^1]);
                Assert.Equal(isRoom, isTogether);
                pool.Hold(best);
                Assert.True(best.All(pool.IsTaken));
                pool.Undo(quantity, best);
                Assert.Equal(free, Enumerable.Range(0, map.Count).Where(place => !pool.IsTaken(place)));
                return true;
            }));

    [Fact]
    public void What_is_not_there_is_not_moved()
    {
        var pool = new Pool(Things.IdOf(1), 2, 0, 0, []);
        pool.Hold(2);
        Assert.Throws<InvariantViolatedException>(() => pool.Hold(1));
        pool = new Pool(Things.IdOf(1), 2, 1, 0, [0b1]);
        Assert.Throws<InvariantViolatedException>(() => pool.Hold([0]));
        Assert.Throws<InvariantViolatedException>(() => pool.Release(1, [1], wasSold: false));
        pool = new Pool(Things.IdOf(1), 2, 1, 0, []);
        Assert.Throws<InvariantViolatedException>(() => pool.Release(1, [], wasSold: true));
        Assert.Throws<InvariantViolatedException>(() => new Pool(Things.IdOf(1), 2, 2, 1, []));
    }

    private static (Pool Pool, SeatMap Map) Of(string rows)
    {
        var parts = rows.Split('|');
        var map = Things.Seats(1, null, [.. parts.Select(row => row.Length)]).Seats!;
        var pool = new Pool(Things.IdOf(1), map.Count, 0, 0, new byte[(map.Count + 7) / 8]);
        foreach (var (place, seat) in string.Concat(parts).Index())
        {
            if (seat == '#')
            {
                pool.Hold([place]);
            }
        }

        return (pool, map);
    }
}
