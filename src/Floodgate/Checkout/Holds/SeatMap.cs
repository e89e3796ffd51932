using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Floodgate.Checkout.Catalog;

namespace Floodgate.Checkout.Holds;

/// <summary>
/// The seats of a product, numbered through in the order of its rows, which never change: a seat's place is its number,
/// from 0, and its name is <c>SECTION-ROW-NUMBER</c>, from 1.
/// </summary>
public sealed class SeatMap
{
    private readonly int[] firsts;
    private readonly Dictionary<(string Section, string Row), int> byName;

    /// <summary>Numbers the seats of these rows.</summary>
    public SeatMap(IReadOnlyList<SeatRow> rows)
    {
        Rows = rows;
        firsts = new int[rows.Count];
        byName = new(rows.Count);
        foreach (var (n, row) in rows.Index())
        {
            firsts[n] = Count;
            byName[(row.Section, row.Name)] = n;
            Count += row.Seats;
        }
    }

    /// <summary>The rows, the best first.</summary>
    public IReadOnlyList<SeatRow> Rows { get; }

    /// <summary>All seats.</summary>
    public int Count { get; }

    /// <summary>The place of the first seat of a row.</summary>
    public int FirstOf(int row) => firsts[row];

    /// <summary>The row of a place.</summary>
    public SeatRow RowOf(int place) => Rows[RowIndexOf(place)];

    /// <summary>The number of the row of a place, from 0.</summary>
    public int RowIndexOf(int place)
    {
        var found = Array.BinarySearch(firsts, place);
        return found >= 0 ? found : ~found - 1;
    }

    /// <summary>The name of a place.</summary>
    public string NameOf(int place)
    {
        var n = RowIndexOf(place);
        return string.Create(
            CultureInfo.InvariantCulture, $"{Rows[n].Section}-{Rows[n].Name}-{place - firsts[n] + 1}");
    }

    /// <summary>The place of a name; false when there is no such seat.</summary>
    public bool TryFind(string name, [NotNullWhen(true)] out int? place)
    {
        place = null;
        var parts = name.Split('-');
        if (parts.Length == 3
            && byName.TryGetValue((parts[0], parts[1]), out var row)
            && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= 1
            && number <= Rows[row].Seats)
        {
            place = firsts[row] + number - 1;
        }

        return place is not null;
    }
}
