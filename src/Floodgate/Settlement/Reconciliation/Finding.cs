using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>What an operator has made of a finding.</summary>
public enum FindingState
{
    /// <summary>Nobody has looked at it.</summary>
    Open,

    /// <summary>It is known why; the books stay as they are.</summary>
    Explained,

    /// <summary>The cause is removed.</summary>
    Resolved,
}

/// <summary>Two records that do not agree, as a comparison found them.</summary>
/// <param name="Kind">Stable: what is wrong.</param>
/// <param name="Subject">What it is about; with the kind it is unique, so the same error is one finding.</param>
/// <param name="Evidence">Both sides in words, always the same for the same facts.</param>
public sealed record Found(string Kind, string Subject, string Evidence);

/// <summary>A finding as it is stored. It never changes what it is about.</summary>
public sealed record Finding(Guid Id, string Kind, string Subject, string Evidence)
{
    /// <summary>What was made of it.</summary>
    public FindingState State { get; init; }

    /// <summary>Why, in the operator's words; empty while it is open.</summary>
    public string Note { get; init; } = "";

    /// <summary>When it was found first.</summary>
    public long FoundMs { get; init; }

    /// <summary>When it was found last.</summary>
    public long SeenMs { get; init; }
}

/// <summary>A stretch of time, its end excluded.</summary>
public readonly record struct Window(long FromMs, long UntilMs)
{
    /// <summary>What both have in common; empty when its end is not after its beginning.</summary>
    public Window Within(Window other) => new(Math.Max(FromMs, other.FromMs), Math.Min(UntilMs, other.UntilMs));

    /// <summary>True when nothing can be in it.</summary>
    public bool IsEmpty => UntilMs <= FromMs;

    /// <summary>Stretches in order that do not touch, of some that may.</summary>
    public static List<Window> Merge(IEnumerable<Window> windows)
    {
        var merged = new List<Window>();
        foreach (var next in windows.Where(w => !w.IsEmpty).OrderBy(w => w.FromMs))
        {
            if (merged.Count > 0 && next.FromMs <= merged[^1].UntilMs)
            {
                merged[^1] = new(merged[^1].FromMs, Math.Max(merged[^1].UntilMs, next.UntilMs));
            }
            else
            {
                merged.Add(next);
            }
        }

        return merged;
    }
}

/// <summary>One reconciliation, from being asked for to its report.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Key">The idempotency key; of those by timetable, the moment.</param>
/// <param name="Window">What was asked for.</param>
/// <param name="IsDeep">True: also every check over all rows.</param>
public sealed record ReconciliationRun(Guid Id, string Key, Window Window, bool IsDeep)
{
    /// <summary><c>WAITING</c>, <c>RUNNING</c>, <c>DONE</c> or <c>FAILED</c>.</summary>
    public string State { get; init; } = "WAITING";

    /// <summary>When it was asked for.</summary>
    public long RequestedMs { get; init; }

    /// <summary>When it ended; 0 before.</summary>
    public long EndedMs { get; init; }

    /// <summary>Movements of money here that were compared with a statement.</summary>
    public long Compared { get; init; }

    /// <summary>Of these, with a line of the same amount.</summary>
    public long Matched { get; init; }

    /// <summary>Findings of this reconciliation, new or known.</summary>
    public long Findings { get; init; }

    /// <summary>Debits and credits of each currency: all, and within the window.</summary>
    public string Totals { get; init; } = "";

    /// <summary>True when they are equal everywhere.</summary>
    public bool IsBalanced { get; init; }

    /// <summary>What else is to be said: what could not be compared.</summary>
    public string Detail { get; init; } = "";
}

/// <summary>A statement of the provider that was loaded.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Source"><c>API</c> or <c>CSV</c>.</param>
/// <param name="Covers">What it tells of completely.</param>
/// <param name="Lines">Lines that move money.</param>
/// <param name="Cursor">Of the API: the last line's id; empty before.</param>
public sealed record LoadedStatement(Guid Id, string Source, Window Covers, long Lines, Guid Cursor);

/// <summary>A line that moves money, ready to be stored.</summary>
/// <param name="Number">Its line in the file, or its place.</param>
/// <param name="Reference">The provider's reference: our id of the payment or operation.</param>
/// <param name="Kind"><c>CHARGE</c>, <c>CAPTURE</c> or <c>REFUND</c>.</param>
/// <param name="Amount">How much.</param>
/// <param name="At">When the provider booked it.</param>
public readonly record struct Line(long Number, string Reference, string Kind, Money Amount, UtcInstant At)
{
    /// <summary>The kinds that move money; others are not compared.</summary>
    public static bool IsMoney(string kind) => kind is "CHARGE" or "CAPTURE" or "REFUND";

    /// <summary>The reference as an id; one that is none gets an id that nothing here has.</summary>
    public Guid ReferenceId => Guid.TryParse(Reference, out var id) ? id : Ids.Of(At, "foreign", Reference);
}
