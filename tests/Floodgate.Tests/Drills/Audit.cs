namespace Floodgate.Tests.Drills;

/// <summary>
/// Holds the server to its promises: every answered wish exists exactly once and is final, an unanswered one exists
/// wholly or not at all, and the provider's money, the API's money and the wallets' money are the same money.
/// </summary>
internal static class Audit
{
    private static readonly string[] FinalPayments =
        ["AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED", "FAILED"];

    private static readonly string[] Refusable =
        ["409 payment_not_authorized", "409 payment_not_captured", "422 amount_above_refundable"];

    /// <summary>One sentence for each broken promise; empty when all were kept.</summary>
    public static List<string> Findings(Evidence evidence)
    {
        var lines = evidence.Statement.ToLookup(line => line.PaymentId);
        var orders = evidence.Intents.Where(intent => !intent.IsPayment).ToLookup(intent => intent.PaymentId!.Value);
        return
        [
            .. evidence.Intents.SelectMany(OfAnswers),
            .. OfExistence(evidence),
            .. evidence.Payments.SelectMany(OfStates),
            .. evidence.Payments.SelectMany(payment => OfOrders(payment, [.. orders[payment.Id]])),
            .. evidence.Payments.SelectMany(payment => OfMoney(payment, [.. lines[payment.Id]])),
            .. OfStatement(evidence),
            .. evidence.Wallets.SelectMany(wallet => OfWallet(wallet, evidence.Payments)),
            .. evidence.OwnComplaints,
        ];
    }

    private static IEnumerable<string> OfAnswers(Intent intent)
    {
        if (intent.Told.Distinct().Count() > 1)
        {
            yield return $"{intent.Key} was told several ids: {string.Join(", ", intent.Told.Distinct())}";
        }

        foreach (var refusal in intent.Refusals.Where(refusal => intent.IsPayment || !Refusable.Contains(refusal)))
        {
            yield return $"{intent.Key}, {intent.Want}, was refused: {refusal}";
        }
    }

    private static IEnumerable<string> OfExistence(Evidence evidence)
    {
        var wanted = evidence.Intents.Where(intent => intent.IsPayment).ToDictionary(intent => intent.Minor);
        var shown = evidence.Payments.ToLookup(payment => payment.Minor);
        foreach (var intent in wanted.Values)
        {
            var found = shown[intent.Minor].ToList();
            if (found.Count > 1 || (found.Count == 0 && intent.Told.Count > 0))
            {
                yield return $"{intent.Key}, answered {intent.Told.Count} times, exists {found.Count} times";
            }

            if (found.Exists(payment => intent.Told.Exists(id => id != payment.Id)))
            {
                yield return $"{intent.Key} exists under another id than it was told";
            }

            if (found.Exists(payment => payment.Method != intent.Method || payment.User != intent.User
                || payment.Purpose == "TOP_UP" != (intent.Want == Want.TopUp)))
            {
                yield return $"{intent.Key} exists as something else: {found[0]}";
            }
        }

        foreach (var payment in evidence.Payments.Where(payment => !wanted.ContainsKey(payment.Minor)))
        {
            yield return $"nobody wanted {payment}";
        }
    }

    private static IEnumerable<string> OfStates(ShownPayment payment)
    {
        var isWhole = payment.Status switch
        {
            "FAILED" => payment is { Authorized: 0, Captured: 0, Refunded: 0 },
            "AUTHORIZED" or "VOIDED" => payment is { Captured: 0, Refunded: 0 } && payment.Authorized == payment.Minor,
            "CAPTURED" => payment is { Captured: > 0, Refunded: 0 } && payment.Captured <= payment.Authorized,
            "PARTIALLY_REFUNDED" => payment.Refunded > 0 && payment.Refunded < payment.Captured,
            _ => payment.Refunded == payment.Captured,
        };
        if (!FinalPayments.Contains(payment.Status) || !isWhole)
        {
            yield return $"not final and whole: {payment}";
        }
    }

    private static IEnumerable<string> OfOrders(ShownPayment payment, List<Intent> orders)
    {
        var told = orders.SelectMany(order => order.Told).ToHashSet();
        var operations = payment.Operations;
        if (operations.Count > orders.Count(order => order.Refusals.Count == 0)
            || told.Count(id => operations.Any(operation => operation.Id == id)) < told.Count)
        {
            yield return $"{payment.Id} has {operations.Count} operations; answered {told.Count} of {orders.Count}";
        }

        if (operations.Any(operation => operation.Status is not ("SUCCEEDED" or "FAILED")))
        {
            yield return $"{payment.Id} has an operation that is not final";
        }

        var captured = SumOf("CAPTURE");
        if (SumOf("REFUND") != payment.Refunded || (captured > 0 && captured != payment.Captured)
            || operations.Count(o => o is { Kind: "CAPTURE" or "VOID", Status: "SUCCEEDED" }) > 1)
        {
            yield return $"{payment} differs from its operations";
        }

        long SumOf(string kind) =>
            operations.Where(o => o.Kind == kind && o.Status == "SUCCEEDED").Sum(operation => operation.Minor);
    }

    private static IEnumerable<string> OfMoney(ShownPayment payment, List<StatementLine> lines)
    {
        var approved = lines.Where(line => line.IsApproved).ToLookup(line => line.Kind, line => line.Minor);
        if (payment.Method == "WALLET")
        {
            if (lines.Count > 0)
            {
                yield return $"the gateway carried out {payment} of a wallet";
            }

            yield break;
        }

        if (approved["CHARGE"].Count() + approved["AUTHORIZE"].Count() > 1 || approved["CAPTURE"].Count() > 1
            || approved["VOID"].Count() > 1)
        {
            yield return $"the provider did it twice: {payment}";
        }

        if (approved["CHARGE"].Sum() + approved["CAPTURE"].Sum() != payment.Captured
            || approved["CHARGE"].Sum() + approved["AUTHORIZE"].Sum() != payment.Authorized
            || approved["REFUND"].Sum() != payment.Refunded
            || approved["VOID"].Any() != (payment.Status == "VOIDED"))
        {
            yield return $"the provider has other money than {payment}";
        }
    }

    private static IEnumerable<string> OfStatement(Evidence evidence)
    {
        var shown = evidence.Payments.Select(payment => payment.Id).ToHashSet();
        var unknown = evidence.Statement.Where(line => !shown.Contains(line.PaymentId))
            .Select(line => $"the provider knows a payment that the server does not: {line}");
        var twice = evidence.Statement.CountBy(line => line.Id).Where(count => count.Value > 1)
            .Select(count => $"the statement has {count.Key} twice");
        return unknown.Concat(twice);
    }

    private static IEnumerable<string> OfWallet(ShownWallet wallet, IReadOnlyList<ShownPayment> payments)
    {
        var own = payments.Where(payment => payment.User == wallet.User).ToList();
        var paid = own.Where(payment => payment.Method == "WALLET").ToList();
        var held = paid.Where(payment => payment.Status == "AUTHORIZED").Sum(payment => payment.Authorized);
        var available = own.Where(payment => payment.Purpose == "TOP_UP").Sum(payment => payment.Captured)
            - paid.Sum(payment => payment.Captured - payment.Refunded) - held;
        if (available != wallet.Available || held != wallet.Held || available < 0)
        {
            yield return $"{wallet} should have {available} available and {held} held";
        }
    }
}
