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
    IReadOnlyList<string> Notes)
{
    /// <summary>Orders that were listed; null when no sale was audited.</summary>
    public long? OrdersListed { get; init; }

    /// <summary>Orders in a final state; null when no sale was audited.</summary>
    public long? OrdersFinal { get; init; }

    /// <summary>The same with a further check of the run's own.</summary>
    public AuditResult With(AuditCheck check) => this with
    {
        Holds = Holds && check.Holds, Checks = [.. Checks, check],
    };
}

/// <summary>What to audit against.</summary>
/// <param name="Offers">What the run offered; null = every payment on the server is judged.</param>
/// <param name="Workload">Knows what each offer asked for; null with <paramref name="Offers"/>.</param>
/// <param name="Arrivals">What the loops produced.</param>
/// <param name="OwnsServer">Nobody else had payments at the server or its provider before the run.</param>
internal sealed record AuditScope(OfferBook? Offers, Workload? Workload, ArrivalCount? Arrivals, bool OwnsServer)
{
    /// <summary>Every payment on the server, whoever made it.</summary>
    public static AuditScope WholeServer { get; } = new(null, null, null, true) { Sale = SaleScope.WholeServer };

    /// <summary>The sales to audit with it; null for none.</summary>
    public SaleScope? Sale { get; init; }

    /// <summary>Every payment on the server, and the sales of a run with their orders.</summary>
    public static AuditScope OfSale(SaleScope sale) => WholeServer with { Sale = sale };
}

/// <summary>
/// Holds the server to its word, from three independent sources: what this tool offered and was answered, what the
/// public API lists, and the provider's own statement. It shares no code with the server.
/// </summary>
internal static class Auditor
{
    /// <summary>Walks all sources, however many pages, and judges. Only reads.</summary>
    public static async Task<AuditResult> RunAsync(
        Session session, AuditScope scope, CancellationToken cancel)
    {
        const long tellEvery = 100_000;
        var (api, progress) = (session.Api, (Action<string>)session.Tell);
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

        var sale = scope.Sale is { } sales
            ? await new SaleReader(api.Sales, sales, session.Time, progress).ReadAsync(cancel)
            : null;
        await foreach (var payment in api.AllPaymentsAsync(cancel))
        {
            book.Add(payment);
            sale?.Add(payment);
            if (book.PaymentsListed % tellEvery == 0)
            {
                progress($"audit: {book.PaymentsListed} payments read");
            }
        }

        if (sale is not null)
        {
            scope.Sale!.Read?.Invoke(sale);
        }

        var invariants = await api.InvariantsAsync(cancel);
        var checks = new AuditChecks(book);
        var saleChecks = sale is null ? null : new SaleChecks(sale, book, scope.Sale!);
        List<AuditCheck> all =
        [
            .. checks.All(scope.Arrivals, scope.OwnsServer),
            .. saleChecks?.All(session.Time.GetUtcNow()) ?? [],
            Server(invariants),
        ];
        return new AuditResult(
            all.TrueForAll(check => check.Holds),
            checks.Final,
            book.PaymentsListed,
            book.StatementLines,
            all,
            Notes(scope))
        {
            OrdersListed = sale?.Orders.Count,
            OrdersFinal = saleChecks?.Final,
        };
    }

    /// <summary>What the server says of itself, as a check.</summary>
    internal static AuditCheck Server(WireInvariants invariants)
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
