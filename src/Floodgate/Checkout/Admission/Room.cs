using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Holds;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>A waiting room as it is stored, with what it has to know of its sale.</summary>
/// <param name="SaleId">The sale.</param>
/// <param name="MerchantId">Whose sale it is; null for the platform's.</param>
/// <param name="OpensMs">When the sale opens.</param>
/// <param name="EndsMs">When it ends.</param>
/// <param name="Rules">What the merchant decided.</param>
/// <param name="Version">1 at first, one more with each change.</param>
/// <param name="Joins">How many joins were numbered, where several nodes share the rooms.</param>
internal sealed record RoomTerms(
    Guid SaleId, string? MerchantId, long OpensMs, long EndsMs, RoomRules Rules, long Version, long Joins = 0)
{
    /// <summary>Where the sale stands.</summary>
    public SaleState StateAt(UtcInstant now) => now.Ms < OpensMs ? SaleState.Scheduled
        : now.Ms < EndsMs ? SaleState.Active
        : SaleState.Ended;
}

/// <summary>What a merchant decides about a room.</summary>
/// <param name="IsEnabled">False: the sale needs no pass; tickets keep their places for when it is true again.</param>
/// <param name="IsPaused">True: nobody is admitted, joins go on.</param>
/// <param name="ActiveMax">Places inside.</param>
/// <param name="PassSeconds">How long a pass is good.</param>
/// <param name="PerSecondMin">The floor of the admission rate.</param>
/// <param name="PerSecondMax">Its ceiling.</param>
internal sealed record RoomRules(
    bool IsEnabled, bool IsPaused, int ActiveMax, int PassSeconds, int PerSecondMin, int PerSecondMax)
{
    /// <summary>The part that the rate is decided by.</summary>
    public RateLimits Limits => new(IsPaused, ActiveMax, PerSecondMin, PerSecondMax);
}

/// <summary>A ticket with all that its owner is shown.</summary>
/// <param name="Ticket">The ticket.</param>
/// <param name="Terms">Its room.</param>
/// <param name="Buyer"><c>realm/user</c>.</param>
/// <param name="Position">Its rank, from 1; 0 unless it waits in a sale that has opened.</param>
/// <param name="Waiting">How many wait, while the sale has not opened; else null.</param>
/// <param name="WaitSeconds">The estimated wait; null when unknown.</param>
/// <param name="State">Where the sale stands.</param>
/// <param name="IsSoldOut">True when nothing is left and nothing can come back.</param>
/// <param name="Stock">What is left.</param>
internal readonly record struct TicketView(
    Waiter Ticket,
    RoomTerms Terms,
    string Buyer,
    int Position,
    int? Waiting,
    long? WaitSeconds,
    SaleState State,
    bool IsSoldOut,
    SaleStock Stock);

/// <summary>A room as its merchant is shown it.</summary>
internal readonly record struct RoomFigures(
    int Waiting, int Active, long Admitted, double RatePerSecond, AdmissionBrake Brake);

/// <summary>
/// The waiting room of one sale as it lives in each process that serves the rooms: line, rate and open streams. News
/// comes here after it is committed. Safe for any number of callers.
/// </summary>
internal sealed class Room
{
    private const int JoinsPage = 20_000;

    private static readonly TimeSpan StockFreshFor = TimeSpan.FromMilliseconds(1_500);
    private static readonly TimeSpan PaceFreshFor = TimeSpan.FromSeconds(3);

    // Set once.
    private readonly TimeProvider time;
    private readonly Random random;
    private readonly int tellEverySeconds;

    // Replaced whole, read by all.
    private volatile RoomTerms terms;
    private volatile KnownStock stock;
    private volatile bool hasOpened;
    private volatile bool isClosed;

    // Of the one loop that writes joins.
    private long lastPlace;

    // Of the one loop that follows other nodes.
    private long joinsKnown;
    private bool isWholePage;
    private int checkedTo;

    // Under the gate.
    private readonly Lock gate = new();
    private readonly WaitingLine line = new();
    private readonly AdmissionRate rate;
    private readonly AdmissionPace pace = new();
    private long turnedAt;
    private (long Admitted, long Freed) counted;
    private List<Guid> heardOf = [];
    private (long At, double PerSecond, AdmissionBrake Brake)? told;

    public Room(RoomTerms terms, AdmissionSettings settings, AdmissionTools tools, bool isShared)
    {
        (this.terms, time, random) = (terms, tools.Time, tools.Random);
        tellEverySeconds = isShared ? Math.Max(1, settings.AbandonedSeconds / 4) : int.MaxValue;
        joinsKnown = terms.Joins;
        rate = new(settings.LagMax, settings.DueMax);
        stock = new(default, 0, IsKnown: false);
        turnedAt = time.GetTimestamp() - time.TimestampFrequency;
    }

    /// <summary>Its settings and its sale.</summary>
    public RoomTerms Terms
    {
        get => terms;
        set => terms = value;
    }

    /// <summary>Who listens to its tickets.</summary>
    public TicketListeners Listeners { get; } = new();

    /// <summary>True when the room is gone: its streams end.</summary>
    public bool IsClosed => isClosed;

    /// <summary>Live tickets.</summary>
    public int Live
    {
        get
        {
            lock (gate)
            {
                return line.Waiting + line.Active;
            }
        }
    }

    /// <summary>
    /// True when what is left must be read before it is shown. While somebody is here the loop reads it, and no request
    /// waits for the database.
    /// </summary>
    public bool NeedsStock => !stock.IsKnown || (time.GetElapsedTime(stock.At) > StockFreshFor && Live == 0);

    /// <summary>Takes note of what is left; true when the sale has just sold out, or is not any more.</summary>
    public bool Note(SaleStock left)
    {
        var before = stock;
        stock = new(left, time.GetTimestamp(), IsKnown: true);
        return AdmissionRate.IsSoldOut(before.Left) != AdmissionRate.IsSoldOut(left);
    }

    /// <summary>
    /// What the next joins to number are; the counter of the room moves on by them. Only the loop that writes joins
    /// asks.
    /// </summary>
    public NewJoins Count(long tickets, UtcInstant now) =>
        new(terms.SaleId, tickets, HasOpened(now), Places.After(lastPlace, now.Ms) - 1);

    /// <summary>The place of a join that was numbered; <paramref name="place"/> 0: it is drawn.</summary>
    public long PlaceOf(long place)
    {
        hasOpened |= place > 0;
        lastPlace = Math.Max(lastPlace, place);
        return place > 0 ? place : Places.Draw(random);
    }

    /// <summary>The joins of all nodes that are to be read next; then <see cref="Follow"/>.</summary>
    public (Guid SaleId, long After, long UpTo) NextJoins()
    {
        // Known before they are read: what is numbered meanwhile may not be among them.
        isWholePage = terms.Joins >= joinsKnown + JoinsPage;
        return (terms.SaleId, joinsKnown, joinsKnown + JoinsPage);
    }

    /// <summary>Takes joins that were read; those in between were given to others since, or ended.</summary>
    public void Follow(IReadOnlyList<Ticket> joined)
    {
        Add([.. joined.Where(ticket => !ticket.State.IsFinal())]);
        var last = joined.Count > 0 ? joined.Max(ticket => ticket.Joined) : 0;
        joinsKnown = isWholePage ? joinsKnown + JoinsPage : Math.Max(joinsKnown, last);
    }

    /// <summary>The place of somebody who joins now. Only the loop that writes joins asks.</summary>
    public long NextPlace(UtcInstant now)
    {
        // Who comes after the opening never gets a place before those who wait.
        if (!HasOpened(now))
        {
            return Places.Draw(random);
        }

        lastPlace = Places.After(lastPlace, now.Ms);
        return lastPlace;
    }

    /// <summary>Takes tickets that were read from the table at the start, before anybody joins.</summary>
    public void Load(IReadOnlyList<Ticket> tickets)
    {
        Add(tickets);
        foreach (var ticket in tickets.Where(ticket => ticket.Place >= Places.FirstInLine))
        {
            lastPlace = Math.Max(lastPlace, ticket.Place);
            hasOpened = true;
        }
    }

    /// <summary>Takes tickets that are committed; those that are known stay as they are.</summary>
    public void Add(IReadOnlyList<Ticket> tickets)
    {
        var seconds = SecondsNow();
        lock (gate)
        {
            foreach (var ticket in tickets)
            {
                line.Add(ticket, seconds);
            }
        }
    }

    /// <summary>
    /// Moves tickets on after the commit, and rings their streams at once. News that is no news changes nothing.
    /// </summary>
    /// <returns>True when a place inside got free.</returns>
    public bool Change(IReadOnlyList<Guid> tickets, TicketState next, long expiresMs = 0)
    {
        bool isFree;
        List<Guid> changed = [];
        lock (gate)
        {
            var freed = line.Freed;
            changed.AddRange(tickets.Where(ticket => line.Change(ticket, next, expiresMs)));
            isFree = line.Freed > freed;
        }

        Listeners.Ring(changed);
        return isFree;
    }

    /// <summary>True when the ticket is in memory.</summary>
    public bool Knows(Guid ticket)
    {
        lock (gate)
        {
            return line.Find(ticket) is not null;
        }
    }

    /// <summary>The ticket as its owner is shown it, who is alive by asking; null when it is not in memory.</summary>
    public TicketView? View(Guid ticket)
    {
        lock (gate)
        {
            Touch_NeedsLock(ticket);
            return line.Find(ticket) is { } waiter ? ViewOf_NeedsLock(waiter) : null;
        }
    }

    /// <summary>The live ticket of a buyer, in the same way.</summary>
    public TicketView? ViewOf(string buyer)
    {
        lock (gate)
        {
            if (line.FindLive(buyer) is not { } waiter)
            {
                return null;
            }

            Touch_NeedsLock(waiter.Id);
            return ViewOf_NeedsLock(waiter);
        }
    }

    /// <summary>What its merchant is shown.</summary>
    public RoomFigures Figures()
    {
        lock (gate)
        {
            var now = told is { } heard && time.GetElapsedTime(heard.At) < PaceFreshFor
                ? (heard.PerSecond, heard.Brake)
                : (rate.PerSecond, rate.Brake);
            return new(line.Waiting, line.Active, line.Admitted, now.PerSecond, now.Brake);
        }
    }

    /// <summary>The node that admits has told at which rate.</summary>
    public void Note(double perSecond, AdmissionBrake brake)
    {
        lock (gate)
        {
            told = (time.GetTimestamp(), perSecond, brake);
        }
    }

    /// <summary>Those who were heard of here and are to be told to the other nodes; once.</summary>
    public List<Guid> TakeHeardOf()
    {
        lock (gate)
        {
            (var taken, heardOf) = (heardOf, []);
            return taken;
        }
    }

    /// <summary>They were heard of so many seconds ago, on another node.</summary>
    public void Heard(IReadOnlyList<(Guid Ticket, long SecondsAgo)> elsewhere)
    {
        lock (gate)
        {
            foreach (var (ticket, ago) in elsewhere)
            {
                line.Touch(ticket, (int)Math.Max(0, SecondsNow() - ago));
            }
        }
    }

    /// <summary>
    /// Some who wait, to be compared with the table: the first in line, and others in turn, so that each is looked at
    /// now and then.
    /// </summary>
    public List<Guid> NextToCheck(int first, int others)
    {
        lock (gate)
        {
            var front = line.First(first);
            (var some, checkedTo) = line.WaitingFrom(checkedTo, others);
            return [.. front.Union(some)];
        }
    }

    /// <summary>Those inside whose passes ran out.</summary>
    public List<Guid> Overdue(UtcInstant now)
    {
        lock (gate)
        {
            return line.Overdue(now.Ms);
        }
    }

    /// <summary>Those who wait and were not heard of for so long, at most so many. Looks at everybody.</summary>
    public List<Guid> Unseen(int abandonedSeconds, int max)
    {
        lock (gate)
        {
            return line.Unseen(SecondsNow() - abandonedSeconds, max);
        }
    }

    /// <summary>Some of its live tickets.</summary>
    public List<Guid> SomeLive(int max)
    {
        lock (gate)
        {
            return line.Live(max);
        }
    }

    /// <summary>Those inside.</summary>
    public List<Guid> Inside()
    {
        lock (gate)
        {
            return [.. line.Inside()];
        }
    }

    /// <summary>
    /// Who is to be admitted now: the sale is open. They are admitted when
    /// <see cref="Change"/> says so, and offered again when it does not.
    /// </summary>
    public List<Guid> Next(PaymentHealth health)
    {
        lock (gate)
        {
            var elapsed = Observe_NeedsLock();
            told = null;
            var sight = new Sight(line.Waiting, line.Active, stock.Left, health);
            return line.First(rate.Take(terms.Rules.Limits, sight, elapsed));
        }
    }

    /// <summary>Sees how fast the line moves, where another node admits.</summary>
    public void Observe()
    {
        lock (gate)
        {
            Observe_NeedsLock();
        }
    }

    /// <summary>How long nothing has to be done for it, at most so long.</summary>
    public TimeSpan Nap(UtcInstant now, TimeSpan longest)
    {
        long next;
        lock (gate)
        {
            next = line.NextExpiryMs;
        }

        next = Math.Min(next, now.Ms < terms.OpensMs ? terms.OpensMs : now.Ms < terms.EndsMs ? terms.EndsMs : next);
        return TimeSpan.FromMilliseconds(Math.Clamp(next - now.Ms, 1, (long)longest.TotalMilliseconds));
    }

    /// <summary>The room is gone.</summary>
    public void Close()
    {
        isClosed = true;
        Listeners.RingAll();
    }

    private TimeSpan Observe_NeedsLock()
    {
        var elapsed = time.GetElapsedTime(turnedAt);
        turnedAt = time.GetTimestamp();
        if (line.Waiting > 0)
        {
            pace.Observe(line.Admitted - counted.Admitted, line.Freed - counted.Freed, elapsed);
        }

        counted = (line.Admitted, line.Freed);
        return elapsed;
    }

    private void Touch_NeedsLock(Guid ticket)
    {
        if (line.Touch(ticket, SecondsNow(), tellEverySeconds))
        {
            heardOf.Add(ticket);
        }
    }

    private TicketView ViewOf_NeedsLock(Waiter waiter)
    {
        var now = UtcInstant.Now(time);
        var (shown, left, isWaiting) = (terms, stock.Left, waiter.State == TicketState.Waiting);
        var isInLine = HasOpened(now);
        var position = isWaiting && isInLine ? line.PositionOf(waiter.Id) : 0;
        var isStanding = shown.Rules.IsPaused || AdmissionRate.IsSoldOut(left);
        return new(
            waiter,
            shown,
            line.BuyerOf(waiter.Id)!,
            position,
            isWaiting && !isInLine ? line.Waiting : null,
            position == 0 || isStanding ? null : pace.SecondsFor(position - 1, line.Active >= shown.Rules.ActiveMax),
            shown.StateAt(now),
            AdmissionRate.IsSoldOut(left),
            left);
    }

    // From then on it stays a line, also when somebody moves the opening.
    private bool HasOpened(UtcInstant now) => hasOpened || (hasOpened = now.Ms >= terms.OpensMs);

    // Counted from a clock that nobody sets.
    private int SecondsNow() => (int)(time.GetTimestamp() / time.TimestampFrequency);

    private sealed record KnownStock(SaleStock Left, long At, bool IsKnown);
}
