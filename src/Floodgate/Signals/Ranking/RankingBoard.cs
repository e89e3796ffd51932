using System.Collections.Concurrent;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Signals.Ranking;

/// <summary>
/// The rankings as everybody reads them, from memory: read again from the counted minutes once a second while anybody
/// asks, on every node alike, so that a node that counts nothing ranks too and a restart loses nothing.
/// </summary>
/// <exception cref="DatabaseUnavailableException">
/// From each of its members: the database is away for longer than an answer may be old.</exception>
public sealed class RankingBoard
{
    /// <summary>The most products of one ranking.</summary>
    public const int ProductsMax = 100;

    private static readonly Dictionary<Guid, List<FastSeller>> NoSales = [];

    private readonly Database database;
    private readonly RankingSettings settings;
    private readonly TimeProvider time;
    private readonly Kept<Fast> fast;
    private readonly ConcurrentDictionary<int, Kept<List<TopSeller>>> tops = new();

    public RankingBoard(Database database, RankingSettings settings, TimeProvider time)
    {
        this.database = database;
        this.settings = settings;
        this.time = time;
        fast = new(ReadFastAsync, time);
    }

    /// <summary>
    /// The products that sell fastest now, of one sale or, with null, of all; at most <see cref="ProductsMax"/>. Ties
    /// by id. Products of which nothing was sold in the window, net of what was given back, are not in it.
    /// </summary>
    public async ValueTask<IReadOnlyList<FastSeller>> FastAsync(Guid? saleId, int limit)
    {
        var now = await fast.GetAsync();
        var all = saleId is { } sale ? now.BySale.GetValueOrDefault(sale) ?? [] : now.All;
        return all[..Math.Min(all.Count, limit)];
    }

    /// <summary>The products of which most was sold in so many days, net of what was given back in them.</summary>
    /// <param name="days">1 to <see cref="RankingSettings.DaysKept"/>.</param>
    /// <param name="limit">How many, at most <see cref="ProductsMax"/>.</param>
    public async ValueTask<IReadOnlyList<TopSeller>> TopAsync(int days, int limit)
    {
        Invariant.Check(days >= 1 && days <= settings.DaysKept, "only days that are kept are ranked");
        var top = await tops.GetOrAdd(days, d => new(() => ReadTopAsync(d), time)).GetAsync();
        return top[..Math.Min(top.Count, limit)];
    }

    /// <summary>The ranking of counted minutes at a moment; pure, for the board and its tests.</summary>
    internal static List<FastSeller> Rank(
        IEnumerable<(long Minute, RankedProduct Product, long Units)> counts, long nowMs, int windowMinutes) =>
    [
        .. counts.GroupBy(count => count.Product.ProductId)
            .Select(group => new FastSeller(
                group.First().Product,
                group.Sum(count => count.Units * Minutes.Covered(count.Minute, nowMs, windowMinutes))))
            .Where(seller => seller.WeightedMs > 0)
            .OrderByDescending(seller => seller.WeightedMs).ThenBy(seller => seller.Product.ProductId),
    ];

    private async Task<Fast> ReadFastAsync()
    {
        var nowMs = UtcInstant.Now(time).Ms;
        var firstMinute = Minutes.FirstOf(nowMs, settings.WindowMinutes);
        var counts = await database.ReadAsync(tx => RankingSql.SelectMinutesAsync(tx, firstMinute));
        var ranked = Rank(counts, nowMs, settings.WindowMinutes);
        return new(
            ranked[..Math.Min(ranked.Count, ProductsMax)],
            ranked.Count == 0 ? NoSales : ranked.GroupBy(seller => seller.Product.SaleId)
                .ToDictionary(group => group.Key, group => group.Take(ProductsMax).ToList()));
    }

    private Task<List<TopSeller>> ReadTopAsync(int days)
    {
        var firstMinute = Minutes.Of(UtcInstant.Now(time).Plus(-TimeSpan.FromDays(days)).Ms);
        return database.ReadAsync(tx => RankingSql.SelectTopAsync(tx, firstMinute, ProductsMax)).AsTask();
    }

    private sealed record Fast(List<FastSeller> All, Dictionary<Guid, List<FastSeller>> BySale);
}

/// <summary>
/// One answer, kept. After a second it is read again behind while it is still given; after two it is waited for; while
/// the database is away it is given until it is ten seconds old. One read at a time.
/// </summary>
internal sealed class Kept<T>(Func<Task<T>> read, TimeProvider time)
    where T : class
{
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WaitedForAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(10);

    // All under the gate.
    private readonly Lock gate = new();
    private T? answer;
    private long answeredAt;
    private Task<T>? reading;

    /// <summary>The answer.</summary>
    public async ValueTask<T> GetAsync()
    {
        Task<T> next;
        T? kept;
        TimeSpan age;
        lock (gate)
        {
            (kept, age) = (answer, time.GetElapsedTime(answeredAt));
            if (kept is not null && age < FreshFor)
            {
                return kept;
            }

            next = reading ??= Task.Run(ReadOnceAsync);
        }

        if (kept is not null && age < WaitedForAfter)
        {
            return kept;
        }

        try
        {
            return await next;
        }
        catch (DatabaseUnavailableException) when (kept is not null && age < AgeMax)
        {
            return kept;
        }
    }

    private async Task<T> ReadOnceAsync()
    {
        try
        {
            var at = time.GetTimestamp(); // From before the read: the answer is at least that old.
            var found = await read();
            lock (gate)
            {
                (answer, answeredAt) = (found, at);
            }

            return found;
        }
        finally
        {
            lock (gate)
            {
                reading = null;
            }
        }
    }
}
