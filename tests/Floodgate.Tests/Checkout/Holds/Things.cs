using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;

namespace Floodgate.Tests.Checkout.Holds;

/// <summary>Sales and products as the catalogue would give them.</summary>
internal static class Things
{
    public static readonly Sale Sale = new(
        new Guid("00000000-0000-7000-8000-00000000000a"),
        new SaleTerms(null, "Show", Currency.FromStored("KRW"), 0, long.MaxValue / 2),
        1);

    /// <summary>Like units at 100 each.</summary>
    public static Offer Stock(int id, long units, int? limit = null) => new(
        new Product(
            IdOf(id), Sale.Id, "m-1", ProductKind.Stock, units, Terms(limit, new PriceTier("standard", 100)), false, 1),
        Sale,
        null);

    /// <summary>
    /// Rows of seats, the first of tier a at 500, all others of tier b at 300; row n is section S, row n.
    /// </summary>
    public static Offer Seats(int id, int? limit, params int[] rows)
    {
        SeatRow[] all = [.. rows.Select((seats, n) => new SeatRow("S", $"{n + 1}", seats, n == 0 ? "a" : "b"))];
        return new(
            new Product(
                IdOf(id), Sale.Id, "m-2", ProductKind.Seats, rows.Sum(),
                Terms(limit, new PriceTier("a", 500), new PriceTier("b", 300)), false, 1),
            Sale,
            new SeatMap(all));
    }

    public static Guid IdOf(int n) => new($"00000000-0000-7000-8000-{n:x12}");

    private static ProductTerms Terms(int? limit, params PriceTier[] tiers) => new("Thing", tiers, limit, "standard");
}
