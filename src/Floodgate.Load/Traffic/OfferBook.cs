namespace Floodgate.Load.Traffic;

/// <summary>What became of one offer, as far as its answer tells.</summary>
internal enum OfferOutcome : byte
{
    /// <summary>Not offered, or its answer is still awaited.</summary>
    None,

    /// <summary>The server promised to carry it out (201, 202, or 200 when already final) and named its id.</summary>
    Accepted,

    /// <summary>The server said that it did nothing (4xx, and 503 but for <c>outcome_unknown</c>).</summary>
    Refused,

    /// <summary>
    /// No answer, or one that leaves open whether the server acted (broken connection, time-out, 500,
    /// <c>outcome_unknown</c>).
    /// </summary>
    Error,
}

/// <summary>One offer: its outcome and, when accepted, its id.</summary>
internal struct Offer
{
    /// <summary>The id of what was made; empty unless accepted.</summary>
    public Guid Id;

    /// <summary>What became of it.</summary>
    public OfferOutcome Outcome;
}

/// <summary>
/// Everything that was offered, by its number. A payment's idempotency key, user, order and amount follow from the
/// number (see <see cref="Workload"/>), so a million offers take 24 MB. Many lanes write at once, each its own numbers.
/// </summary>
internal sealed class OfferBook
{
    private const int PageSize = 1 << 14;
    private const int PagesMax = 1 << 13;
    private readonly Offer[]?[] pages = new Offer[PagesMax][];
    private int next;

    /// <summary>How many numbers were given out: numbers below this exist.</summary>
    public int Count => Math.Min(Volatile.Read(ref next), PageSize * PagesMax);

    /// <summary>The number for one more offer. Dropped arrivals take none: they were never offered.</summary>
    public int Take()
    {
        var number = Interlocked.Increment(ref next) - 1;
        if (number >= PageSize * PagesMax)
        {
            throw new InvalidOperationException($"One run offers at most {PageSize * PagesMax} requests.");
        }

        return number;
    }

    /// <summary>The offer with this number, to read or to write in place.</summary>
    public ref Offer this[int number]
    {
        get
        {
            ref var page = ref pages[number / PageSize];
            if (page is null)
            {
                Interlocked.CompareExchange(ref page, new Offer[PageSize], null);
            }

            return ref page[number % PageSize];
        }
    }

    /// <summary>How many offers have this outcome.</summary>
    public int CountOf(OfferOutcome outcome)
    {
        var found = 0;
        for (var number = 0; number < Count; number++)
        {
            found += this[number].Outcome == outcome ? 1 : 0;
        }

        return found;
    }
}
