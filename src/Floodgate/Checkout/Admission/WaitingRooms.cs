using System.Collections.Concurrent;
using System.Security.Cryptography;
using Floodgate.Access;
using Floodgate.Checkout.Catalog;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>
/// The door: which sales need a pass, what a pass is worth, and using it up. On every node; the lines themselves live
/// in the one process that owns them.
/// </summary>
public sealed class WaitingRooms
{
    private const int LoadPage = 20_000;

    // Set once.
    private readonly Database database;
    private readonly AdmissionSettings settings;
    private readonly AdmissionLog log;
    private readonly TimeProvider time;
    private readonly Random random;

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
        bool isOwner)
    {
        (this.database, this.settings, IsOwner) = (database, settings, isOwner);
        (log, time, random) = (tools.Log, tools.Time, tools.Random);
        catalog.Changed += _ => Changed.Set();
    }

    /// <summary>True in the one process whose memory has the lines.</summary>
    internal bool IsOwner { get; }

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
    /// free at once where the rooms live, and within a second when it was another node.
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
        var room = new Room(terms, settings, time, random);
        var after = "";
        while (IsOwner)
        {
            var page = await database.ReadAsync(
                tx => AdmissionSql.SelectLiveAsync(tx, terms.SaleId, after, LoadPage), cancel);
            room.Load(page);
            if (page.Count < LoadPage)
            {
                var figures = room.Figures();
                log.Loaded(terms.SaleId, figures.Waiting, figures.Active);
                break;
            }

            after = page[^1].Buyer;
        }

        return room;
    }
}

/// <summary>What the parts of this module share.</summary>
internal sealed record AdmissionTools(TimeProvider Time, Random Random, Ids Ids, AdmissionLog Log);
