using Floodgate.Checkout.Orders;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>
/// Counts what was sold: by product and minute for the rankings, and by product for the moment at which the last unit
/// went. A batch of events and the group's offsets are one transaction. Idempotent by the event's content
/// (<c>ranking_event</c>): delivered again, or replayed from a dead letter, it counts once.
/// </summary>
internal sealed class SoldBook : IAsyncDisposable
{
    private const int QueueMax = 10_000;
    private const int BatchMax = 2_000;

    private static readonly TimeSpan EventsKept = TimeSpan.FromDays(OrderEvents.DataPlatform.RetentionDays + 1);

    private readonly Database database;
    private readonly RankingSettings settings;
    private readonly TimeProvider time;
    private readonly GroupCommit<Delivery<Sold>, bool> counting;

    public SoldBook(Database database, RankingSettings settings, TimeProvider time)
    {
        this.database = database;
        this.settings = settings;
        this.time = time;
        // One writer: two at once would lock the same products, for nothing.
        counting = new(database, CountAsync, new("ranking", QueueMax, BatchMax, 1, long.MaxValue), time);
    }

    /// <summary>The group's progress, given by the worker when it runs.</summary>
    public Offsets? Offsets { get; set; }

    /// <summary>
    /// True when it is too old to count for anything: longer ago than the log keeps events, so that a repeat of it
    /// could not be told from it any more.
    /// </summary>
    public bool IsStale(Sold sold) => sold.AtMs < UtcInstant.Now(time).Plus(-EventsKept).Ms;

    /// <summary>Counts it; completes when that is durable.</summary>
    public Task CountAsync(Delivery<Sold> sold, CancellationToken cancel) => counting.SubmitAsync(sold, cancel);

    /// <summary>Forgets minutes that no ranking looks at, and events that cannot be told again.</summary>
    public async ValueTask SweepAsync(CancellationToken cancel)
    {
        var firstMinute = FirstMinuteKept();
        var firstId = Ids.FirstOf(UtcInstant.Now(time).Plus(-EventsKept));
        await database.WriteAsync(tx => RankingSql.DeleteMinutesAsync(tx, firstMinute), cancel);
        for (var deleted = RankingSql.SweepMax; deleted == RankingSql.SweepMax;)
        {
            deleted = await database.WriteAsync(tx => RankingSql.DeleteEventsAsync(tx, firstId), cancel);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => counting.DisposeAsync();

    private async ValueTask<IReadOnlyList<bool>> CountAsync(Tx tx, IReadOnlyList<Delivery<Sold>> batch)
    {
        var told = batch.Select(d => d.Message).DistinctBy(s => s.Id).OrderBy(s => s.Id).ToList();
        var news = await RankingSql.InsertAsync(tx, told);
        var counted = told.FindAll(s => news.Contains(s.Id));
        var lines = counted.SelectMany(s => s.Lines.Select(line => (s.AtMs, s.Minute, Line: line))).ToList();

        // In the order of their keys, like every writer. Older minutes than those kept would only be swept again.
        var firstMinute = FirstMinuteKept();
        RankingSql.Add(
            tx,
            [.. lines.Where(l => l.Minute >= firstMinute).GroupBy(l => (l.Minute, l.Line.ProductId)).OrderBy(g => g.Key)
                .Select(g => new MinuteCount(g.Key.Minute, g.Key.ProductId, g.Sum(l => l.Line.Units)))]);
        RankingSql.Add(
            tx,
            [.. lines.GroupBy(l => l.Line.ProductId).OrderBy(g => g.Key)
                .Select(g => (g.Key, g.Sum(l => l.Line.Units), g.Max(l => l.AtMs)))]);
        Offsets?.CommitWith(tx, batch.Select(d => d.Event));
        return new bool[batch.Count];
    }

    private long FirstMinuteKept() => Minutes.Of(UtcInstant.Now(time).Plus(-TimeSpan.FromDays(settings.DaysKept)).Ms);
}
