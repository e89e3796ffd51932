using System.Text.Json;
using System.Text.Json.Serialization;

namespace Floodgate.Payment.Charges;

/// <summary>What came of a payment or of one of its operations: final, told once, delivered at least once.</summary>
/// <param name="PaymentId">The payment.</param>
/// <param name="OperationId">The operation; null when this is the payment's own first answer.</param>
/// <param name="Kind">The operation's kind.</param>
/// <param name="MerchantId">Whose payment: of an order, the buyer's realm.</param>
/// <param name="UserId">The customer, if named.</param>
/// <param name="OrderId">The order, if named.</param>
/// <param name="Status">The payment after this.</param>
/// <param name="OperationStatus">Succeeded or Failed; null without an operation.</param>
/// <param name="FailReason">Why it failed: a stable code.</param>
/// <param name="ProcessedAtMs">When it was recorded.</param>
/// <param name="Amount">What the operation moves, in minor units; null without an operation.</param>
/// <param name="PartMerchantId">Whose part an order's refund gave back.</param>
public sealed record PaymentResult(
    Guid PaymentId,
    Guid? OperationId,
    OperationKind? Kind,
    string MerchantId,
    string? UserId,
    string? OrderId,
    PaymentState Status,
    OperationState? OperationStatus,
    string? FailReason,
    long ProcessedAtMs,
    long? Amount,
    string? PartMerchantId)
{
    /// <summary>Reads one.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    internal static PaymentResult Read(string payload)
    {
        var line = JsonSerializer.Deserialize(payload, ResultLineJson.Default.ResultLine);
        if (line is not { MerchantId: not null, Status: not null } || line.PaymentId == Guid.Empty
            || (line.OperationId is null) != (line.OperationStatus is null || line.Kind is null))
        {
            throw new JsonException("paymentId, merchantId, status, kind or operationStatus is missing");
        }

        try
        {
            return new(
                line.PaymentId,
                line.OperationId,
                line.Kind is { } kind ? Words.Kind(kind) : null,
                line.MerchantId,
                line.UserId,
                line.OrderId,
                Words.State(line.Status),
                line.OperationStatus is { } status ? Words.OperationState(status) : null,
                line.FailReason,
                line.ProcessedAt.ToUnixTimeMilliseconds(),
                line.Amount,
                line.PartMerchantId);
        }
        catch (InvalidOperationException error)
        {
            throw new JsonException(error.Message, error);
        }
    }
}

/// <summary>A result as it is written; fields of later versions are ignored.</summary>
internal sealed record ResultLine(
    Guid PaymentId,
    Guid? OperationId,
    string? Kind,
    string? MerchantId,
    string? UserId,
    string? OrderId,
    string? Status,
    string? OperationStatus,
    string? FailReason,
    DateTimeOffset ProcessedAt,
    long? Amount,
    string? PartMerchantId);

/// <summary>Reads it.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ResultLine))]
internal sealed partial class ResultLineJson : JsonSerializerContext;
