namespace Floodgate.Checkout.Admission;

/// <summary>Where a ticket stands. It moves down this list only; the last three are final.</summary>
public enum TicketState : byte
{
    /// <summary>In line.</summary>
    Waiting,

    /// <summary>Inside: it has a pass and takes one of the places.</summary>
    Active,

    /// <summary>Its pass was used up by an order.</summary>
    Used,

    /// <summary>
    /// Its pass was not used in time, nobody asked for it any more while it waited, or the sale ended.
    /// </summary>
    Expired,

    /// <summary>Its owner gave it up.</summary>
    Left,
}

/// <summary>A ticket as it is stored.</summary>
/// <param name="Id">Unguessable: whoever knows it may see the ticket and give it up.</param>
/// <param name="SaleId">The sale.</param>
/// <param name="Buyer"><c>realm/user</c>; one live ticket in a sale.</param>
/// <param name="Place">The order of admission; see <see cref="Places"/>.</param>
/// <param name="State">Where it stands.</param>
/// <param name="ExpiresMs">Until when it is active; 0 while it waits.</param>
/// <param name="Joined">The number of its join, where several nodes share the rooms; else 0.</param>
internal sealed record Ticket(
    Guid Id,
    Guid SaleId,
    string Buyer,
    long Place,
    TicketState State = TicketState.Waiting,
    long ExpiresMs = 0,
    long Joined = 0);

/// <summary>The states in words, and which may follow which.</summary>
internal static class TicketStates
{
    /// <summary>True when nothing can change it any more.</summary>
    public static bool IsFinal(this TicketState state) => state >= TicketState.Used;

    /// <summary>True when the one may become the other.</summary>
    public static bool MayBecome(this TicketState state, TicketState next) => !state.IsFinal() && next > state;

    /// <summary>As the API shows it and the table keeps it.</summary>
    public static string NameOf(TicketState state) => state switch
    {
        TicketState.Waiting => "WAITING",
        TicketState.Active => "ACTIVE",
        TicketState.Used => "USED",
        TicketState.Expired => "EXPIRED",
        _ => "LEFT",
    };

    /// <summary>The state of its name.</summary>
    public static TicketState FromStored(string name) => name switch
    {
        "WAITING" => TicketState.Waiting,
        "ACTIVE" => TicketState.Active,
        "USED" => TicketState.Used,
        "EXPIRED" => TicketState.Expired,
        _ => TicketState.Left,
    };
}

/// <summary>
/// Places in line: whoever has the smaller one is admitted first. Stored with the ticket, so that the order is the same
/// after a restart.
/// </summary>
internal static class Places
{
    /// <summary>Smaller places were drawn before the sale opened, this and larger ones follow arrival.</summary>
    public const long FirstInLine = 1L << 62;

    private const int SequenceBits = 20;

    /// <summary>A random place among those who come before the opening: being early does not help.</summary>
    public static long Draw(Random random) => random.NextInt64(FirstInLine);

    /// <summary>
    /// The place behind <paramref name="last"/>. It carries the milliseconds, so that also after a restart, when the
    /// last place given out may not be known any more, it is behind all.
    /// </summary>
    public static long After(long last, long nowMs) => Math.Max(last + 1, FirstInLine + (nowMs << SequenceBits));
}
