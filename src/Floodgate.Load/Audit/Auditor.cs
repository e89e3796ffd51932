using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Audit;

/// <summary>What the audit found. Exit code 0 needs <paramref name="Holds"/>.</summary>
/// <param name="Holds">Every check holds.</param>
/// <param name="Final">Payments of this run in a final state.</param>
/// <param name="PaymentsListed">Payments the API listed, of anybody.</param>
/// <param name="StatementLines">Lines of the provider's statement that were read.</param>
/// <param name="Checks">Each check with its counts.</param>
/// <param name="Notes">What the audit could not judge, and why.</param>
internal sealed record AuditResult(
    bool Holds,
    long Final,
    long PaymentsListed,
    long StatementLines,
    IReadOnlyList<AuditCheck> Checks,
    IReadOnlyList<string> Notes);

/// <summary>What to audit against.</summary>
/// <param name="Offers">What the run offered; null = every payment on the server is judged.</param>
/// <param name="Workload">Knows what each offer asked for; null with <paramref name="Offers"/>.</param>
/// <param name="Arrivals">What the loops produced.</param>
/// <param name="OwnsServer">Nobody else had payments at the server or its provider before the run.</param>
internal sealed record AuditScope(OfferBook? Offers, Workload? Workload, ArrivalCount? Arrivals, bool OwnsServer)
{
    /// <summary>Every payment on the server, whoever made it.</summary>
    public static AuditScope WholeServer { get; } = new(null, null, null, true);
}

/// <summary>
/// Holds the server to its word, from three independent sources: what this tool offered and was answered, what the
/// public API lists, and the provider's own statement. It shares no code with the server.
/// </summary>
internal static class Auditor
{
    /// <summary>Walks all sources, however many pages, and judges. Only reads.</summary>
    public static async Task<AuditResult> RunAsync(
        ServerApi api, AuditScope scope, Action<string> progress, CancellationToken cancel)
    {
        const long tellEvery = 100_000;
        var book = new AuditBook(scope.Offers, scope.Workload);

        // The statement first: whatever it names was created before, so the later listing must show it.
        await foreach (var line in api.WholeStatementAsync(cancel))
        {
            book.Add(line);
            if (book.StatementLines % tellEvery == 0)
            {
                progress($"audit: {book.StatementLines} statement lines read");
            }
        }

        await foreach (var payment in api.AllPaymentsAsync(cancel))
        {
            book.Add(payment);
            if (book.PaymentsListed % tellEvery == 0)
            {
                progress($"audit: {book.PaymentsListed} payments read");
            }
        }

        var invariants = await api.InvariantsAsync(cancel);
        var checks = new AuditChecks(book);
        var all = checks.All(scope.Arrivals, scope.OwnsServer).Append(Server(invariants)).ToList();
        return new AuditResult(
            all.TrueForAll(check => check.Holds),
            checks.Final,
            book.PaymentsListed,
            book.StatementLines,
            all,
            Notes(scope));
    }

    private static AuditCheck Server(WireInvariants invariants)
    {
        var broken = invariants.Checks.Where(check => !check.Holds).ToList();
        return new AuditCheck(
            "the server's own invariants hold",
            invariants.Holds && broken.Count == 0,
            invariants.Checks.Count,
            broken.Count,
            string.Join("; ", broken.Select(check => $"{check.Name}: {check.Detail}")));
    }

    private static List<string> Notes(AuditScope scope) => scope.OwnsServer
        ? []
        : ["The server had payments before this run, so unknown payments in the statement were not judged."];
}
