using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Floodgate.Access;
using Floodgate.Checkout.Catalog;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// The door: which sales need a pass, what a pass is worth, and using it up. On every node; the lines themselves live
/// in the one process that owns them or, with a Redis, in each that serves routes: the table is the line, and every
/// node's memory an index of it that follows the others (ADR 0028).
/// </summary>
public sealed class WaitingRooms
{
    private const int LoadPage = 20_000;
    private const string Ended = "tickets";
    private const string Joined = "joins";
    private const string Ruled = "rooms";
    private const string Pace = "admission-pace";
    private const int ChangeBytes = 9; // State and expiry.
    private const int PaceBytes = 25; // Sale, rate and brake.

    // Set once.
    private readonly Database database;
    private readonly AdmissionSettings settings;
    private readonly AdmissionLog log;
    private readonly TimeProvider time;
    private readonly AdmissionTools tools;
    private readonly News news;

    // Read by all; written under the turn to refresh, so that an older reading never replaces a newer one.
    private readonly ConcurrentDictionary<Guid, Room> rooms = new();
    private readonly SemaphoreSlim refreshing = new(1);

    // Written once, before the server takes requests.
    private Passes? passes;

    internal WaitingRooms(
        Database database,
        CatalogBook catalog,
        AdmissionSettings settings,
        AdmissionTools tools,
        News news,
        bool servesLines)
    {
        (this.database, this.settings, this.tools, this.news) = (database, settings, tools, news);
        (log, time, ServesLines) = (tools.Log, tools.Time, servesLines);
        catalog.Changed += _ => Changed.Set();
        news.Listen(Ended, HearChange);
        news.Listen(Joined, _ => Freed.Set());
        news.Listen(Ruled, _ => Changed.Set());
        news.Listen(Pace, HearPace);
        news.Missed += Changed.Set;
    }

    /// <summary>True in each process whose memory has the lines.</summary>
    internal bool ServesLines { get; }

    /// <summary>True when other processes have them too.</summary>
    internal bool IsShared => news.IsShared;

    /// <summary>Rung when rooms or sales may have changed.</summary>
    internal Signal Changed { get; } = new();

    /// <summary>Rung when somebody may be admitted.</summary>
    internal Signal Freed { get; } = new();

    internal IEnumerable<Room> All => rooms.Values;

    internal Passes Passes => passes ?? throw new InvalidOperationException("The key of passes is not loaded yet.");

    /// <summary>True when the sale has a waiting room, so that orders need a pass. At most a second old.</summary>
    public bool IsRequired(Guid saleId) => rooms.ContainsKey(saleId);

    /// <summary>What a pass is worth to this buyer in this sale. Reads nothing, locks nothing.</summary>
    public CheckedPass Check(string? pass, Guid saleId, Buyer buyer) => Passes.Check(pass, saleId, buyer);

    /// <summary>
    /// Uses up tickets in the caller's transaction and answers those that were active and in time; of several
    /// transactions with one ticket one gets it. Locks their rows, in one order. After the commit their places are
    /// free at once where the rooms live, and on other nodes when they hear of it, or within a second.
    /// </summary>
    public async ValueTask<IReadOnlySet<Guid>> UseAsync(Tx tx, IReadOnlyList<Guid> tickets)
    {
        var used = await AdmissionSql.UseAsync(tx, [.. tickets.Distinct()], UtcInstant.Now(time).Ms);
        if (used.Count > 0)
        {
            tx.OnCommitted(() =>
            {
                AdmissionLog.CountEnded(used.Count, "used");
                Apply(used, TicketState.Used);
            });
        }

        return used.ToHashSet();
    }

    /// <summary>Those of the tickets that are active and in time. Locks nothing.</summary>
    public async ValueTask<IReadOnlySet<Guid>> ActiveAsync(Tx tx, IReadOnlyList<Guid> tickets) =>
        (await AdmissionSql.SelectActiveAsync(tx, [.. tickets.Distinct()], UtcInstant.Now(time).Ms)).ToHashSet();

    /// <summary>Loads the key and the rooms; after the migrations, before the first request.</summary>
    internal async ValueTask LoadAsync(CancellationToken cancel)
    {
        passes = new(
            await database.WriteAsync(
                tx => AdmissionSql.KeepKeyAsync(tx, RandomNumberGenerator.GetBytes(Passes.KeyBytes)), cancel),
            time);
        await RefreshAsync(cancel);
    }

    /// <summary>
    /// Reads which rooms there are. The owner loads the line of one that is new before anybody can join it. The order
    /// is that of the places in the table.
    /// </summary>
    internal async ValueTask RefreshAsync(CancellationToken cancel)
    {
        await refreshing.WaitAsync(cancel);
        try
        {
            var sinceMs = UtcInstant.Now(time).Ms - (settings.EndedKeptSeconds * 1_000L);
            var stored = await database.ReadAsync(tx => AdmissionSql.SelectRoomsAsync(tx, sinceMs), cancel);
            foreach (var gone in rooms.Keys.Except(stored.Select(terms => terms.SaleId)).ToList())
            {
                rooms.Remove(gone, out var room);
                room!.Close();
            }

            foreach (var terms in stored)
            {
                if (rooms.TryGetValue(terms.SaleId, out var room))
                {
                    room.Terms = terms;
                }
                else
                {
                    rooms[terms.SaleId] = await OpenAsync(terms, cancel);
                }
            }
        }
        finally
        {
            refreshing.Release();
        }

        Freed.Set();
    }

    /// <summary>
    /// Ends all streams: they never end by themselves, and a server that stops waits for its requests.
    /// </summary>
    internal void EndStreams()
    {
        foreach (var (_, room) in rooms)
        {
            room.Close();
        }
    }

    /// <summary>The room of a sale.</summary>
    internal Room? Find(Guid saleId) => rooms.GetValueOrDefault(saleId);

    /// <summary>The room that has a ticket in memory.</summary>
    internal Room? FindOf(Guid ticket)
    {
        foreach (var (_, room) in rooms)
        {
            if (room.Knows(ticket))
            {
                return room;
            }
        }

        return null;
    }

    /// <summary>Moves tickets on in memory, wherever they are, after the commit.</summary>
    internal void Apply(IReadOnlyList<Guid> tickets, TicketState state, long expiresMs = 0)
    {
        ApplyHere(tickets, state, expiresMs);
        TellChange(tickets, state, expiresMs);
    }

    /// <summary>Tells other nodes what became of tickets.</summary>
    internal void TellChange(IReadOnlyList<Guid> tickets, TicketState state, long expiresMs = 0)
    {
        if (!IsShared || tickets.Count == 0)
        {
            return;
        }

        var head = new byte[ChangeBytes];
        head[0] = (byte)state;
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(1), expiresMs);
        news.Tell(Ended, [.. head, .. News.BytesOf(tickets)]);
    }

    /// <summary>Tells other nodes that somebody joined: whoever admits looks at once.</summary>
    internal void TellJoined() => news.Tell(Joined);

    /// <summary>Tells other nodes that rules have changed.</summary>
    internal void TellRules() => news.Tell(Ruled);

    /// <summary>Tells other nodes how fast a room admits.</summary>
    internal void TellPace(Guid saleId, RoomFigures figures)
    {
        var body = new byte[PaceBytes];
        saleId.TryWriteBytes(body);
        BinaryPrimitives.WriteDoubleBigEndian(body.AsSpan(16), figures.RatePerSecond);
        body[^1] = (byte)figures.Brake;
        news.Tell(Pace, body);
    }

    /// <summary>
    /// Compares a line with the table, whole: before this node begins to admit. Nobody who waits gets another place.
    /// </summary>
    internal async ValueTask ReloadAsync(Room room, Action<IReadOnlyList<Guid>, IReadOnlyList<Ticket>> follow)
    {
        var stored = new HashSet<Guid>();
        await ReadLineAsync(room.Terms.SaleId, page =>
        {
            room.Add(page);
            stored.UnionWith(page.Select(ticket => ticket.Id));
            follow([], page);
        });
        foreach (var unknown in room.SomeLive(int.MaxValue).Where(id => !stored.Contains(id)).Chunk(LoadPage))
        {
            follow(unknown, await database.ReadAsync(tx => AdmissionSql.SelectAsync(tx, unknown)));
        }
    }

    private void HearChange(ReadOnlyMemory<byte> body)
    {
        var head = body.Span[..ChangeBytes];
        ApplyHere(
            News.IdsIn(body[ChangeBytes..]), (TicketState)head[0], BinaryPrimitives.ReadInt64BigEndian(head[1..]));
    }

    private void HearPace(ReadOnlyMemory<byte> body) => Find(new Guid(body.Span[..16]))?.Note(
        BinaryPrimitives.ReadDoubleBigEndian(body.Span[16..]), (AdmissionBrake)body.Span[^1]);

    private void ApplyHere(IReadOnlyList<Guid> tickets, TicketState state, long expiresMs)
    {
        foreach (var (_, room) in rooms)
        {
            if (room.Change(tickets, state, expiresMs))
            {
                Freed.Set();
            }
        }
    }

    /// <summary>How many more tickets fit into memory.</summary>
    internal int RoomForTickets() => settings.TicketsMax - rooms.Values.Sum(room => room.Live);

    private async Task<Room> OpenAsync(RoomTerms terms, CancellationToken cancel)
    {
        var room = new Room(terms, settings, tools, IsShared);
        if (ServesLines)
        {
            await ReadLineAsync(terms.SaleId, room.Load, cancel);
            var figures = room.Figures();
            log.Loaded(terms.SaleId, figures.Waiting, figures.Active);
        }

        return room;
    }

    private async Task ReadLineAsync(
        Guid saleId, Action<IReadOnlyList<Ticket>> take, CancellationToken cancel = default)
    {
        var page = new List<Ticket>();
        for (var after = ""; page.Count is 0 or LoadPage; after = page[^1].Buyer)
        {
            page = await database.ReadAsync(
                tx => AdmissionSql.SelectLiveAsync(tx, saleId, after, LoadPage), cancel);
            if (page.Count == 0)
            {
                return;
            }

            take(page);
        }
    }
}

/// <summary>What the parts of this module share.</summary>
internal sealed record AdmissionTools(TimeProvider Time, Random Random, Ids Ids, AdmissionLog Log);
