using Floodgate.Payment.Charges;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>
/// Money of one merchant and product class that a capture took or a refund gave back. Written once, never changed.
/// Payment and event are those of the ledger's entries. Amounts in minor units, days by their number.
/// </summary>
/// <param name="Day">The day with which it is settled.</param>
/// <param name="AccountId">Merchant and currency.</param>
/// <param name="EventId">What moved the money; unique together with the number.</param>
/// <param name="Number">From 0 within the event.</param>
/// <param name="PaymentId">The payment.</param>
/// <param name="IsRefund">Given back.</param>
/// <param name="Class">The commission class of the products.</param>
/// <param name="Amount">More than zero.</param>
/// <param name="OrderId">The order, if the payment names one.</param>
/// <param name="AtMs">When it was recorded.</param>
internal sealed record Line(
    long Day,
    long AccountId,
    Guid EventId,
    int Number,
    Guid PaymentId,
    bool IsRefund,
    string Class,
    long Amount,
    string? OrderId,
    long AtMs)
{
    /// <summary>Of a refund, the day of the captured line, whose rates it is given back at; else its own.</summary>
    public long OriginDay { get; init; } = Day;

    /// <summary>Of a refund, the amount of the captured line; else its own.</summary>
    public long OriginAmount { get; init; } = Amount;

    /// <summary>Of a refund, what was given back of the captured line before.</summary>
    public long RefundedBefore { get; init; }
}

/// <summary>
/// The lines of one payment, to which facts are added: each once, however often it is told. A payment is captured once,
/// with one line for each merchant and class; refunds are taken from these.
/// </summary>
internal sealed class LinesOfPayment
{
    /// <summary>The class of what no product tells.</summary>
    public const string Standard = "standard";

    private readonly List<Captured> captured = [];
    private readonly HashSet<Guid> events = [];

    /// <summary>With what is stored.</summary>
    public LinesOfPayment(IEnumerable<Line> stored)
    {
        foreach (var line in stored.OrderBy(l => l.IsRefund))
        {
            Note(line);
        }
    }

    /// <summary>True when the capture is here.</summary>
    public bool IsCaptured => captured.Count > 0;

    /// <summary>True when this event's lines are here.</summary>
    public bool Knows(Guid eventId) => events.Contains(eventId);

    /// <summary>The new lines of a capture; none when it is here.</summary>
    /// <param name="fact">The capture.</param>
    /// <param name="day">Its day.</param>
    /// <param name="accountOf">The account of a merchant.</param>
    /// <param name="classesOf">What a merchant's part is made of, by class, as weights.</param>
    public IReadOnlyList<Line> Capture(
        PaymentFact fact,
        long day,
        Func<string, long> accountOf,
        Func<string, IReadOnlyList<(string Class, long Weight)>> classesOf)
    {
        if (IsCaptured)
        {
            return [];
        }

        var lines = new List<Line>();
        foreach (var part in fact.Parts)
        {
            var classes = classesOf(part.MerchantId);
            var amounts = Fees.Split(part.Amount, [.. classes.Select(c => c.Weight)]);
            lines.AddRange(amounts.Index().Where(a => a.Item > 0).Select(a => new Line(
                day, accountOf(part.MerchantId), fact.EventId, 0, fact.PaymentId, false, classes[a.Index].Class, a.Item,
                fact.OrderId, fact.AtMs)));
        }

        return Add([.. lines.Index().Select(l => l.Item with { Number = l.Index })]);
    }

    /// <summary>
    /// The new lines of a refund: of each class in proportion to what is left of it. None when it is here. Not before
    /// the day of its capture.
    /// </summary>
    public IReadOnlyList<Line> Refund(PaymentFact fact, long day, Func<string, long> accountOf)
    {
        if (Knows(fact.EventId))
        {
            return [];
        }

        var part = fact.Parts.Single();
        var account = accountOf(part.MerchantId);
        var from = captured.FindAll(c => c.Line.AccountId == account && c.Left > 0);
        Invariant.Check(from.Sum(c => c.Left) >= part.Amount, "no more of a part is given back than was captured");
        var amounts = Fees.Split(part.Amount, [.. from.Select(c => c.Left)]);
        var lines = amounts.Index().Where(a => a.Item > 0)
            .Select(a => (From: from[a.Index], Amount: a.Item)).Index()
            .Select(r => new Line(
                Math.Max(day, r.Item.From.Line.Day), account, fact.EventId, r.Index, fact.PaymentId, true,
                r.Item.From.Line.Class, r.Item.Amount, fact.OrderId, fact.AtMs)
            {
                OriginDay = r.Item.From.Line.Day,
                OriginAmount = r.Item.From.Line.Amount,
                RefundedBefore = r.Item.From.Refunded,
            })
            .ToList();
        return Add(lines);
    }

    private List<Line> Add(List<Line> lines)
    {
        lines.ForEach(Note);
        return lines;
    }

    private void Note(Line line)
    {
        events.Add(line.EventId);
        if (!line.IsRefund)
        {
            captured.Add(new(line));
            return;
        }

        var from = captured.Find(c => c.Line.AccountId == line.AccountId && c.Line.Class == line.Class);
        Invariant.Check(from is not null, "what is given back was captured");
        from.Refunded += line.Amount;
    }

    private sealed class Captured(Line line)
    {
        public Line Line { get; } = line;

        public long Refunded { get; set; }

        public long Left => Line.Amount - Refunded;
    }
}
