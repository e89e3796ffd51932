using System.Text.Json.Serialization;

namespace Floodgate.Load.Target;

/// <summary>An amount in minor units.</summary>
internal sealed record WireMoney(long Amount, string Currency);

/// <summary>A payment as the API lists it; amounts in minor units.</summary>
internal sealed record WirePayment(
    Guid Id,
    string Status,
    WireMoney Amount,
    long Authorized,
    long Captured,
    long Refunded,
    string? Method,
    string? OrderId);

/// <summary>One line of the provider's own statement.</summary>
internal sealed record WireStatementLine(string Id, Guid PaymentId, string Kind, WireMoney Amount, string Status);

/// <summary>A page of payments.</summary>
internal sealed record PaymentPage(
    IReadOnlyList<WirePayment> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>A page of the statement.</summary>
internal sealed record StatementPage(
    IReadOnlyList<WireStatementLine> Data, [property: JsonPropertyName("has_more")] bool HasMore);

/// <summary>How far processing is behind; all final when lag + due = 0.</summary>
internal sealed record WireLag(long Lag, long Due, long InFlight, long InFlightMax, bool Paused)
{
    /// <summary>Payments and operations that are not final yet.</summary>
    public long Remaining => Lag + Due;
}

/// <summary>One of the server's own invariants.</summary>
internal sealed record WireInvariant(string Name, bool Holds, string? Detail);

/// <summary>The server's view of its own invariants.</summary>
internal sealed record WireInvariants(bool Holds, IReadOnlyList<WireInvariant> Checks);

/// <summary>One provider's circuit breaker.</summary>
internal sealed record WireBreaker(string Provider, string State, long OpenedCount);

/// <summary>All breakers.</summary>
internal sealed record WireBreakers(IReadOnlyList<WireBreaker> Breakers);

/// <summary>A merchant just created; the key is shown this once.</summary>
internal sealed record WireMerchant(string MerchantId, string Key);

/// <summary>The name of a merchant to create.</summary>
internal sealed record WireMerchantRequest(string Name);

/// <summary>How the load tool reads the server's JSON: camelCase, unknown members are ignored.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PaymentPage))]
[JsonSerializable(typeof(StatementPage))]
[JsonSerializable(typeof(WireLag))]
[JsonSerializable(typeof(WireInvariants))]
[JsonSerializable(typeof(WireBreakers))]
[JsonSerializable(typeof(WireMerchant))]
[JsonSerializable(typeof(WireMerchantRequest))]
internal sealed partial class ServerJson : JsonSerializerContext;
