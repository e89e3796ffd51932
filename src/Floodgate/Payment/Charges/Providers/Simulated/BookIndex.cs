using System.Runtime.InteropServices;

namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>
/// Finds a line by a key that the line itself holds, in about eight bytes a line: open addressing over line numbers.
/// Split by the hash into segments that grow one at a time, so that no single call pays for rehashing a million.
/// Not thread-safe; its book locks.
/// </summary>
/// <param name="keyOf">The key of a line by its number.</param>
internal sealed class BookIndex(Func<int, Guid> keyOf)
{
    private const int SegmentCount = 64;

    // A slot holds a line number plus one; zero is empty. Lengths are powers of two.
    private readonly int[][] segments = [.. Enumerable.Range(0, SegmentCount).Select(_ => new int[16])];
    private readonly int[] used = new int[SegmentCount];

    /// <summary>The number of the line with this key, or -1.</summary>
    public int Find(Guid key)
    {
        var hash = Hash(key);
        var slots = segments[hash % SegmentCount];
        for (var at = Home(hash, slots); slots[at] != 0; at = (at + 1) & (slots.Length - 1))
        {
            if (keyOf(slots[at] - 1) == key)
            {
                return slots[at] - 1;
            }
        }

        return -1;
    }

    /// <summary>Adds a line whose key is not there yet.</summary>
    public void Add(int line)
    {
        var hash = Hash(keyOf(line));
        var segment = (int)(hash % SegmentCount);
        if (used[segment] >= segments[segment].Length / 4 * 3)
        {
            Grow(segment);
        }

        Put(segments[segment], hash, line);
        used[segment]++;
    }

    private void Grow(int segment)
    {
        var old = segments[segment];
        var slots = new int[old.Length * 2];
        foreach (var slot in old)
        {
            if (slot != 0)
            {
                Put(slots, Hash(keyOf(slot - 1)), slot - 1);
            }
        }

        segments[segment] = slots;
    }

    private static void Put(int[] slots, ulong hash, int line)
    {
        var at = Home(hash, slots);
        while (slots[at] != 0)
        {
            at = (at + 1) & (slots.Length - 1);
        }

        slots[at] = line + 1;
    }

    private static int Home(ulong hash, int[] slots) => (int)(hash >> 8) & (slots.Length - 1);

    private static ulong Hash(Guid key) => Chance.Draw(key, seed: 0);
}

/// <summary>Even, repeatable draws. Not for secrets.</summary>
internal static class Chance
{
    /// <summary>The draw that belongs to this key under this seed; the same in every process.</summary>
    public static ulong Draw(Guid key, ulong seed)
    {
        var halves = MemoryMarshal.Cast<Guid, ulong>(new ReadOnlySpan<Guid>(in key));
        return Mix(Mix(seed ^ halves[0]) + halves[1]);
    }

    /// <summary>Whether a draw falls within this share, 0 to 1, of all draws.</summary>
    public static bool Hits(double ratio, ulong draw) => Fraction(draw) < ratio;

    /// <summary>The draw as a number from 0 up to but not including 1.</summary>
    public static double Fraction(ulong draw) => (draw >> 11) * (1.0 / (1UL << 53));

    /// <summary>Spreads every bit over all bits: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).</summary>
    public static ulong Mix(ulong bits)
    {
        bits += 0x9E3779B97F4A7C15;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }
}
