using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Checkout.Catalog;
using Floodgate.Vocabulary;

namespace Floodgate.Checkout.Admission;

/// <summary>The body of <c>POST /v1/sales/{id}/queue</c>: merchants' keys name their customer.</summary>
internal sealed record JoinBody(string? UserId = null);

/// <summary>
/// The body of <c>PUT /v1/sales/{id}/waiting-room</c>. What is left out takes its default. What <c>GET</c> shows beside
/// the settings may be sent back and is not looked at.
/// </summary>
internal sealed record RoomBody(
    bool Enabled = true,
    bool Paused = false,
    int? ActiveMax = null,
    int? PassSeconds = null,
    int? RatePerSecondMin = null,
    int? RatePerSecondMax = null,
    long? Version = null,
    string? SaleId = null,
    long? Waiting = null,
    long? Active = null,
    long? Admitted = null,
    double? RatePerSecond = null,
    string? LimitedBy = null);

/// <summary>Strict reading of these bodies.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(JoinBody))]
[JsonSerializable(typeof(RoomBody))]
internal sealed partial class AdmissionBodies : JsonSerializerContext;

/// <summary>A ticket as its owner gets it.</summary>
/// <param name="View">The ticket.</param>
/// <param name="Pass">Its pass while it is active.</param>
/// <param name="PollAfterMs">When to ask again; null when nothing can change any more.</param>
internal readonly record struct TicketAnswer(TicketView View, string? Pass, int? PollAfterMs);

/// <summary>Tickets and rooms as the API shows them.</summary>
internal static class AdmissionJson
{
    /// <summary>A ticket.</summary>
    public static void Write(Utf8JsonWriter json, TicketAnswer answer)
    {
        var view = answer.View;
        json.WriteStartObject();
        json.WriteString("ticket", view.Ticket.Id);
        json.WriteString("saleId", view.Terms.SaleId);
        json.WriteString("userId", view.Buyer.AsSpan(view.Buyer.IndexOf('/') + 1));
        json.WriteString("state", TicketStates.NameOf(view.Ticket.State));
        WriteNumber(json, "position", view.Position > 0 ? view.Position : null);
        WriteNumber(json, "ahead", view.Position > 0 ? view.Position - 1 : null);
        WriteNumber(json, "estimatedWaitSeconds", view.WaitSeconds);
        if (view.Waiting is { } waiting)
        {
            json.WriteNumber("waiting", waiting);
        }

        if (answer.Pass is { } pass)
        {
            json.WriteString("pass", pass);
            json.WriteString("passExpiresAt", new UtcInstant(view.Ticket.ExpiresMs).ToString());
        }

        WriteSale(json, view);
        WriteNumber(json, "pollAfterMs", answer.PollAfterMs);
        json.WriteEndObject();
    }

    /// <summary>A room with its figures, where they are known.</summary>
    public static void Write(Utf8JsonWriter json, (Guid SaleId, RoomRules Rules, long Version, RoomFigures? Now) room)
    {
        json.WriteStartObject();
        json.WriteString("saleId", room.SaleId);
        json.WriteBoolean("enabled", room.Rules.IsEnabled);
        json.WriteBoolean("paused", room.Rules.IsPaused);
        json.WriteNumber("activeMax", room.Rules.ActiveMax);
        json.WriteNumber("passSeconds", room.Rules.PassSeconds);
        json.WriteNumber("ratePerSecondMin", room.Rules.PerSecondMin);
        json.WriteNumber("ratePerSecondMax", room.Rules.PerSecondMax);
        json.WriteNumber("version", room.Version);
        WriteNumber(json, "waiting", room.Now?.Waiting);
        WriteNumber(json, "active", room.Now?.Active);
        WriteNumber(json, "admitted", room.Now?.Admitted);
        if (room.Now is { } now)
        {
            json.WriteNumber("ratePerSecond", Math.Round(now.RatePerSecond, 1));
            json.WriteString("limitedBy", NameOf(now.Brake));
        }
        else
        {
            json.WriteNull("ratePerSecond");
            json.WriteNull("limitedBy");
        }

        json.WriteEndObject();
    }

    private static void WriteSale(Utf8JsonWriter json, TicketView view)
    {
        json.WriteStartObject("sale");
        json.WriteString(
            "state", view is { IsSoldOut: true, State: SaleState.Active } ? "SOLD_OUT" : Sale.NameOf(view.State));
        json.WriteString("opensAt", new UtcInstant(view.Terms.OpensMs).ToString());
        json.WriteNumber("capacity", view.Stock.Capacity);
        json.WriteNumber("available", view.Stock.Available);
        json.WriteNumber("held", view.Stock.Held);
        json.WriteNumber("sold", view.Stock.Sold);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static string NameOf(AdmissionBrake brake) => brake switch
    {
        AdmissionBrake.Paused => "PAUSED",
        AdmissionBrake.SoldOut => "SOLD_OUT",
        AdmissionBrake.ActiveMax => "ACTIVE_MAX",
        AdmissionBrake.Payments => "PAYMENTS",
        AdmissionBrake.Stock => "STOCK",
        _ => "NONE",
    };
}
