using System.Runtime.InteropServices;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Audit;

/// <summary>A payment's state by its name in the API; anything not final is <see cref="NotFinal"/>.</summary>
internal enum PaymentState : byte
{
    /// <summary>Listed nowhere.</summary>
    Missing,

    /// <summary>REQUESTED, UNKNOWN or a name this tool does not know.</summary>
    NotFinal,

    /// <summary>Reserved, not taken.</summary>
    Authorized,

    /// <summary>Taken; what was given back is counted apart (CAPTURED, PARTIALLY_REFUNDED, REFUNDED).</summary>
    Captured,

    /// <summary>Reservation given up.</summary>
    Voided,

    /// <summary>Not paid.</summary>
    Failed,
}

/// <summary>All that is known of one payment from the three sources: our offers, the API, the provider.</summary>
internal struct AuditedPayment
{
    /// <summary>The offer that created it, plus 1; 0 = not offered by this run.</summary>
    public int OfferPlus1;

    /// <summary>How many accepted offers were answered with this id.</summary>
    public int Promised;

    /// <summary>How often the API lists it.</summary>
    public int Listed;

    /// <summary>Its state in the API.</summary>
    public PaymentState State;

    /// <summary>True when the provider over the gateway carries it, so that the statement must show it.</summary>
    public bool ByGateway;

    /// <summary>True when its currency is the one that was offered.</summary>
    public bool CurrencyAsOffered;

    /// <summary>Amounts in minor units as the API lists them.</summary>
    public long Amount, Authorized, Captured, Refunded;

    /// <summary>Lines in the statement, declined ones too.</summary>
    public int Lines;

    /// <summary>Approved lines in the statement, by kind.</summary>
    public int Charges, Authorizations, Captures, Voids;

    /// <summary>Approved sums in the statement in minor units: charged or captured, and given back.</summary>
    public long TakenSum, RefundedSum;
}

/// <summary>
/// How many arrivals the loops produced: those offered are in the book, those dropped were never sent.
/// </summary>
internal readonly record struct ArrivalCount(long Arrivals, long Dropped);

/// <summary>
/// Gathers what was offered, what the API lists and what the provider recorded, per payment. About 150 bytes each,
/// so 1,000,000 payments fit 150 MB. Without offers it judges every payment that the API lists.
/// </summary>
internal sealed class AuditBook
{
    private readonly Dictionary<Guid, AuditedPayment> payments;
    private readonly OfferBook? offers;
    private readonly Workload? workload;
    private readonly byte[] listedPerOffer;

    /// <summary>Opens the book with what this run offered; both null when it offered nothing.</summary>
    public AuditBook(OfferBook? offers, Workload? workload)
    {
        this.offers = offers;
        this.workload = workload;
        var count = offers?.Count ?? 0;
        payments = new Dictionary<Guid, AuditedPayment>(count);
        listedPerOffer = new byte[count];
        for (var number = 0; number < count; number++)
        {
            if (offers![number].Outcome == OfferOutcome.Accepted)
            {
                ref var payment = ref Of(offers[number].Id);
                payment.OfferPlus1 = number + 1;
                payment.Promised++;
            }
        }
    }

    /// <summary>What this run offered; null when it only audits.</summary>
    public OfferBook? Offers => offers;

    /// <summary>Lines of the provider's statement that were read.</summary>
    public long StatementLines { get; private set; }

    /// <summary>Payments that the API lists, of anybody.</summary>
    public long PaymentsListed { get; private set; }

    /// <summary>Every payment that any source names.</summary>
    public IEnumerable<KeyValuePair<Guid, AuditedPayment>> Payments => payments;

    /// <summary>What is known of a payment; all zero when nothing is.</summary>
    public AuditedPayment Find(Guid id) => payments.GetValueOrDefault(id);

    /// <summary>How many payments the API lists for this offer; 255 stands for more.</summary>
    public int ListedFor(int offer) => listedPerOffer[offer];

    /// <summary>One payment as the API lists it.</summary>
    public void Add(WirePayment listed)
    {
        PaymentsListed++;
        ref var payment = ref Of(listed.Id);
        payment.Listed++;
        payment.State = StateOf(listed.Status);
        payment.ByGateway = listed.Method is null or "GATEWAY";
        payment.CurrencyAsOffered = listed.Amount.Currency == Workload.Currency;
        payment.Amount = listed.Amount.Amount;
        payment.Authorized = listed.Authorized;
        payment.Captured = listed.Captured;
        payment.Refunded = listed.Refunded;
        if (workload is not null && workload.TryNumber(listed.OrderId, out var number)
            && number < listedPerOffer.Length)
        {
            // Found by its order: an acceptance whose answer was lost, or one made twice under two ids.
            payment.OfferPlus1 = number + 1;
            listedPerOffer[number] = (byte)Math.Min(255, listedPerOffer[number] + 1);
        }
    }

    /// <summary>One line of the provider's statement. Declined lines moved no money and only count.</summary>
    public void Add(WireStatementLine line)
    {
        StatementLines++;
        ref var payment = ref Of(line.PaymentId);
        payment.Lines++;
        if (line.Status != "APPROVED")
        {
            return;
        }

        switch (line.Kind)
        {
            case "CHARGE":
                payment.Charges++;
                payment.TakenSum += line.Amount.Amount;
                break;
            case "CAPTURE":
                payment.Captures++;
                payment.TakenSum += line.Amount.Amount;
                break;
            case "AUTHORIZE":
                payment.Authorizations++;
                break;
            case "VOID":
                payment.Voids++;
                break;
            case "REFUND":
                payment.RefundedSum += line.Amount.Amount;
                break;
        }
    }

    private static PaymentState StateOf(string status) => status switch
    {
        "AUTHORIZED" => PaymentState.Authorized,
        "CAPTURED" or "PARTIALLY_REFUNDED" or "REFUNDED" => PaymentState.Captured,
        "VOIDED" => PaymentState.Voided,
        "FAILED" => PaymentState.Failed,
        _ => PaymentState.NotFinal,
    };

    private ref AuditedPayment Of(Guid id) => ref CollectionsMarshal.GetValueRefOrAddDefault(payments, id, out _);
}
