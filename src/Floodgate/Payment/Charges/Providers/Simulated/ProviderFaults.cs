using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Floodgate.Payment.Charges.Providers.Simulated;

/// <summary>
/// How a simulated provider misbehaves. All zero is a perfect provider; in JSON, what is left out is zero. Ratios are
/// chances per call from 0 to 1.
/// </summary>
internal sealed record ProviderFaults
{
    /// <summary>The longest latency that can be asked for, in milliseconds (ten minutes).</summary>
    public const int LatencyMsMax = 600_000;

    /// <summary>Time until the answer, in milliseconds, 0 to 600,000.</summary>
    public int LatencyMs { get; init; }

    /// <summary>Latency varies evenly by up to this many milliseconds either way; at most LatencyMs.</summary>
    public int LatencySpreadMs { get; init; }

    /// <summary>Time until the answer for calls that meet a peak, in milliseconds, 0 to 600,000.</summary>
    public int PeakLatencyMs { get; init; }

    /// <summary>The share of calls that meet a peak.</summary>
    public double PeakRatio { get; init; }

    /// <summary>The share of authorizations and charges that the issuer declines; decided by the call's id.</summary>
    public double DeclineRatio { get; init; }

    /// <summary>The share of calls refused at the door without effect.</summary>
    public double ErrorRatio { get; init; }

    /// <summary>The share of calls that have their effect but are never answered.</summary>
    public double TimeoutAfterSuccessRatio { get; init; }

    /// <summary>Every call is refused at the door without effect.</summary>
    public bool Outage { get; init; }

    /// <summary>
    /// Reads faults strictly: an unknown, repeated or wrongly typed field and a value out of range are refused, and
    /// <paramref name="problem"/> then says what is wrong with which field.
    /// </summary>
    public static bool TryParse(
        ReadOnlySpan<byte> json,
        [NotNullWhen(true)] out ProviderFaults? faults,
        out string problem)
    {
        try
        {
            faults = JsonSerializer.Deserialize(json, ProviderJsonContext.Default.ProviderFaults);
            problem = faults is null ? "Faults must be a JSON object, not null." : string.Join(' ', faults.Problems());
        }
        catch (JsonException broken)
        {
            faults = null;
            problem = $"Faults must be a JSON object of latencyMs, latencySpreadMs, peakLatencyMs (whole numbers), " +
                $"peakRatio, declineRatio, errorRatio, timeoutAfterSuccessRatio (numbers) and outage (true or false)" +
                $", each at most once; the mistake is at {broken.Path ?? "$"}, line {broken.LineNumber + 1}.";
        }

        faults = problem.Length == 0 ? faults : null;
        return faults is not null;
    }

    /// <summary>These faults as UTF-8 JSON, every field named.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ProviderJsonContext.Default.ProviderFaults);

    /// <summary>A sentence for each field that is out of its range; empty when all are fine.</summary>
    public IEnumerable<string> Problems()
    {
        (string Name, int Value)[] times =
            [("latencyMs", LatencyMs), ("latencySpreadMs", LatencySpreadMs), ("peakLatencyMs", PeakLatencyMs)];
        foreach (var (name, value) in times)
        {
            if (value is < 0 or > LatencyMsMax)
            {
                yield return $"{name} is {value}; it must be from 0 to {LatencyMsMax} milliseconds.";
            }
        }

        if (LatencySpreadMs > LatencyMs)
        {
            yield return $"latencySpreadMs is {LatencySpreadMs}; it must not exceed latencyMs, which is {LatencyMs}.";
        }

        (string Name, double Value)[] ratios =
        [
            ("peakRatio", PeakRatio), ("declineRatio", DeclineRatio), ("errorRatio", ErrorRatio),
            ("timeoutAfterSuccessRatio", TimeoutAfterSuccessRatio),
        ];
        foreach (var (name, value) in ratios)
        {
            if (!(value is >= 0 and <= 1))
            {
                yield return FormattableString.Invariant($"{name} is {value}; it must be from 0 to 1.");
            }
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false)]
[JsonSerializable(typeof(ProviderFaults))]
internal sealed partial class ProviderJsonContext : JsonSerializerContext;
