using System.Numerics;
using System.Text;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>A ticket as the line knows it.</summary>
internal readonly record struct Waiter(Guid Id, TicketState State, long ExpiresMs);

/// <summary>
/// The tickets of one sale in memory: who waits, in which order, and who is inside. No input or output, no clock; used
/// by one caller at a time.
/// </summary>
/// <remarks>
/// Made for hundreds of thousands of waiters: arrays of plain values and no object for each. A ticket keeps its slot
/// until the arrays are made anew; then final ones go, and the others are put in order of place. A Fenwick tree over
/// the slots counts those who wait, so a position costs the logarithm of their number.
/// </remarks>
internal sealed class WaitingLine
{
    private const int BuyerBytesMax = 1_024;

    private readonly int slotsMin;
    private readonly Dictionary<Guid, long> active = [];
    private Slot[] slots = [];
    private byte[] buyers = [];
    private int[] byTicket = [];
    private int[] byBuyer = [];
    private int[] waitingBySlot = []; // The Fenwick tree; index 0 is not used.
    private int count;
    private int buyersLength;
    private int firstWaiting;
    private bool isInOrder = true;

    /// <summary>An empty line.</summary>
    /// <param name="slotsMin">How many tickets there is room for at the least.</param>
    public WaitingLine(int slotsMin = 1_024)
    {
        this.slotsMin = slotsMin;
        MakeRoom();
    }

    /// <summary>Tickets in line.</summary>
    public int Waiting { get; private set; }

    /// <summary>Tickets inside.</summary>
    public int Active => active.Count;

    /// <summary>How many were ever admitted here.</summary>
    public long Admitted { get; private set; }

    /// <summary>How many places inside were ever given back here.</summary>
    public long Freed { get; private set; }

    /// <summary>When the next of those inside runs out; <see cref="long.MaxValue"/> when nobody is inside.</summary>
    public long NextExpiryMs => active.Count == 0 ? long.MaxValue : active.Values.Min();

    /// <summary>Takes a ticket into the line, or inside when it is active. One that is known stays as it is.</summary>
    public void Add(Ticket ticket, int nowSeconds)
    {
        Invariant.Check(!ticket.State.IsFinal(), "only live tickets are in the line");
        if (SlotOf(ticket.Id) >= 0)
        {
            return;
        }

        var length = Encoding.UTF8.GetByteCount(ticket.Buyer);
        Invariant.Check(length <= BuyerBytesMax, "a buyer's name is short");
        if (count == slots.Length || buyersLength + length > buyers.Length)
        {
            MakeRoom(length);
        }

        isInOrder &= count == 0 || ticket.Place > slots[count - 1].Place;
        Append(
            new Slot
            {
                Id = ticket.Id,
                Place = ticket.Place,
                State = ticket.State,
                SeenSeconds = nowSeconds,
                BuyerLength = (ushort)Encoding.UTF8.GetBytes(ticket.Buyer, buyers.AsSpan(buyersLength)),
            });
        if (ticket.State == TicketState.Active)
        {
            active.Add(ticket.Id, ticket.ExpiresMs);
        }
    }

    /// <summary>The ticket; null when it was never here, or ended a while ago.</summary>
    public Waiter? Find(Guid id) => SlotOf(id) is >= 0 and var slot ? WaiterIn(slot) : null;

    /// <summary>The live ticket of a buyer.</summary>
    public Waiter? FindLive(string buyer)
    {
        Span<byte> bytes = stackalloc byte[BuyerBytesMax];
        if (!Encoding.UTF8.TryGetBytes(buyer, bytes, out var length))
        {
            return null;
        }

        bytes = bytes[..length];
        for (var at = HashOf(bytes) & (byBuyer.Length - 1); byBuyer[at] > 0; at = (at + 1) & (byBuyer.Length - 1))
        {
            var slot = byBuyer[at] - 1;
            if (!slots[slot].State.IsFinal() && BuyerIn(slot).SequenceEqual(bytes))
            {
                return WaiterIn(slot);
            }
        }

        return null;
    }

    /// <summary>Whose ticket it is; null when it is not known.</summary>
    public string? BuyerOf(Guid id) =>
        SlotOf(id) is >= 0 and var slot ? Encoding.UTF8.GetString(BuyerIn(slot)) : null;

    /// <summary>Its rank among those who wait, from 1; 0 when it does not wait.</summary>
    public int PositionOf(Guid id)
    {
        PutInOrder();
        var slot = SlotOf(id);
        if (slot < 0 || slots[slot].State != TicketState.Waiting)
        {
            return 0;
        }

        var rank = 0;
        for (var node = slot + 1; node > 0; node -= node & -node)
        {
            rank += waitingBySlot[node];
        }

        return rank;
    }

    /// <summary>The first of those who wait, in order, at most so many.</summary>
    public List<Guid> First(int max)
    {
        PutInOrder();
        while (firstWaiting < count && slots[firstWaiting].State != TicketState.Waiting)
        {
            firstWaiting++;
        }

        var first = new List<Guid>(Math.Min(max, Waiting));
        for (var slot = firstWaiting; first.Count < max && slot < count; slot++)
        {
            if (slots[slot].State == TicketState.Waiting)
            {
                first.Add(slots[slot].Id);
            }
        }

        return first;
    }

    /// <summary>
    /// Moves a ticket on: false, and nothing happens, when it is not known or may not move there. So news may come
    /// twice and in any order.
    /// </summary>
    public bool Change(Guid id, TicketState next, long expiresMs = 0)
    {
        var slot = SlotOf(id);
        if (slot < 0 || !slots[slot].State.MayBecome(next))
        {
            return false;
        }

        if (slots[slot].State == TicketState.Waiting)
        {
            Waiting--;
            Count(slot, -1);
        }
        else
        {
            active.Remove(id);
            Freed++;
        }

        if (next == TicketState.Active)
        {
            active.Add(id, expiresMs);
            Admitted++;
        }

        slots[slot].State = next;
        return true;
    }

    /// <summary>Somebody asked for the ticket at this second.</summary>
    /// <param name="id">The ticket.</param>
    /// <param name="nowSeconds">The second.</param>
    /// <param name="tellEverySeconds">How often that is to be told to other nodes.</param>
    /// <returns>True when it is to be told now.</returns>
    public bool Touch(Guid id, int nowSeconds, int tellEverySeconds = int.MaxValue)
    {
        if (SlotOf(id) is not (>= 0 and var slot))
        {
            return false;
        }

        slots[slot].SeenSeconds = Math.Max(slots[slot].SeenSeconds, nowSeconds);
        if (slots[slot].State.IsFinal() || nowSeconds < slots[slot].ToldSeconds + (long)tellEverySeconds)
        {
            return false;
        }

        slots[slot].ToldSeconds = nowSeconds;
        return true;
    }

    /// <summary>Those inside whose time is over.</summary>
    public List<Guid> Overdue(long nowMs) =>
        NextExpiryMs > nowMs ? [] : [.. active.Where(one => one.Value <= nowMs).Select(one => one.Key)];

    /// <summary>Those who wait and were not seen since, at most so many.</summary>
    public List<Guid> Unseen(int sinceSeconds, int max)
    {
        var unseen = new List<Guid>();
        for (var slot = 0; slot < count && unseen.Count < max; slot++)
        {
            if (slots[slot].State == TicketState.Waiting && slots[slot].SeenSeconds < sinceSeconds)
            {
                unseen.Add(slots[slot].Id);
            }
        }

        return unseen;
    }

    /// <summary>
    /// Some who wait, from a slot on and over the end of the line to its beginning, at most so many; where to go on.
    /// </summary>
    public (List<Guid> Tickets, int Next) WaitingFrom(int slot, int max)
    {
        var some = new List<Guid>();
        for (var looked = 0; looked < count && some.Count < max; looked++, slot++)
        {
            slot = slot < count ? slot : 0;
            if (slots[slot].State == TicketState.Waiting)
            {
                some.Add(slots[slot].Id);
            }
        }

        return (some, slot);
    }

    /// <summary>All who are inside.</summary>
    public IReadOnlyCollection<Guid> Inside() => active.Keys;

    /// <summary>Some who wait or are inside, at most so many.</summary>
    public List<Guid> Live(int max)
    {
        var live = new List<Guid>();
        for (var slot = 0; slot < count && live.Count < max; slot++)
        {
            if (!slots[slot].State.IsFinal())
            {
                live.Add(slots[slot].Id);
            }
        }

        return live;
    }

    private Waiter WaiterIn(int slot) => new(
        slots[slot].Id, slots[slot].State, active.GetValueOrDefault(slots[slot].Id));

    private ReadOnlySpan<byte> BuyerIn(int slot) => buyers.AsSpan(slots[slot].BuyerAt, slots[slot].BuyerLength);

    // A place that comes late, a draw that is read before the sale opens: sorted once, when the order is asked for.
    private void PutInOrder()
    {
        if (!isInOrder)
        {
            MakeRoom();
        }
    }

    private int SlotOf(Guid id)
    {
        for (var at = id.GetHashCode() & (byTicket.Length - 1); byTicket[at] > 0; at = (at + 1) & (byTicket.Length - 1))
        {
            if (slots[byTicket[at] - 1].Id == id)
            {
                return byTicket[at] - 1;
            }
        }

        return -1;
    }

    // The buyer's bytes are behind the others already.
    private void Append(Slot added)
    {
        added.BuyerAt = buyersLength;
        buyersLength += added.BuyerLength;
        slots[count] = added;
        count++;
        Enter(byTicket, added.Id.GetHashCode(), count);
        Enter(byBuyer, HashOf(BuyerIn(count - 1)), count);
        if (added.State == TicketState.Waiting)
        {
            Waiting++;
            Count(count - 1, 1);
            firstWaiting = Math.Min(firstWaiting, count - 1);
        }
    }

    private static void Enter(int[] table, int hash, int number)
    {
        var at = hash & (table.Length - 1);
        while (table[at] > 0)
        {
            at = (at + 1) & (table.Length - 1);
        }

        table[at] = number;
    }

    private void Count(int slot, int change)
    {
        for (var node = slot + 1; node < waitingBySlot.Length; node += node & -node)
        {
            waitingBySlot[node] += change;
        }
    }

    /// <summary>
    /// Makes the arrays anew with the live tickets in order of place, and room for half as many more. All that is
    /// counted is counted again, so each ticket costs this a constant number of times.
    /// </summary>
    private void MakeRoom(int bytes = 0)
    {
        var (before, names) = (slots, buyers);
        var live = Enumerable.Range(0, count).Where(slot => !before[slot].State.IsFinal()).ToArray();
        if (!isInOrder)
        {
            Array.Sort(Array.ConvertAll(live, slot => before[slot].Place), live);
        }

        var length = live.Sum(slot => before[slot].BuyerLength);
        var room = Math.Max(slotsMin, live.Length + (live.Length / 2));
        slots = new Slot[room];
        buyers = new byte[Math.Max(slotsMin, length + bytes + (length / 2))];
        byTicket = new int[BitOperations.RoundUpToPowerOf2((uint)room + ((uint)room / 3) + 1)];
        byBuyer = new int[byTicket.Length];
        waitingBySlot = new int[room + 1];
        (count, buyersLength, firstWaiting, Waiting, isInOrder) = (0, 0, 0, 0, true);
        foreach (var slot in live)
        {
            names.AsSpan(before[slot].BuyerAt, before[slot].BuyerLength).CopyTo(buyers.AsSpan(buyersLength));
            Append(before[slot]);
        }
    }

    // Seeded by the process, so that nobody can choose names that fall on one place of the table.
    private static int HashOf(ReadOnlySpan<byte> buyer)
    {
        var hash = default(HashCode);
        hash.AddBytes(buyer);
        return hash.ToHashCode();
    }

    private struct Slot
    {
        public Guid Id;
        public long Place;
        public int SeenSeconds;
        public int ToldSeconds;
        public int BuyerAt;
        public ushort BuyerLength;
        public TicketState State;
    }
}
