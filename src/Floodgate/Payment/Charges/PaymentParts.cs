using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Checkout.Orders;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Charges;

/// <summary>What one merchant gets of a payment and what was given back of it, in minor units.</summary>
/// <param name="MerchantId">Whose part.</param>
/// <param name="Amount">More than zero.</param>
public sealed record PaymentPart(string MerchantId, long Amount)
{
    /// <summary>What refunds have asked for and no answer has settled.</summary>
    public long Refunding { get; init; }

    /// <summary>What was given back, at most <see cref="Amount"/>.</summary>
    public long Refunded { get; init; }

    /// <summary>What a refund of a captured payment could still ask for.</summary>
    [JsonIgnore]
    public long Refundable => Amount - Refunded - Refunding;
}

/// <summary>The parts of a payment, one for each merchant; equal when their parts are.</summary>
public sealed class PaymentParts : IReadOnlyList<PaymentPart>, IEquatable<PaymentParts>
{
    private readonly PaymentPart[] parts;

    private PaymentParts(PaymentPart[] parts) => this.parts = parts;

    /// <inheritdoc/>
    public int Count => parts.Length;

    /// <summary>As it is stored: a compact JSON array.</summary>
    public string Text => JsonSerializer.Serialize(parts, PartsJson.Default.PaymentPartArray);

    /// <inheritdoc/>
    public PaymentPart this[int index] => parts[index];

    /// <summary>
    /// The parts that an order names; null when all of it goes to the payment's own merchant: nothing is split then.
    /// </summary>
    public static PaymentParts? Of(string merchantId, IReadOnlyList<OrderPart> parts) =>
        parts is [var only] && only.MerchantId == merchantId
            ? null
            : new PaymentParts([.. parts.Select(p => new PaymentPart(p.MerchantId, p.Amount))]);

    /// <summary>The parts of their stored text.</summary>
    public static PaymentParts? FromStored(string? text) => text is null
        ? null
        : new PaymentParts(JsonSerializer.Deserialize(text, PartsJson.Default.PaymentPartArray)!);

    /// <summary>The part of this merchant, or null.</summary>
    public PaymentPart? Find(string merchantId) => Array.Find(parts, p => p.MerchantId == merchantId);

    /// <summary>All parts after the change of one, which must be there.</summary>
    public PaymentParts With(string? merchantId, Func<PaymentPart, PaymentPart> change)
    {
        var index = Array.FindIndex(parts, p => p.MerchantId == merchantId);
        Invariant.Check(index >= 0, "a refund of a payment in parts names one of them");
        PaymentPart[] changed = [.. parts];
        changed[index] = change(changed[index]);
        return new(changed);
    }

    /// <summary>Checks that the parts are the payment, in each of its amounts.</summary>
    public void Check(Payment payment)
    {
        var (amount, refunding, refunded) = (0L, 0L, 0L);
        foreach (var part in parts)
        {
            Invariant.Check(part.Amount > 0 && part.Refunding >= 0 && part.Refunded >= 0, "parts are never negative");
            Invariant.Check(part.Refundable >= 0, "no more of a part is given back than it is");
            amount = checked(amount + part.Amount);
            refunding += part.Refunding;
            refunded += part.Refunded;
        }

        Invariant.Check(amount == payment.Request.Amount.AmountMinor, "the parts are the whole payment");
        Invariant.Check(payment.Captured == 0 || amount == payment.Captured, "a payment in parts is captured whole");
        Invariant.Check(refunding == payment.Refunding && refunded == payment.Refunded, "refunds are refunds of parts");
    }

    /// <inheritdoc/>
    public bool Equals(PaymentParts? other) => other is not null && parts.AsSpan().SequenceEqual(other.parts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PaymentParts);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(parts.Length, parts[0]);

    /// <inheritdoc/>
    public IEnumerator<PaymentPart> GetEnumerator() => ((IEnumerable<PaymentPart>)parts).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>How parts are stored.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(PaymentPart[]))]
internal sealed partial class PartsJson : JsonSerializerContext;
