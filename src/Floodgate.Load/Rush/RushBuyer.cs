namespace Floodgate.Load.Rush;

/// <summary>What a buyer sends next.</summary>
internal enum RushStep : byte
{
    /// <summary>Joins the waiting room.</summary>
    Join,

    /// <summary>Looks at the ticket.</summary>
    Look,

    /// <summary>Gives the ticket back.</summary>
    Leave,

    /// <summary>Orders with the pass.</summary>
    Order,

    /// <summary>Looks at the order.</summary>
    Follow,

    /// <summary>Gives unpaid seats back.</summary>
    GiveBack,

    /// <summary>Nothing any more.</summary>
    Done,
}

/// <summary>How it ended for a buyer.</summary>
internal enum RushEnd : byte
{
    /// <summary>Still under way.</summary>
    None,

    /// <summary>Has seats and has paid.</summary>
    Bought,

    /// <summary>Was let in, and nothing was left.</summary>
    TooLate,

    /// <summary>Was told while waiting that all is sold, and went.</summary>
    WentHome,

    /// <summary>Gave up waiting and said so.</summary>
    Left,

    /// <summary>Gave up waiting and said nothing.</summary>
    Vanished,

    /// <summary>Held seats and gave them back.</summary>
    GaveBack,

    /// <summary>The payment failed or the hold ran out.</summary>
    NotPaid,

    /// <summary>Was refused for another reason.</summary>
    Refused,
}

/// <summary>One buyer. Its requests follow one after the other, so it has one writer at a time.</summary>
internal sealed class RushBuyer(Temper temper)
{
    /// <summary>What it is like.</summary>
    public Temper Temper => temper;

    /// <summary>What it sends next.</summary>
    public RushStep Step { get; set; }

    /// <summary>How it ended.</summary>
    public RushEnd End { get; set; }

    /// <summary>How it ends when the ticket is given back.</summary>
    public RushEnd EndOnceLeft { get; set; } = RushEnd.Left;

    /// <summary>When the join was first sent, in timestamps of the run's clock; 0 = not yet.</summary>
    public long SentAt { get; set; }

    /// <summary>When its answer came.</summary>
    public long AnsweredAt { get; set; }

    /// <summary>The ticket.</summary>
    public Guid Ticket { get; set; }

    /// <summary>The last place in line that was told; 0 = none.</summary>
    public long Place { get; set; }

    /// <summary>Looks at the ticket so far.</summary>
    public int Looks { get; set; }

    /// <summary>When it was let in, in milliseconds since the epoch, by the server's clock; 0 = it was not.</summary>
    public long AdmittedMs { get; set; }

    /// <summary>The pass.</summary>
    public byte[] Pass { get; set; } = [];

    /// <summary>The order; empty before.</summary>
    public Guid Order { get; set; }
}
