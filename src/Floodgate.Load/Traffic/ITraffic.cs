namespace Floodgate.Load.Traffic;

/// <summary>
/// What lanes carry: requests by their number, and what the answers mean. Many lanes ask at once, each for its own
/// number. Everything about a request follows from its number, so that the auditor needs no memory of it.
/// </summary>
internal interface ITraffic
{
    /// <summary>A buffer of this size holds any request.</summary>
    int RequestBytesMax { get; }

    /// <summary>The number of one more request.</summary>
    int Take();

    /// <summary>Writes the request and returns its length in bytes.</summary>
    int Write(int number, Span<byte> buffer);

    /// <summary>Notes the answer to a request and says what it means.</summary>
    OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body);

    /// <summary>Notes that no answer came, so that it is open whether the server acted.</summary>
    void Lost(int number);
}

/// <summary>Requests whose outcome is kept in a book, with refusals counted by their code.</summary>
internal abstract class BookedTraffic(OfferBook book) : ITraffic
{
    /// <summary>Refusals by code.</summary>
    public RefusalCodes Codes { get; init; } = new();

    /// <summary>What became of each.</summary>
    public OfferBook Book => book;

    /// <inheritdoc/>
    public abstract int RequestBytesMax { get; }

    /// <summary>The member of the answer that names what was made.</summary>
    protected virtual ReadOnlySpan<byte> IdMember => "\"id\":\""u8;

    /// <inheritdoc/>
    public virtual int Take() => book.Take();

    /// <inheritdoc/>
    public abstract int Write(int number, Span<byte> buffer);

    /// <inheritdoc/>
    public virtual OfferOutcome Judge(int number, int status, ReadOnlySpan<byte> body)
    {
        var id = Guid.Empty;
        var outcome = status switch
        {
            200 or 201 or 202 => JsonPeek.TryGuid(body, IdMember, out id) ? OfferOutcome.Accepted : OfferOutcome.Error,
            _ => RefusalCodes.OutcomeOf(status, body),
        };
        if (outcome != OfferOutcome.Accepted)
        {
            Codes.Count(status, body);
        }

        book[number] = new Offer { Id = id, Outcome = outcome };
        return outcome;
    }

    /// <inheritdoc/>
    public virtual void Lost(int number) => book[number] = new Offer { Outcome = OfferOutcome.Error };
}
