using System.Text.Json.Serialization;

namespace Floodgate.Load.Target;

/// <summary>A sale as the API shows it.</summary>
internal sealed record WireSale(Guid Id, string Name, string Currency, DateTimeOffset OpensAt, string State);

/// <summary>A product as the API shows it.</summary>
internal sealed record WireProduct(
    Guid Id, Guid SaleId, string MerchantId, string Kind, long Capacity, int? LimitPerBuyer);

/// <summary>What is left of a product.</summary>
internal sealed record WireStock(Guid ProductId, string Kind, long Capacity, long Available, long Held, long Sold);

/// <summary>What is left of a sale.</summary>
internal sealed record WireAvailability(Guid SaleId, IReadOnlyList<WireStock> Products);

/// <summary>
/// A row of seats; <paramref name="Free"/> has a 1 for each seat that is free and a 0 for the others.
/// </summary>
internal sealed record WireSeatRow(string Section, string Row, string Tier, string Free);

/// <summary>The seats of a product.</summary>
internal sealed record WireSeats(Guid ProductId, IReadOnlyList<WireSeatRow> Rows);

/// <summary>A line of an order; <paramref name="Amount"/> is of the whole line, in minor units.</summary>
internal sealed record WireOrderLine(
    Guid ProductId, string MerchantId, int Quantity, IReadOnlyList<string>? Seats, long Amount, string Status);

/// <summary>An order as the API shows it.</summary>
internal sealed record WireOrder(
    Guid Id,
    Guid SaleId,
    string UserId,
    string Status,
    WireMoney Amount,
    WireMoney? Refunded,
    IReadOnlyList<WireOrderLine> Lines,
    Guid? PaymentId,
    string? Method,
    string? FailReason,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset ChangedAt);

/// <summary>A ticket of the waiting room.</summary>
internal sealed record WireTicket(
    Guid Ticket,
    string? UserId,
    string State,
    long? Position,
    long? Ahead,
    double? EstimatedWaitSeconds,
    string? Pass,
    DateTimeOffset? PassExpiresAt,
    int? PollAfterMs);

/// <summary>How the waiting room of a sale is set.</summary>
internal sealed record WireWaitingRoom(
    bool Enabled, bool Paused, int ActiveMax, int PassSeconds, int RatePerSecondMin, int RatePerSecondMax);

/// <summary>Who was signed up.</summary>
internal sealed record WireUser(Guid UserId);

/// <summary>An access token.</summary>
internal sealed record WireSession(string AccessToken);

/// <summary>An answer of which nothing is read.</summary>
internal sealed record WireNothing;

/// <summary>A page of sales.</summary>
internal sealed record SalePage(IReadOnlyList<WireSale> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A page of products.</summary>
internal sealed record ProductPage(
    IReadOnlyList<WireProduct> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A page of orders.</summary>
internal sealed record OrderPage(IReadOnlyList<WireOrder> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A price of a new product.</summary>
internal sealed record NewTier(string Name, long Amount);

/// <summary>Seats side by side of a new product.</summary>
internal sealed record NewSeatRow(string Section, string Row, int Seats, string Tier);

/// <summary>A product to be made.</summary>
internal sealed record NewProductBody(
    Guid SaleId,
    string Name,
    string? MerchantId,
    long? Stock,
    long? Price,
    IReadOnlyList<NewTier>? Tiers,
    IReadOnlyList<NewSeatRow>? Seats,
    int? LimitPerBuyer);

/// <summary>A sale to be made.</summary>
internal sealed record NewSaleBody(string Name, string Currency, DateTimeOffset OpensAt, DateTimeOffset EndsAt);

/// <summary>How the load tool reads and writes the JSON of sales.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SalePage))]
[JsonSerializable(typeof(WireSale))]
[JsonSerializable(typeof(WireProduct))]
[JsonSerializable(typeof(ProductPage))]
[JsonSerializable(typeof(OrderPage))]
[JsonSerializable(typeof(WireOrder))]
[JsonSerializable(typeof(WireAvailability))]
[JsonSerializable(typeof(WireSeats))]
[JsonSerializable(typeof(WireTicket))]
[JsonSerializable(typeof(WireWaitingRoom))]
[JsonSerializable(typeof(WireUser))]
[JsonSerializable(typeof(WireSession))]
[JsonSerializable(typeof(WireNothing))]
[JsonSerializable(typeof(NewProductBody))]
[JsonSerializable(typeof(NewSaleBody))]
internal sealed partial class SaleJson : JsonSerializerContext;
