using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Catalog;

/// <summary>Where a sale stands; the clock decides, nothing has to run at the moment.</summary>
public enum SaleState
{
    /// <summary>Not open yet: buyers may look, and gather in the waiting room.</summary>
    Scheduled,

    /// <summary>Open: holds are taken.</summary>
    Active,

    /// <summary>Over: no new holds; what is held may still be paid.</summary>
    Ended,
}

/// <summary>What is said of a sale.</summary>
/// <param name="MerchantId">
/// Whose it is; null for the platform's own, to which operators add any merchant's products.</param>
/// <param name="Name">For people.</param>
/// <param name="Currency">Of every price in it, so that one order is one payment.</param>
/// <param name="OpensMs">From when on holds are taken.</param>
/// <param name="EndsMs">Until when; later than it opens.</param>
public sealed record SaleTerms(string? MerchantId, string Name, Currency Currency, long OpensMs, long EndsMs);

/// <summary>A sale as it is stored.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Terms">What is said of it.</param>
/// <param name="Version">1 at first, one more with each change.</param>
/// <param name="Ref">What its owner's files call it; null unless it was imported.</param>
public sealed record Sale(Guid Id, SaleTerms Terms, long Version, string? Ref = null)
{
    /// <summary>Where it stands at this moment.</summary>
    public SaleState StateAt(UtcInstant now) => now.Ms < Terms.OpensMs ? SaleState.Scheduled
        : now.Ms < Terms.EndsMs ? SaleState.Active
        : SaleState.Ended;

    /// <summary>A state as the API shows it.</summary>
    public static string NameOf(SaleState state) => state switch
    {
        SaleState.Scheduled => "SCHEDULED",
        SaleState.Active => "ACTIVE",
        _ => "ENDED",
    };
}

/// <summary>What is counted in a product.</summary>
public enum ProductKind
{
    /// <summary>Like units; one price.</summary>
    Stock,

    /// <summary>Numbered seats in rows; a price for each tier.</summary>
    Seats,
}

/// <summary>A price by name; the only one of stock is <c>standard</c>.</summary>
/// <param name="Name">Unique in its product.</param>
/// <param name="Amount">In minor units of the sale's currency.</param>
public sealed record PriceTier(string Name, long Amount);

/// <summary>Seats side by side, numbered from 1.</summary>
/// <param name="Section">The part of the house.</param>
/// <param name="Name">Unique in its section.</param>
/// <param name="Seats">How many.</param>
/// <param name="Tier">The name of their price.</param>
public sealed record SeatRow(string Section, string Name, int Seats, string Tier)
{
    /// <summary>The longest row.</summary>
    public const int SeatsMax = 200;
}

/// <summary>What is said of a product and may change.</summary>
/// <param name="Name">For people.</param>
/// <param name="Tiers">Its prices. Those that rows refer to stay.</param>
/// <param name="LimitPerBuyer">How many one buyer may hold and own together; null for no limit.</param>
/// <param name="CommissionClass">Which of the commission policies applies.</param>
public sealed record ProductTerms(
    string Name, IReadOnlyList<PriceTier> Tiers, int? LimitPerBuyer, string CommissionClass);

/// <summary>A product as it is stored.</summary>
/// <param name="Id">Its id.</param>
/// <param name="SaleId">Its sale.</param>
/// <param name="MerchantId">Who is paid for it.</param>
/// <param name="Kind">What is counted.</param>
/// <param name="Capacity">How many there are at the beginning; for seats, all of them.</param>
/// <param name="Terms">What may change.</param>
/// <param name="IsWithdrawn">True when nothing more of it is sold.</param>
/// <param name="Version">1 at first, one more with each change.</param>
/// <param name="Ref">What files call it within its sale; null unless it was imported.</param>
public sealed record Product(
    Guid Id,
    Guid SaleId,
    string MerchantId,
    ProductKind Kind,
    long Capacity,
    ProductTerms Terms,
    bool IsWithdrawn,
    long Version,
    string? Ref = null);
