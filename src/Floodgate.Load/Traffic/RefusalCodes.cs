using System.Text;

namespace Floodgate.Load.Traffic;

/// <summary>How many answers refused with one code of the API.</summary>
internal sealed record RefusalCount(string Code, long Count);

/// <summary>Counts refusals by the <c>code</c> of their problem document. Many lanes count at once.</summary>
internal sealed class RefusalCodes
{
    private const int CodesMax = 100;
    private readonly Lock gate = new();
    private volatile Entry[] entries = [];

    /// <summary>The counts so far, the largest first.</summary>
    public IReadOnlyList<RefusalCount> All => [.. entries
        .Select(entry => new RefusalCount(entry.Code, Volatile.Read(ref entry.Count)))
        .OrderByDescending(count => count.Count)];

    /// <summary>What an answer that makes no promise leaves of its offer.</summary>
    public static OfferOutcome OutcomeOf(int status, ReadOnlySpan<byte> body) => status switch
    {
        >= 400 and < 500 => OfferOutcome.Refused,
        503 => body.IndexOf("\"outcome_unknown\""u8) < 0 ? OfferOutcome.Refused : OfferOutcome.Error,
        _ => OfferOutcome.Error,
    };

    /// <summary>How many refused with this code.</summary>
    public long Of(string code) => entries.Where(entry => entry.Code == code).Sum(e => Volatile.Read(ref e.Count));

    /// <summary>Notes one refusal; without a code in the body it is counted by its status.</summary>
    public void Count(int status, ReadOnlySpan<byte> body)
    {
        Span<byte> fallback = stackalloc byte[16];
        scoped var code = JsonPeek.Text(body, "\"code\":\""u8);
        if (code.IsEmpty)
        {
            "status "u8.CopyTo(fallback);
            System.Buffers.Text.Utf8Formatter.TryFormat(status, fallback[7..], out var digits);
            code = fallback[..(7 + digits)];
        }

        Interlocked.Increment(ref EntryOf(code).Count);
    }

    private Entry EntryOf(ReadOnlySpan<byte> code)
    {
        if (Find(code) is { } known)
        {
            return known;
        }

        lock (gate)
        {
            if (Find(code) is { } made)
            {
                return made;
            }

            var entry = new Entry(code.ToArray());
            if (entries.Length < CodesMax)
            {
                entries = [.. entries, entry];
            }

            return entry;
        }
    }

    private Entry? Find(ReadOnlySpan<byte> code)
    {
        foreach (var entry in entries)
        {
            if (code.SequenceEqual(entry.Name))
            {
                return entry;
            }
        }

        return null;
    }

    private sealed class Entry(byte[] name)
    {
        public long Count;

        public byte[] Name => name;

        public string Code { get; } = Encoding.ASCII.GetString(name);
    }
}
