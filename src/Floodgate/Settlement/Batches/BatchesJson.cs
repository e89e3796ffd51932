using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>The body of <c>POST /v1/settlements</c>.</summary>
internal sealed record SettlementBody(string Date);

/// <summary>A tier of a policy's body.</summary>
internal sealed record TierBody(long FromVolume, int BasisPoints);

/// <summary>The body of <c>POST /v1/commission-policies</c>.</summary>
internal sealed record PolicyBody(
    int BasisPoints,
    string ValidFrom,
    string? ValidUntil = null,
    string? MerchantId = null,
    string? ProductClass = null,
    string? Currency = null,
    long Fixed = 0,
    long Min = 0,
    long? Max = null,
    IReadOnlyList<TierBody>? Tiers = null);

/// <summary>The body of <c>PUT /v1/commission-policies/{id}</c>.</summary>
internal sealed record PolicyEndBody(string? ValidUntil);

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SettlementBody))]
[JsonSerializable(typeof(PolicyBody))]
[JsonSerializable(typeof(PolicyEndBody))]
internal sealed partial class BatchesBodies : JsonSerializerContext;

/// <summary>What the tables keep as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(VolumeTier[]))]
internal sealed partial class BatchesStored : JsonSerializerContext;

/// <summary>Runs, payouts, statements and policies as the API shows them.</summary>
internal static class BatchesJson
{
    /// <summary>The first line of a statement as CSV.</summary>
    public const string CsvHead = "kind,payment_id,event_id,line,order_id,class,amount,fee,net,at\r\n";

    /// <summary>Tiers as they are stored.</summary>
    public static string Text(IReadOnlyList<VolumeTier> tiers) =>
        JsonSerializer.Serialize([.. tiers], BatchesStored.Default.VolumeTierArray);

    /// <summary>Stored tiers.</summary>
    public static IReadOnlyList<VolumeTier> Tiers(string text) =>
        JsonSerializer.Deserialize(text, BatchesStored.Default.VolumeTierArray)!;

    /// <summary>A run with the sums of its payouts so far; null where they are not asked for.</summary>
    public static void Write(Utf8JsonWriter json, (SettlementRun Run, IReadOnlyList<SettlementTotals>? Totals) value)
    {
        json.WriteStartObject();
        WriteFields(json, value.Run);
        if (value.Totals is { } totals)
        {
            json.WriteStartArray("totals");
            foreach (var of in totals)
            {
                json.WriteStartObject();
                json.WriteString("currency", of.Currency);
                json.WriteNumber("captured", of.Captured);
                json.WriteNumber("refunded", of.Refunded);
                json.WriteNumber("fee", of.Fee);
                json.WriteNumber("feeReturned", of.FeeReturned);
                json.WriteNumber("carriedIn", of.CarriedIn);
                json.WriteNumber("amount", of.Amount);
                json.WriteNumber("carriedOut", of.CarriedOut);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    /// <summary>A run's own fields.</summary>
    public static void WriteFields(Utf8JsonWriter json, SettlementRun run)
    {
        json.WriteString("date", Days.Text(run.Day));
        json.WriteString("status", NameOf(run.State));
        json.WriteNumber("ranges", run.Ranges);
        json.WriteNumber("rangesDone", run.RangesDone);
        json.WriteNumber("lines", run.Lines);
        json.WriteNumber("linesDone", run.LinesDone);
        json.WriteNumber("payouts", run.Payouts);
        json.WriteString("openedAt", new UtcInstant(run.OpenedMs).ToString());
        json.WriteString("settledAt", run.SettledMs == 0 ? null : new UtcInstant(run.SettledMs).ToString());
    }

    /// <summary>A run's state in the words of the API.</summary>
    public static string NameOf(RunState state) => state switch
    {
        RunState.Planning => "PLANNING",
        RunState.Running => "RUNNING",
        _ => "SETTLED",
    };

    /// <summary>A payout.</summary>
    public static void Write(Utf8JsonWriter json, Payout payout)
    {
        json.WriteStartObject();
        WriteFields(json, payout);
        json.WriteEndObject();
    }

    /// <summary>A page of a statement.</summary>
    public static void Write(
        Utf8JsonWriter json, (Payout Payout, IReadOnlyList<StatementLine> Lines, bool HasMore) page)
    {
        json.WriteStartObject();
        json.WriteStartObject("payout");
        WriteFields(json, page.Payout);
        json.WriteEndObject();
        json.WriteStartArray("data");
        foreach (var line in page.Lines)
        {
            Write(json, line);
        }

        json.WriteEndArray();
        json.WriteBoolean("has_more", page.HasMore);
        json.WriteEndObject();
    }

    /// <summary>A policy.</summary>
    public static void Write(Utf8JsonWriter json, CommissionPolicy policy)
    {
        json.WriteStartObject();
        json.WriteString("id", policy.Id);
        json.WriteString("merchantId", policy.Scope.MerchantId);
        json.WriteString("productClass", policy.Scope.ProductClass);
        json.WriteString("currency", policy.Scope.Currency);
        json.WriteNumber("basisPoints", policy.Terms.BasisPoints);
        json.WriteNumber("fixed", policy.Terms.Fixed);
        json.WriteNumber("min", policy.Terms.FeeMin);
        if (policy.Terms.FeeMax is { } most)
        {
            json.WriteNumber("max", most);
        }
        else
        {
            json.WriteNull("max");
        }

        json.WriteStartArray("tiers");
        foreach (var tier in policy.Terms.Tiers)
        {
            json.WriteStartObject();
            json.WriteNumber("fromVolume", tier.FromVolume);
            json.WriteNumber("basisPoints", tier.BasisPoints);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("validFrom", Days.Text(policy.ValidFrom));
        json.WriteString("validUntil", policy.ValidUntil is { } until ? Days.Text(until) : null);
        json.WriteEndObject();
    }

    /// <summary>A line of a statement as CSV (RFC 4180).</summary>
    public static void WriteCsv(StringBuilder csv, StatementLine line) => csv
        .Append(line.IsRefund ? "REFUND," : "CAPTURE,").Append(line.PaymentId).Append(',').Append(line.EventId)
        .Append(',').Append(line.Number).Append(',').Append(Quoted(line.OrderId)).Append(',')
        .Append(Quoted(line.Class)).Append(',').Append(line.IsRefund ? -line.Amount : line.Amount).Append(',')
        .Append(line.Fee).Append(',').Append(line.Net).Append(',').Append(new UtcInstant(line.AtMs)).Append("\r\n");

    /// <summary>What is carried over, as a line, so that the column of nets adds up to the payout.</summary>
    public static void WriteCarriedCsv(StringBuilder csv, string kind, long net) =>
        csv.Append(kind).Append(",,,,,,,,").Append(net).Append(",\r\n");

    private static void WriteFields(Utf8JsonWriter json, Payout payout)
    {
        var net = payout.Net;
        json.WriteString("id", payout.Id);
        json.WriteString("merchantId", net.Account.MerchantId);
        json.WriteString("date", Days.Text(payout.Day));
        json.WriteString("currency", net.Account.Currency);
        json.WriteNumber("captures", net.Captures);
        json.WriteNumber("refunds", net.Refunds);
        json.WriteNumber("captured", net.Captured);
        json.WriteNumber("refunded", net.Refunded);
        json.WriteNumber("fee", net.Fee);
        json.WriteNumber("feeReturned", net.FeeReturned);
        json.WriteNumber("carriedIn", payout.CarriedIn);
        json.WriteNumber("amount", payout.Amount);
        json.WriteNumber("carriedOut", payout.CarriedOut);
        json.WriteString("createdAt", new UtcInstant(payout.CreatedMs).ToString());
    }

    private static void Write(Utf8JsonWriter json, StatementLine line)
    {
        json.WriteStartObject();
        json.WriteString("cursor", $"{line.EventId}.{line.Number}");
        json.WriteString("kind", line.IsRefund ? "REFUND" : "CAPTURE");
        json.WriteString("paymentId", line.PaymentId);
        json.WriteString("eventId", line.EventId);
        json.WriteNumber("line", line.Number);
        json.WriteString("orderId", line.OrderId);
        json.WriteString("class", line.Class);
        json.WriteNumber("amount", line.IsRefund ? -line.Amount : line.Amount);
        json.WriteNumber("fee", line.Fee);
        json.WriteNumber("net", line.Net);
        json.WriteString("at", new UtcInstant(line.AtMs).ToString());
        json.WriteEndObject();
    }

    // A merchant's own words may hold anything. What begins like a formula would be run by a spreadsheet.
    private static string Quoted(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "";
        }

        var safe = text[0] is '=' or '+' or '-' or '@' ? $"'{text}" : text;
        return safe.AsSpan().ContainsAny(',', '"', '\n') || safe.Contains('\r')
            ? $"\"{safe.Replace("\"", "\"\"")}\""
            : safe;
    }
}
