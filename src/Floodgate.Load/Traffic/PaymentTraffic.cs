namespace Floodgate.Load.Traffic;

/// <summary>
/// Payments, or the same JSON to an endpoint that keeps nothing when <paramref name="book"/> is null.
/// </summary>
internal sealed class PaymentTraffic(Workload workload, OfferBook? book) : ITraffic
{
    private int unbooked;

    /// <inheritdoc/>
    public int RequestBytesMax => workload.RequestBytesMax;

    /// <inheritdoc/>
    public int Take() => book?.Take() ?? (int)((uint)Interlocked.Increment(ref unbooked) % 1_000_000_000);

    /// <inheritdoc/>
    public int Write(int number, Span<byte> buffer) => workload.Write(number, buffer);

    /// <inheritdoc/>
    public OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        var id = Guid.Empty;
        var outcome = status switch
        {
            200 or 202 => book is null || Workload.TryReadId(body, out id) ? OfferOutcome.Accepted : OfferOutcome.Error,
            _ => RefusalCodes.OutcomeOf(status, body),
        };
        if (book is not null)
        {
            book[number] = new Offer { Id = id, Outcome = outcome };
        }

        return outcome;
    }

    /// <inheritdoc/>
    public void Lost(int number)
    {
        if (book is not null)
        {
            book[number] = new Offer { Outcome = OfferOutcome.Error };
        }
    }
}
