using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Load.Target;

namespace Floodgate.Load.Settle;

/// <summary>The settlement of a day as the API shows it.</summary>
internal sealed record WireSettlement(
    string Date, string Status, long Ranges, long RangesDone, long Lines, long LinesDone, long Payouts)
{
    /// <summary>True at its end.</summary>
    public bool IsSettled => Status == "SETTLED";
}

/// <summary>A payout as the API lists it; amounts in minor units.</summary>
internal sealed record WirePayout(
    Guid Id,
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
    long CarriedOut);

/// <summary>A page of payouts.</summary>
internal sealed record PayoutPage(
    IReadOnlyList<WirePayout> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A line of a payout's statement; a refund's amount is less than zero.</summary>
internal sealed record WirePayoutLine(
    string Cursor, string Kind, Guid PaymentId, Guid EventId, long Line, string Class, long Amount, long Fee, long Net);

/// <summary>A page of a payout's statement.</summary>
internal sealed record PayoutStatementPage(
    IReadOnlyList<WirePayoutLine> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A policy to be made.</summary>
internal sealed record NewPolicyBody(
    string ProductClass,
    string? Currency,
    int BasisPoints,
    long Fixed,
    long Min,
    long? Max,
    IReadOnlyList<FeeTier> Tiers,
    string ValidFrom);

/// <summary>A policy that was made.</summary>
internal sealed record WirePolicy(Guid Id);

/// <summary>The part of the API about settlements, one method per call.</summary>
internal sealed class SettleApi(ApiClient client)
{
    private const int PageLimit = 1000;

    /// <summary>Closes a day and has it settled; the same again finds what is there.</summary>
    public Task<WireSettlement> SettleAsync(string date, CancellationToken cancel) => client.PostAsync(
        new ApiPost("/v1/settlements", $"{{\"date\":\"{date}\"}}"), SettleJson.Default.WireSettlement, cancel);

    /// <summary>How far a day is.</summary>
    public Task<WireSettlement> FindAsync(string date, CancellationToken cancel) =>
        client.GetAsync($"/v1/settlements/{date}", SettleJson.Default.WireSettlement, cancel);

    /// <summary>Makes a policy that holds from a day on.</summary>
    public Task<WirePolicy> CreatePolicyAsync(NewPolicyBody policy, CancellationToken cancel) => client.PostAsync(
        new ApiPost("/v1/commission-policies", JsonSerializer.Serialize(policy, SettleJson.Default.NewPolicyBody)),
        SettleJson.Default.WirePolicy,
        cancel);

    /// <summary>Every payout on the server, page by page.</summary>
    public async IAsyncEnumerable<WirePayout> AllPayoutsAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        PayoutPage page;
        var after = "";
        do
        {
            page = await client.GetAsync(
                $"/v1/payouts?limit={PageLimit}{after}", SettleJson.Default.PayoutPage, cancel);
            foreach (var payout in page.Data)
            {
                yield return payout;
                after = $"&starting_after={payout.Id}";
            }
        }
        while (page is { HasMore: true, Data.Count: > 0 });
    }

    /// <summary>Every line of a payout, page by page.</summary>
    public async IAsyncEnumerable<WirePayoutLine> StatementAsync(
        Guid payout, [EnumeratorCancellation] CancellationToken cancel)
    {
        PayoutStatementPage page;
        var after = "";
        do
        {
            page = await client.GetAsync(
                $"/v1/payouts/{payout}/statement?limit={PageLimit}{after}",
                SettleJson.Default.PayoutStatementPage,
                cancel);
            foreach (var line in page.Data)
            {
                yield return line;
                after = $"&starting_after={Uri.EscapeDataString(line.Cursor)}";
            }
        }
        while (page is { HasMore: true, Data.Count: > 0 });
    }
}

/// <summary>How this part of the API is read and written: camelCase, unknown members are ignored.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(WireSettlement))]
[JsonSerializable(typeof(PayoutPage))]
[JsonSerializable(typeof(PayoutStatementPage))]
[JsonSerializable(typeof(NewPolicyBody))]
[JsonSerializable(typeof(WirePolicy))]
internal sealed partial class SettleJson : JsonSerializerContext;
