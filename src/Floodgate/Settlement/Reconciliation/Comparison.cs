using System.Globalization;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>What one page of a comparison came to.</summary>
/// <param name="Found">What does not agree; at most some twenty thousand.</param>
/// <param name="Next">Where the next page begins; null after the last one.</param>
/// <param name="Compared">How many movements of money were looked at.</param>
public sealed record ComparedPage(IReadOnlyList<Found> Found, string? Next, long Compared = 0);

/// <summary>
/// Two records that must agree, compared a page at a time by statements over sets. Modules register theirs as services
/// of this type; each reads only, and finds the same for the same rows.
/// </summary>
/// <param name="Name">Names it in reports and progress.</param>
/// <param name="NeedsStatement">
/// True: what the provider's statements do not cover is left out of the window, because its lines may yet come.</param>
/// <param name="PageAsync">Compares what belongs to the window, from the place on where the page before ended.</param>
public sealed record Comparison(
    string Name, bool NeedsStatement, Func<Tx, Window, string?, ValueTask<ComparedPage>> PageAsync);

/// <summary>The comparisons of this module: the provider's statements, and the two legs of every posting.</summary>
internal static class Comparisons
{
    /// <summary>A row may be settled this long after its id was made, and is still found by its id.</summary>
    private static readonly TimeSpan SettledWithin = TimeSpan.FromDays(7);

    public static IReadOnlyList<Comparison> All { get; } =
    [
        new("charges-in-statement", true, (tx, window, from) => UnmatchedAsync(tx, window, from, ofCharges: true)),
        new("operations-in-statement", true, (tx, window, from) => UnmatchedAsync(tx, window, from, ofCharges: false)),
        new("statement-in-payments", false, LinesAsync),
        new("legs-of-postings", false, PostingsAsync),
    ];

    /// <summary>The first and last ids of what can be settled in the window.</summary>
    public static IdRange RangeOf(Window window, string? from) => new(
        from is null ? Ids.FirstOf(new UtcInstant(window.FromMs).Plus(-SettledWithin)) : Guid.Parse(from),
        Ids.FirstOf(new(window.UntilMs)),
        window);

    private static async ValueTask<ComparedPage> UnmatchedAsync(Tx tx, Window window, string? from, bool ofCharges)
    {
        var all = RangeOf(window, from);
        var range = all with
        {
            UpTo = ofCharges
                ? await ReconciliationSql.NextPaymentAsync(tx, all.After, all.UpTo)
                : await ReconciliationSql.NextOperationAsync(tx, all.After, all.UpTo),
        };
        var compared = await ReconciliationSql.CountAsync(tx, ofCharges, range);
        var unmatched = await ReconciliationSql.SelectUnmatchedAsync(tx, ofCharges, range);
        return new(
            [.. unmatched.Select(Describe)],
            range.UpTo == all.UpTo ? null : range.UpTo.ToString(),
            compared);
    }

    private static Found Describe(Unmatched one)
    {
        var here = $"{one.Kind} {one.Amount} {one.Currency} here, recorded {new UtcInstant(one.AtMs)}";
        return one.IsMissingThere
            ? new("missing_there", $"{one.Id}", $"{here}; no statement has a line of it")
            : new(
                "amount_differs",
                $"{one.Id}",
                $"{here}; {one.ThereMinor} {one.ThereCurrency} in line {one.Line} of the statement");
    }

    private static async ValueTask<ComparedPage> LinesAsync(Tx tx, Window window, string? from)
    {
        // The place is a statement and a moment: lines are read in the order of time within each.
        var statements = await ReconciliationSql.SelectLoadedAsync(tx);
        var parts = from?.Split('/');
        var index = parts is null
            ? 0
            : statements.FindIndex(statement => statement.Id.CompareTo(Guid.Parse(parts[0])) >= 0);
        if (index < 0 || index >= statements.Count)
        {
            return new([], null);
        }

        var id = statements[index].Id;
        var rest = parts is not null && Guid.Parse(parts[0]) == id
            ? window with { FromMs = long.Parse(parts[1], CultureInfo.InvariantCulture) }
            : window;
        var chunk = rest with { UntilMs = await ReconciliationSql.NextLineAsync(tx, id, rest) };
        var unknown = await ReconciliationSql.SelectUnknownLinesAsync(tx, id, chunk);
        var duplicates = await ReconciliationSql.SelectDuplicateLinesAsync(tx, id, chunk);
        var next = chunk.UntilMs < window.UntilMs ? $"{id}/{chunk.UntilMs}"
            : index + 1 < statements.Count ? $"{statements[index + 1].Id}/{window.FromMs}"
            : null;
        return new(
            [
                .. unknown.Select(line => new Found(
                    "missing_here",
                    $"{line.Kind} {line.Reference}",
                    $"line {line.Number} of statement {id}: {line.Kind} {line.Amount} at {line.At}; nothing here of "
                        + "this reference and kind has happened")),
                .. duplicates.Select(line => new Found(
                    "duplicate_there",
                    $"{line.Kind} {line.Reference} {id} {line.Number}",
                    $"line {line.Number} of statement {id}: {line.Kind} {line.Amount} at {line.At}; an earlier line "
                        + "has the same reference and kind")),
            ],
            next);
    }

    private static async ValueTask<ComparedPage> PostingsAsync(Tx tx, Window window, string? from)
    {
        var all = RangeOf(window, from);
        var range = all with { UpTo = await ReconciliationSql.NextPaymentAsync(tx, all.After, all.UpTo) };
        var unbalanced = await ReconciliationSql.SelectUnbalancedAsync(tx, range);
        return new(
            [
                .. unbalanced.Select(u => new Found(
                    "posting_unbalanced",
                    $"{u.EventId} {u.Number}",
                    $"posting {u.Number} of event {u.EventId} of payment {u.PaymentId}: debits {u.Debit}, credits "
                        + $"{u.Credit}, currencies {u.CurrencyLeast} and {u.CurrencyMost}")),
            ],
            range.UpTo == all.UpTo ? null : range.UpTo.ToString());
    }
}
