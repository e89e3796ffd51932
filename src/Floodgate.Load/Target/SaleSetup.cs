using System.Globalization;

namespace Floodgate.Load.Target;

/// <summary>Rows of equally many seats in one section, named <c>A-001-1</c> and so on.</summary>
internal sealed record SeatBlock(int Rows, int SeatsPerRow)
{
    /// <summary>All seats.</summary>
    public int Count => Rows * SeatsPerRow;

    /// <summary>The name of a seat by its place, from 0.</summary>
    public string NameOf(int place) => string.Create(
        CultureInfo.InvariantCulture, $"A-{(place / SeatsPerRow) + 1:D3}-{(place % SeatsPerRow) + 1}");

    /// <summary>The rows as the API takes them.</summary>
    public IReadOnlyList<NewSeatRow> Body => [.. Enumerable.Range(1, Rows).Select(row =>
        new NewSeatRow("A", row.ToString("D3", CultureInfo.InvariantCulture), SeatsPerRow, "standard"))];

    /// <summary>Reads <c>ROWSxSEATS</c>, such as 100x80; null when it is not that.</summary>
    public static SeatBlock? Read(string text) => text.Split('x') is [var rows, var seats]
        && int.TryParse(rows, NumberStyles.None, CultureInfo.InvariantCulture, out var r) && r is >= 1 and <= 250
        && int.TryParse(seats, NumberStyles.None, CultureInfo.InvariantCulture, out var s) && s is >= 1 and <= 200
            ? new SeatBlock(r, s)
            : null;
}

/// <summary>A product to set up: <paramref name="Units"/> alike, or the seats of a block.</summary>
internal sealed record ProductSpec(long Units, SeatBlock? Seats = null)
{
    /// <summary>The price of one, in minor units.</summary>
    public const long PriceMinor = 10_000;

    /// <summary>How many there are.</summary>
    public long Capacity => Seats?.Count ?? Units;

    /// <summary>How many one buyer may have; null for any.</summary>
    public int? LimitPerBuyer { get; init; }

    /// <summary>Who sells it; null for the merchant of <c>--key</c>.</summary>
    public string? MerchantId { get; init; }
}

/// <summary>A sale to set up.</summary>
/// <param name="Products">What is in it.</param>
/// <param name="OpensInSeconds">When it opens; 0 = it is open.</param>
/// <param name="OfMerchant">False for a sale of the platform, with products of several merchants.</param>
internal sealed record SaleSpec(
    IReadOnlyList<ProductSpec> Products, double OpensInSeconds = 0, bool OfMerchant = true)
{
    /// <summary>Tells several sales of one run apart; empty for the only one.</summary>
    public string Name { get; init; } = "";
}

/// <summary>A sale as it was set up; products in the order of the plan.</summary>
internal sealed record SaleOnSite(Guid Id, DateTimeOffset OpensAt, IReadOnlyList<Guid> Products);

/// <summary>Sets up what a run sells, all of it named after the run.</summary>
internal sealed class SaleSetup(Session session)
{
    private const int CreatesAtOnce = 8;
    private static readonly TimeSpan Length = TimeSpan.FromDays(1);
    private readonly SaleApi api = session.Api.Sales;

    /// <summary>Makes the sale and its products.</summary>
    public async Task<SaleOnSite> CreateAsync(SaleSpec spec, CancellationToken cancel)
    {
        session.Tell($"setting up a sale with {spec.Products.Count} products");
        var now = session.Time.GetUtcNow();
        var opens = spec.OpensInSeconds > 0 ? now.AddSeconds(spec.OpensInSeconds) : now.AddMinutes(-1);
        var name = $"Load {session.RunId} {spec.Name}".TrimEnd();
        var body = new NewSaleBody(name, Traffic.Workload.Currency, opens, now + Length);
        var sale = await api.CreateSaleAsync(body, spec.OfMerchant, $"{session.RunId}-sale{spec.Name}", cancel);
        var ids = new Guid[spec.Products.Count];
        await Parallel.ForAsync(
            0,
            ids.Length,
            new ParallelOptions { MaxDegreeOfParallelism = CreatesAtOnce, CancellationToken = cancel },
            async (i, stop) => ids[i] = (await api.CreateProductAsync(
                Body(sale.Id, spec.Products[i], i), $"{session.RunId}-product{spec.Name}-{i}", stop)).Id);
        return new SaleOnSite(sale.Id, opens, ids);
    }

    /// <summary>
    /// Fills the wallets of buyers 0 to <paramref name="count"/> - 1 of this run, and waits until the money is there.
    /// </summary>
    public async Task FillWalletsAsync(
        int count, long amountMinor, string merchantKey, CancellationToken cancel)
    {
        session.Tell($"filling {count} wallets with {amountMinor} each");
        await Parallel.ForAsync(
            0,
            count,
            new ParallelOptions { MaxDegreeOfParallelism = 4 * CreatesAtOnce, CancellationToken = cancel },
            async (i, stop) => await api.TopUpAsync(
                merchantKey, Buyers.NameOf(session.RunId, i), amountMinor, $"{session.RunId}-top-up-{i}", stop));
        var settled = await BacklogWatch.UntilFinalAsync(session, TimeSpan.FromMinutes(2), null, cancel);
        if (!settled.Completed)
        {
            throw new CannotRunException("The wallets were not filled after 2 minutes: is processing paused?");
        }
    }

    private NewProductBody Body(Guid saleId, ProductSpec spec, int number)
    {
        var tiers = spec.Seats is null ? null : (NewTier[])[new NewTier("standard", ProductSpec.PriceMinor)];
        return new NewProductBody(
            saleId,
            $"Load {session.RunId} {number}",
            spec.MerchantId,
            spec.Seats is null ? spec.Units : null,
            spec.Seats is null ? ProductSpec.PriceMinor : null,
            tiers,
            spec.Seats?.Body,
            spec.LimitPerBuyer);
    }
}

/// <summary>The customers that a run invents.</summary>
internal static class Buyers
{
    /// <summary>Buyer number <paramref name="number"/> of a run.</summary>
    public static string NameOf(string runId, int number) =>
        string.Create(CultureInfo.InvariantCulture, $"u-{runId}-{number:D9}");

    /// <summary>The same in a template; the number goes into this place.</summary>
    public static string Place(string runId, int place) =>
        string.Create(CultureInfo.InvariantCulture, $"u-{runId}-<n{place}>");
}
