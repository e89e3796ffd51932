using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Orders;

/// <summary>What orders write to the log; schemas in docs/events.md.</summary>
public static class OrderEvents
{
    /// <summary>What Charges has to do, by buyer. Orders and merchants' own requests share it.</summary>
    public static readonly Topic PaymentRequests = new(1, "payment-requests", 10, 7);

    /// <summary>Orders that were confirmed or cancelled, by sale.</summary>
    public static readonly Topic DataPlatform = new(6, "data-platform-events", 6, 30);

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<Topic> Topics = [PaymentRequests, DataPlatform];

    /// <summary>Type of <see cref="OrderPayment"/> on <see cref="PaymentRequests"/>.</summary>
    public const string PaymentRequested = "order.payment-requested/1";

    /// <summary>Type of <see cref="OrderRefund"/> on <see cref="PaymentRequests"/>.</summary>
    public const string RefundRequested = "order.refund-requested/1";

    /// <summary>Type of <see cref="OrderFact"/> on <see cref="DataPlatform"/>: it is paid.</summary>
    public const string Confirmed = "order.confirmed/1";

    /// <summary>Type of <see cref="OrderFact"/> on <see cref="DataPlatform"/>: these lines were given back.</summary>
    public const string Cancelled = "order.cancelled/1";

    /// <summary>Asks for the payment of an order.</summary>
    public static NewEvent Of(OrderPayment payment) => new(
        PaymentRequests,
        new Buyer(payment.MerchantId, payment.UserId).ToString(),
        PaymentRequested,
        JsonSerializer.Serialize(payment, OrderEventsJson.Default.OrderPayment));

    /// <summary>Asks for money of an order to be given back.</summary>
    public static NewEvent Of(OrderRefund refund) => new(
        PaymentRequests,
        new Buyer(refund.MerchantId, refund.UserId).ToString(),
        RefundRequested,
        JsonSerializer.Serialize(refund, OrderEventsJson.Default.OrderRefund));

    /// <summary>Tells of lines that were sold or given back.</summary>
    public static NewEvent Of(string type, OrderFact fact) => new(
        DataPlatform, fact.SaleId.ToString(), type, JsonSerializer.Serialize(fact, OrderEventsJson.Default.OrderFact));

    /// <summary>What an event of <see cref="PaymentRequested"/> asks.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static OrderPayment ReadPayment(string payload) =>
        JsonSerializer.Deserialize(payload, OrderEventsJson.Default.OrderPayment)!;

    /// <summary>What an event of <see cref="RefundRequested"/> asks.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static OrderRefund ReadRefund(string payload) =>
        JsonSerializer.Deserialize(payload, OrderEventsJson.Default.OrderRefund)!;

    /// <summary>What an event on <see cref="DataPlatform"/> tells.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static OrderFact ReadFact(string payload) =>
        JsonSerializer.Deserialize(payload, OrderEventsJson.Default.OrderFact)!;
}

/// <summary>What one merchant gets of an order's payment, in minor units.</summary>
public sealed record OrderPart(string MerchantId, long Amount);

/// <summary>
/// The payment of an order: authorize and take in one step. The order made its id, so it is named from the first
/// answer on, and a repeat of this event is the same payment.
/// </summary>
/// <param name="PaymentId">The id of the payment to be made.</param>
/// <param name="OrderId">The order.</param>
/// <param name="MerchantId">The buyer's realm: <see cref="Buyer.Platform"/> or the merchant whose customer
/// buys.</param>
/// <param name="UserId">The buyer in that realm.</param>
/// <param name="Amount">The sum of the parts, in minor units.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="Method"><c>GATEWAY</c> or <c>WALLET</c>.</param>
/// <param name="IdempotencyKey">Unique among the realm's payments.</param>
/// <param name="Parts">Who earns how much of it; one for each merchant.</param>
/// <param name="NotAfterMs">No provider is asked for the first time after this moment: the order has expired.</param>
/// <param name="RequestedAtMs">When the buyer asked for it.</param>
public sealed record OrderPayment(
    Guid PaymentId,
    Guid OrderId,
    string MerchantId,
    string UserId,
    long Amount,
    string Currency,
    string Method,
    string IdempotencyKey,
    IReadOnlyList<OrderPart> Parts,
    long NotAfterMs,
    long RequestedAtMs);

/// <summary>Money of an order's payment to be given back, of one merchant's part.</summary>
/// <param name="OperationId">The id of the operation to be made; a repeat of this event is the same operation.</param>
/// <param name="PaymentId">The payment, whose success was seen before this was written.</param>
/// <param name="OrderId">The order.</param>
/// <param name="MerchantId">The buyer's realm, as in the payment.</param>
/// <param name="UserId">The buyer in that realm.</param>
/// <param name="PartMerchantId">From whose part.</param>
/// <param name="Amount">In minor units, at most what is left of that part.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="IdempotencyKey">Unique among the realm's operations.</param>
/// <param name="Reason"><c>cancelled</c> or <c>late_success</c>.</param>
/// <param name="RequestedAtMs">When.</param>
public sealed record OrderRefund(
    Guid OperationId,
    Guid PaymentId,
    Guid OrderId,
    string MerchantId,
    string UserId,
    string PartMerchantId,
    long Amount,
    string Currency,
    string IdempotencyKey,
    string Reason,
    long RequestedAtMs);

/// <summary>Lines of an order that were sold or given back.</summary>
public sealed record OrderFact(
    Guid OrderId,
    Guid SaleId,
    string MerchantId,
    string UserId,
    string Currency,
    IReadOnlyList<OrderFactLine> Lines,
    long AtMs);

/// <summary>One of them; the amount is of the whole line, in minor units.</summary>
public sealed record OrderFactLine(Guid ProductId, string MerchantId, int Quantity, long Amount);

/// <summary>Writes and reads them; fields of later versions are ignored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(OrderPayment))]
[JsonSerializable(typeof(OrderRefund))]
[JsonSerializable(typeof(OrderFact))]
internal sealed partial class OrderEventsJson : JsonSerializerContext;
