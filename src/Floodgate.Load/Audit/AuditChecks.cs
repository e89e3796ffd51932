using Floodgate.Load.Traffic;

namespace Floodgate.Load.Audit;

/// <summary>
/// Judges an <see cref="AuditBook"/>. Each check counts on its own, so that one broken payment shows in every check
/// that it breaks.
/// </summary>
internal sealed class AuditChecks(AuditBook book)
{
    /// <summary>Payments of this run that are final (of all listed ones when the run offered nothing).</summary>
    public long Final { get; private set; }

    /// <summary>All checks, in the order in which a payment moves.</summary>
    /// <param name="arrivals">What the loops produced; null when the run offered nothing.</param>
    /// <param name="judgeUnknown">True when nobody else may have payments in the provider's statement.</param>
    public IReadOnlyList<AuditCheck> All(ArrivalCount? arrivals, bool judgeUnknown)
    {
        var checks = new List<AuditCheck>();
        if (book.Offers is { } offers && arrivals is { } counted)
        {
            checks.AddRange(OfferChecks(offers, counted));
        }

        Final = book.Payments.LongCount(p => InScope(p.Value) && IsFinal(p.Value));
        checks.AddRange(PaymentChecks());
        if (judgeUnknown)
        {
            checks.Add(Each(
                "the provider's statement names no payment that the server does not know",
                static p => p.Listed == 0 && p.Promised == 0 ? "in the statement only" : null,
                static p => p.Lines > 0));
        }

        return checks;
    }

    private static IEnumerable<AuditCheck> OfferChecks(OfferBook offers, ArrivalCount counted)
    {
        long accepted = offers.CountOf(OfferOutcome.Accepted);
        long refused = offers.CountOf(OfferOutcome.Refused);
        long errors = offers.CountOf(OfferOutcome.Error);
        var missing = counted.Arrivals - counted.Dropped - accepted - refused - errors;
        yield return new AuditCheck(
            "offered = accepted + refused + errors",
            missing == 0 && counted.Arrivals - counted.Dropped == offers.Count,
            offers.Count,
            Math.Abs(missing),
            $"{offers.Count} offered = {accepted} accepted + {refused} refused + {errors} errors;"
                + $" {counted.Dropped} more arrivals were dropped and never sent");
    }

    private IEnumerable<AuditCheck> PaymentChecks()
    {
        if (book.Offers is { } offers)
        {
            yield return Each(
                "no id was promised for two offers",
                static p => p.Promised > 1 ? $"promised {p.Promised} times" : null,
                static p => p.Promised > 0);
            yield return EachOffer(offers, "every accepted payment exists exactly once", OfferOutcome.Accepted, 1, 1);
            yield return EachOffer(offers, "refused offers left no payment", OfferOutcome.Refused, 0, 0);
            yield return EachOffer(offers, "unanswered offers left at most one payment", OfferOutcome.Error, 0, 1);
            yield return Each("every payment has the amount offered", WrongAmount, static p => p.OfferPlus1 > 0);
        }
        else
        {
            yield return Each(
                "every payment is listed once",
                static p => p.Listed > 1 ? $"listed {p.Listed} times" : null,
                static p => p.Listed > 0);
        }

        yield return Each(
            "every accepted payment is final", static p => IsFinal(p) ? null : $"is {p.State}", InScope);
        yield return Each(
            "captured payments have exactly one charge of the right amount in the provider's statement",
            WrongCharge,
            p => InScope(p) && p is { State: PaymentState.Captured, ByGateway: true });
        yield return Each(
            "no payment is charged twice",
            static p => p.Charges + p.Captures > 1 ? $"charged {p.Charges + p.Captures} times" : null,
            p => InScope(p) && p.Lines > 0);
        yield return Each(
            "failed payments have no approved charge",
            static p => p.Charges + p.Captures > 0 || p.Authorizations > p.Voids ? "taken or held" : null,
            p => InScope(p) && p.State == PaymentState.Failed);
        yield return Each(
            "authorized and voided payments have one authorization and no charge",
            static p => p.Charges + p.Captures > 0 || p.Authorizations != 1 ? "the statement disagrees" : null,
            p => InScope(p) && p is { State: PaymentState.Authorized or PaymentState.Voided, ByGateway: true });
        yield return Each(
            "refunded <= captured <= authorized, at the server and at the provider",
            WrongOrder,
            InScope);
    }

    private static string? WrongAmount(AuditedPayment payment)
    {
        var offered = Workload.AmountMinor(payment.OfferPlus1 - 1);
        return payment.Listed == 0 || (payment.Amount == offered && payment.CurrencyAsOffered)
            ? null
            : $"offered {offered} {Workload.Currency}, listed with {payment.Amount}";
    }

    private static string? WrongCharge(AuditedPayment payment)
    {
        var right = payment.OfferPlus1 > 0 ? Workload.AmountMinor(payment.OfferPlus1 - 1) : payment.Captured;
        var once = payment is { Charges: 1, Authorizations: 0, Captures: 0 }
            or { Charges: 0, Authorizations: 1, Captures: 1 };
        return once && payment.TakenSum == right && payment.Captured == right
            ? null
            : $"{payment.Charges} charges, {payment.Authorizations} authorizations, {payment.Captures} captures,"
                + $" {payment.TakenSum} taken, {payment.Captured} captured, right is {right}";
    }

    private static string? WrongOrder(AuditedPayment payment) =>
        payment.Refunded > payment.Captured || payment.Captured > payment.Authorized
            ? $"{payment.Refunded} refunded, {payment.Captured} captured, {payment.Authorized} authorized"
            : payment.RefundedSum > payment.TakenSum
                ? $"the provider gave back {payment.RefundedSum} of {payment.TakenSum}"
                : null;

    private static bool IsFinal(AuditedPayment payment) => payment.State > PaymentState.NotFinal;

    private bool InScope(AuditedPayment payment) =>
        book.Offers is null ? payment.Listed > 0 : payment.OfferPlus1 > 0;

    private AuditCheck Each(string name, Func<AuditedPayment, string?> fault, Func<AuditedPayment, bool> applies)
    {
        var findings = new Findings();
        foreach (var (id, payment) in book.Payments)
        {
            if (applies(payment))
            {
                findings.Look(fault(payment), id.ToString());
            }
        }

        return findings.Check(name);
    }

    private AuditCheck EachOffer(OfferBook offers, string name, OfferOutcome outcome, int least, int most)
    {
        // Listed under its order is not enough: it must be the id that was promised.
        var promisedId = new bool[offers.Count];
        foreach (var (_, payment) in book.Payments)
        {
            if (payment is { Promised: > 0, Listed: 1 })
            {
                promisedId[payment.OfferPlus1 - 1] = true;
            }
        }

        var findings = new Findings();
        for (var number = 0; number < offers.Count; number++)
        {
            if (offers[number].Outcome != outcome)
            {
                continue;
            }

            var listed = book.ListedFor(number);
            var holds = listed >= least && listed <= most
                && (outcome != OfferOutcome.Accepted || promisedId[number]);
            findings.Look(holds ? null : $"listed {listed} times", $"offer {number} {offers[number].Id}");
        }

        return findings.Check(name);
    }
}
