using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>
/// Checks what editors send, from routes and from files, and makes terms of it. A fault is a whole sentence that names
/// the field, its value and what is allowed.
/// </summary>
internal static class CatalogRequests
{
    public const long PriceMax = 1_000_000_000_000;
    public const long StockMax = 1_000_000_000;
    public const int TiersMax = 50;
    public const int RowsMax = 5_000;
    public const int LimitPerBuyerMax = 1_000_000;
    private const int NameLengthMax = 100;
    private const int PlaceLengthMax = 20;

    /// <summary>The terms of a sale; null with a fault.</summary>
    public static SaleTerms? Read(SaleBody body, string? merchantId, out string? fault)
    {
        fault = FaultOfName("name", body.Name, NameLengthMax);
        if (fault is null && body.EndsAt <= body.OpensAt)
        {
            fault = $"endsAt is {Show(body.EndsAt)}, which is not after opensAt ({Show(body.OpensAt)}).";
        }

        if (!Currency.TryParse(body.Currency, out var currency))
        {
            fault ??= $"currency is {body.Currency}; it must be a code of ISO 4217 in capitals, such as KRW.";
        }

        return fault is null
            ? new SaleTerms(
                merchantId, body.Name, currency, body.OpensAt.ToUnixTimeMilliseconds(),
                body.EndsAt.ToUnixTimeMilliseconds())
            : null;
    }

    /// <summary>A product to be made for a merchant; null with a fault.</summary>
    public static NewProduct? Read(ProductBody body, string merchantId, out string? fault)
    {
        var terms = Terms(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass, out fault);
        IReadOnlyList<SeatRow> rows =
            [.. (body.Seats ?? []).Select(row => new SeatRow(row.Section, row.Row, row.Seats, row.Tier))];
        fault ??= FaultOfAmount(body, rows) ?? FaultOfRows(rows, terms!);
        return fault is null ? new NewProduct(body.SaleId, merchantId, terms!, body.Stock ?? 0, rows) : null;
    }

    /// <summary>The changed terms of a product; null with a fault.</summary>
    public static ProductTerms? Read(ProductChangeBody body, out string? fault) =>
        Terms(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass, out fault);

    private static ProductTerms? Terms(
        string name,
        long? price,
        IReadOnlyList<TierBody>? tiers,
        int? limitPerBuyer,
        string commissionClass,
        out string? fault)
    {
        fault = FaultOfName("name", name, NameLengthMax)
            ?? FaultOfName("commissionClass", commissionClass, PlaceLengthMax)
            ?? FaultOfTiers(price, tiers);
        if (fault is null && limitPerBuyer is < 1 or > LimitPerBuyerMax)
        {
            fault = $"limitPerBuyer is {limitPerBuyer}; it must be from 1 to {LimitPerBuyerMax}, or left out.";
        }

        return fault is not null ? null : new ProductTerms(
            name,
            price is { } one
                ? [new("standard", one)]
                : [.. tiers!.Select(tier => new PriceTier(tier.Name, tier.Amount))],
            limitPerBuyer,
            commissionClass);
    }

    private static string? FaultOfTiers(long? price, IReadOnlyList<TierBody>? tiers)
    {
        if (price is null == tiers is null)
        {
            return "Give either price (one price for all) or tiers.";
        }

        if (tiers is { Count: 0 or > TiersMax })
        {
            return $"tiers has {tiers.Count} entries; it must have from 1 to {TiersMax}.";
        }

        foreach (var (n, tier) in (tiers ?? [new("standard", price ?? 0)]).Index())
        {
            if (FaultOfName($"tiers[{n}].name", tier.Name, PlaceLengthMax) is { } fault)
            {
                return fault;
            }

            if (tier.Amount is < 1 or > PriceMax)
            {
                var field = price is null ? $"tiers[{n}].amount" : "price";
                return $"{field} is {tier.Amount}; it must be from 1 to {PriceMax}, in minor units.";
            }
        }

        return tiers is not null && tiers.DistinctBy(tier => tier.Name).Count() < tiers.Count
            ? "tiers has a name twice; give each price a name of its own."
            : null;
    }

    private static string? FaultOfAmount(ProductBody body, IReadOnlyList<SeatRow> rows) =>
        body.Stock is null == (body.Seats is null) ? "Give either stock (like units) or seats (rows of them)."
        : body.Stock is < 0 or > StockMax ? $"stock is {body.Stock}; it must be from 0 to {StockMax}."
        : body.Stock is not null && body.Tiers is { Count: > 1 } ? "Stock has one price: give price instead of tiers."
        : body.Seats is not null && rows.Count is 0 or > RowsMax
            ? $"seats has {rows.Count} rows; it must have from 1 to {RowsMax}."
        : null;

    private static string? FaultOfRows(IReadOnlyList<SeatRow> rows, ProductTerms terms)
    {
        var tiers = terms.Tiers.Select(tier => tier.Name).ToHashSet();
        var places = new HashSet<(string, string)>();
        foreach (var (n, row) in rows.Index())
        {
            var fault = FaultOfPlace($"seats[{n}].section", row.Section) ?? FaultOfPlace($"seats[{n}].row", row.Name);
            if (fault is not null)
            {
                return fault;
            }

            if (row.Seats is < 1 or > SeatRow.SeatsMax)
            {
                return $"seats[{n}].seats is {row.Seats}; it must be from 1 to {SeatRow.SeatsMax}.";
            }

            if (!tiers.Contains(row.Tier))
            {
                return $"seats[{n}].tier is {row.Tier}, which is not the name of one of tiers.";
            }

            if (!places.Add((row.Section, row.Name)))
            {
                return $"seats[{n}] is row {row.Name} of section {row.Section} a second time.";
            }
        }

        return null;
    }

    // A seat is written SECTION-ROW-NUMBER, so the parts have no hyphen.
    private static string? FaultOfPlace(string field, string place) =>
        FaultOfName(field, place, PlaceLengthMax)
        ?? (place.Contains('-') ? $"{field} is {place}; it must have no hyphen: seats are named with them." : null);

    private static string? FaultOfName(string field, string name, int lengthMax) =>
        name.Length > lengthMax || string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl)
            ? $"{field} must have 1 to {lengthMax} printable characters."
            : null;

    private static string Show(DateTimeOffset moment) => new UtcInstant(moment.ToUnixTimeMilliseconds()).ToString();
}
