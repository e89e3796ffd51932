using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Storage.Log;

namespace Floodgate.Settlement.Batches;

/// <summary>What settlements write to the log; schemas in docs/events.md.</summary>
public static class BatchesEvents
{
    /// <summary>Payouts, by merchant.</summary>
    public static readonly Topic Settled = new(7, "payment.settled", 1, 30);

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<Topic> Topics = [Settled];

    internal static NewEvent Of(Payout payout) => new(
        Settled,
        payout.Net.Account.MerchantId,
        Settled.Name + "/1",
        JsonSerializer.Serialize(
            new SettledFact(
                payout.Id, payout.Net.Account.MerchantId, Days.Text(payout.Day), payout.Net.Account.Currency,
                payout.Net.Captures, payout.Net.Refunds, payout.Net.Captured, payout.Net.Refunded, payout.Net.Fee,
                payout.Net.FeeReturned, payout.CarriedIn, payout.Amount, payout.CarriedOut, payout.CreatedMs),
            SettledFactJson.Default.SettledFact));
}

/// <summary>A payout as it is told; amounts in minor units.</summary>
internal sealed record SettledFact(
    Guid PayoutId,
    string MerchantId,
    string Date,
    string Currency,
    long Captures,
    long Refunds,
    long Captured,
    long Refunded,
    long Fee,
    long FeeReturned,
    long CarriedIn,
    long Amount,
    long CarriedOut,
    long AtMs);

/// <summary>Writes it.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(SettledFact))]
internal sealed partial class SettledFactJson : JsonSerializerContext;
