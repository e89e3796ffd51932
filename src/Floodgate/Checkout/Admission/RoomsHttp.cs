using Floodgate.Access;
using Floodgate.Checkout.Catalog;

namespace Floodgate.Checkout.Admission;

/// <summary>The routes of merchants and operators: a sale's waiting room, its figures, pause and resume.</summary>
internal sealed class RoomsHttp(RoomBook book, WaitingRooms rooms, AdmissionSettings settings)
{
    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        const string room = "/v1/sales/{id}/waiting-room";
        routes.Map("GET", room, Who.MerchantOrAdmin, ShowAsync);
        routes.Map("PUT", room, Who.MerchantOrAdmin, SaveAsync);
        routes.Map("POST", $"{room}/pause", Who.MerchantOrAdmin, (c, who) => PauseAsync(c, who, isPaused: true));
        routes.Map("POST", $"{room}/resume", Who.MerchantOrAdmin, (c, who) => PauseAsync(c, who, isPaused: false));
    }

    private RoomRules Defaults => new(
        IsEnabled: false,
        IsPaused: false,
        settings.ActiveMax,
        settings.PassSeconds,
        settings.RatePerSecondMin,
        settings.RatePerSecondMax);

    private async Task ShowAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is { } id)
        {
            await AnswerAsync(context, id, await book.FindAsync(new(caller.MerchantId), id, context.RequestAborted));
        }
    }

    private async Task SaveAsync(HttpContext context, Caller caller)
    {
        if (await ReadIdAsync(context) is not { } id
            || await Body.ReadAsync(context, AdmissionBodies.Default.RoomBody) is not { } body)
        {
            return;
        }

        if (Read(body, out var rules) is { } fault)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault);
            return;
        }

        var saved = await book.SaveAsync(new(caller.MerchantId), id, rules, body.Version, context.RequestAborted);
        await AnswerAsync(context, id, saved);
    }

    private async Task PauseAsync(HttpContext context, Caller caller, bool isPaused)
    {
        if (await ReadIdAsync(context) is { } id)
        {
            await AnswerAsync(
                context, id, await book.PauseAsync(new(caller.MerchantId), id, isPaused, context.RequestAborted));
        }
    }

    private Task AnswerAsync(HttpContext context, Guid id, ChangedRoom room) => room.Outcome switch
    {
        RoomOutcome.NotFound => RefuseUnknownAsync(context),
        RoomOutcome.NoRoom => Problem.WriteAsync(
            context, AdmissionProblems.NoWaitingRoom, "Make one with PUT /v1/sales/{id}/waiting-room."),
        RoomOutcome.VersionConflict => Problem.WriteAsync(
            context, AdmissionProblems.RoomConflict, "Read it again, and send your change with that version."),
        _ => Answer.WriteAsync(
            context,
            200,
            (id, room.Terms?.Rules ?? Defaults, room.Terms?.Version ?? 0,
                rooms.ServesLines ? rooms.Find(id)?.Figures() : null),
            AdmissionJson.Write),
    };

    /// <summary>Rules from a body; null, or what is wrong.</summary>
    private string? Read(RoomBody body, out RoomRules rules)
    {
        rules = new(
            body.Enabled,
            body.Paused,
            body.ActiveMax ?? settings.ActiveMax,
            body.PassSeconds ?? settings.PassSeconds,
            body.RatePerSecondMin ?? settings.RatePerSecondMin,
            body.RatePerSecondMax ?? settings.RatePerSecondMax);
        return FaultOf("activeMax", rules.ActiveMax, AdmissionSettings.ActiveMaxMax)
            ?? FaultOf("passSeconds", rules.PassSeconds, AdmissionSettings.PassSecondsMax)
            ?? FaultOf("ratePerSecondMin", rules.PerSecondMin, AdmissionSettings.RateMax)
            ?? FaultOf("ratePerSecondMax", rules.PerSecondMax, AdmissionSettings.RateMax)
            ?? (rules.PerSecondMin <= rules.PerSecondMax
                ? null
                : $"ratePerSecondMin is {rules.PerSecondMin}, which is more than ratePerSecondMax "
                    + $"({rules.PerSecondMax}).");
    }

    private static string? FaultOf(string field, int value, int max) =>
        value >= 1 && value <= max ? null : $"{field} is {value}; it must be from 1 to {max}.";

    private static async ValueTask<Guid?> ReadIdAsync(HttpContext context)
    {
        if (Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id))
        {
            return id;
        }

        await RefuseUnknownAsync(context);
        return null;
    }

    private static Task RefuseUnknownAsync(HttpContext context) => Problem.WriteAsync(
        context, Problems.NotFound, "There is no such sale, or it is another merchant's. Check the id.");
}
