using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>What is wrong with a field: together a whole sentence with its value and what is allowed.</summary>
internal readonly record struct FieldFault(string Field, string Says)
{
    public override string ToString() => $"{Field} {Says}";
}

/// <summary>Checks what editors send, from routes and from files, and makes terms of it.</summary>
internal static class CatalogRequests
{
    public const long StockMax = 1_000_000_000;
    public const int TiersMax = 50;
    public const int RowsMax = 5_000;
    public const int LimitPerBuyerMax = 1_000_000;
    private const int NameLengthMax = 100;
    private const int PlaceLengthMax = 20;

    /// <summary>The terms of a sale; null with a fault.</summary>
    public static SaleTerms? Read(SaleBody body, string? merchantId, out string? fault) =>
        IsGood(FaultsOf(body), out fault) ? TermsOf(body, merchantId) : null;

    /// <summary>A product to be made for a merchant; null with a fault.</summary>
    public static NewProduct? Read(ProductBody body, string merchantId, out string? fault) =>
        IsGood(FaultsOf(body), out fault) ? ProductOf(body, merchantId) : null;

    /// <summary>The changed terms of a product; null with a fault.</summary>
    public static ProductTerms? Read(ProductChangeBody body, out string? fault) =>
        IsGood(FaultsOfTerms(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass), out fault)
            ? TermsOf(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass)
            : null;

    /// <summary>All that is wrong with a sale.</summary>
    public static IEnumerable<FieldFault> FaultsOf(SaleBody body)
    {
        if (FaultOfName("name", body.Name, NameLengthMax) is { } name)
        {
            yield return name;
        }

        if (body.EndsAt <= body.OpensAt)
        {
            yield return new("endsAt", $"is {Show(body.EndsAt)}, which is not after opensAt ({Show(body.OpensAt)}).");
        }

        if (!Currency.TryParse(body.Currency, out _))
        {
            yield return new(
                "currency", $"is {body.Currency}; it must be a code of ISO 4217 in capitals, such as KRW.");
        }
    }

    /// <summary>All that is wrong with a product.</summary>
    public static IEnumerable<FieldFault> FaultsOf(ProductBody body) =>
    [
        .. FaultsOfTerms(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass),
        .. FaultOfAmount(body) is { } amount ? [amount] : Array.Empty<FieldFault>(),
        .. FaultsOfRows(body.Seats ?? [], body.Price is null ? body.Tiers ?? [] : [new("standard", 0)]),
    ];

    /// <summary>The terms of a sale without faults.</summary>
    public static SaleTerms TermsOf(SaleBody body, string? merchantId) => new(
        merchantId, body.Name, Currency.FromStored(body.Currency), body.OpensAt.ToUnixTimeMilliseconds(),
        body.EndsAt.ToUnixTimeMilliseconds());

    /// <summary>A product without faults.</summary>
    public static NewProduct ProductOf(ProductBody body, string merchantId) => new(
        body.SaleId,
        merchantId,
        TermsOf(body.Name, body.Price, body.Tiers, body.LimitPerBuyer, body.CommissionClass),
        body.Stock ?? 0,
        [.. (body.Seats ?? []).Select(row => new SeatRow(row.Section, row.Row, row.Seats, row.Tier))]);

    private static bool IsGood(IEnumerable<FieldFault> faults, out string? fault)
    {
        fault = faults.Select(found => found.ToString()).FirstOrDefault();
        return fault is null;
    }

    private static ProductTerms TermsOf(
        string name, long? price, IReadOnlyList<TierBody>? tiers, int? limitPerBuyer, string commissionClass) => new(
        name,
        price is { } one ? [new("standard", one)] : [.. tiers!.Select(tier => new PriceTier(tier.Name, tier.Amount))],
        limitPerBuyer,
        commissionClass);

    private static IEnumerable<FieldFault> FaultsOfTerms(
        string name, long? price, IReadOnlyList<TierBody>? tiers, int? limitPerBuyer, string commissionClass)
    {
        FieldFault?[] faults =
        [
            FaultOfName("name", name, NameLengthMax),
            FaultOfName("commissionClass", commissionClass, PlaceLengthMax),
            limitPerBuyer is < 1 or > LimitPerBuyerMax
                ? new("limitPerBuyer", $"is {limitPerBuyer}; it must be from 1 to {LimitPerBuyerMax}, or left out.")
                : null,
        ];
        return [.. FaultsOfTiers(price, tiers), .. faults.OfType<FieldFault>()];
    }

    private static IEnumerable<FieldFault> FaultsOfTiers(long? price, IReadOnlyList<TierBody>? tiers)
    {
        if (price is null == tiers is null)
        {
            yield return new("price", "(one price for all) or tiers must be given, and not both.");
            yield break;
        }

        if (tiers is { Count: 0 or > TiersMax })
        {
            yield return new("tiers", $"has {tiers.Count} entries; it must have from 1 to {TiersMax}.");
            yield break;
        }

        if (price is { } one && FaultOfPrice("price", one) is { } wrong)
        {
            yield return wrong;
        }

        var names = new HashSet<string>();
        foreach (var (n, tier) in (tiers ?? []).Index())
        {
            var fault = FaultOfName($"tiers[{n}].name", tier.Name, PlaceLengthMax)
                ?? FaultOfPrice($"tiers[{n}].amount", tier.Amount)
                ?? (names.Add(tier.Name) ? null
                    : new($"tiers[{n}].name", $"is {tier.Name} a second time; give each price a name of its own."));
            if (fault is { } found)
            {
                yield return found;
            }
        }
    }

    private static FieldFault? FaultOfPrice(string field, long amount) => amount is < 1 or > Money.PaymentMinorMax
        ? new(field, $"is {amount}; it must be from 1 to {Money.PaymentMinorMax}, in minor units.")
        : null;

    private static FieldFault? FaultOfAmount(ProductBody body) =>
        body.Stock is null == (body.Seats is null)
            ? new("stock", "(like units) or seats (rows of them) must be given, and not both.")
        : body.Stock is < 0 or > StockMax ? new("stock", $"is {body.Stock}; it must be from 0 to {StockMax}.")
        : body.Stock is not null && body.Tiers is { Count: > 1 }
            ? new("tiers", "has several prices, but stock has one: give price instead.")
        : body.Seats is { Count: 0 or > RowsMax }
            ? new("seats", $"has {body.Seats.Count} rows; it must have from 1 to {RowsMax}.")
        : null;

    private static IEnumerable<FieldFault> FaultsOfRows(
        IReadOnlyList<SeatRowBody> rows, IReadOnlyList<TierBody> tiers)
    {
        var names = tiers.Select(tier => tier.Name).ToHashSet();
        var places = new HashSet<(string, string)>();
        foreach (var (n, row) in rows.Index())
        {
            var fault = FaultOfPlace($"seats[{n}].section", row.Section)
                ?? FaultOfPlace($"seats[{n}].row", row.Row)
                ?? (row.Seats is < 1 or > SeatRow.SeatsMax
                        ? new($"seats[{n}].seats", $"is {row.Seats}; it must be from 1 to {SeatRow.SeatsMax}.")
                    : !names.Contains(row.Tier)
                        ? new($"seats[{n}].tier", $"is {row.Tier}, which is not the name of one of tiers.")
                    : !places.Add((row.Section, row.Row))
                        ? new($"seats[{n}].row", $"is row {row.Row} of section {row.Section} a second time.")
                    : null);
            if (fault is { } found)
            {
                yield return found;
            }
        }
    }

    // A seat is written SECTION-ROW-NUMBER, so the parts have no hyphen.
    private static FieldFault? FaultOfPlace(string field, string place) =>
        FaultOfName(field, place, PlaceLengthMax)
        ?? (place.Contains('-')
            ? new(field, $"is {place}; it must have no hyphen: seats are named with them.")
            : null);

    private static FieldFault? FaultOfName(string field, string name, int lengthMax) =>
        Names.FaultOf(name, lengthMax) is { } fault ? new(field, $"{fault}.") : null;

    private static string Show(DateTimeOffset moment) => new UtcInstant(moment.ToUnixTimeMilliseconds()).ToString();
}
