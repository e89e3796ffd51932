using System.Text.Json;
using Floodgate.Access;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Results;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>The operator's desk: what must hold, how far processing is, dead letters.</summary>
internal sealed class DeskHttp(Database database, PaymentChecks payments, DeadLetters letters)
{
    private static readonly ProblemKind LetterNotOpen = new(
        409, "dead_letter_not_open", "No open dead letter has this id.");

    private const int PageMax = 200;

    // A whole check at a time: a second caller waits for it rather than doubling the load.
    private readonly SemaphoreSlim checking = new(1);

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/ops/invariants", Who.Admin, ShowInvariantsAsync);
        routes.Map("GET", "/v1/ops/lag", Who.Admin, ShowLagAsync);
        routes.Map("GET", "/v1/ops/dead-letters", Who.Admin, ListAsync);
        routes.Map("POST", "/v1/ops/dead-letters/{id}/replay", Who.Admin, ReplayAsync);
        routes.Map("POST", "/v1/ops/dead-letters/{id}/discard", Who.Admin, DiscardAsync);
    }

    private async Task ShowInvariantsAsync(HttpContext context, Caller caller)
    {
        await checking.WaitAsync(context.RequestAborted);
        IReadOnlyList<InvariantCheck> checks;
        try
        {
            checks = await database.ReadSnapshotAsync(CheckAsync, context.RequestAborted);
        }
        finally
        {
            checking.Release();
        }

        await Answer.WriteAsync(context, 200, checks, static (json, checks) =>
        {
            json.WriteStartObject();
            json.WriteBoolean("holds", checks.All(c => c.Holds));
            json.WriteStartArray("checks");
            foreach (var check in checks)
            {
                json.WriteStartObject();
                json.WriteString("name", check.Name);
                json.WriteBoolean("holds", check.Holds);
                json.WriteString("detail", check.Detail);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(Tx tx) =>
    [
        .. await payments.CheckAsync(tx),
        .. await OrderChecks.CheckAsync(tx),
        .. await ResultChecks.CheckAsync(tx),
        .. await SettlementChecks.CheckAsync(tx),
    ];

    private async Task ShowLagAsync(HttpContext context, Caller caller)
    {
        var (progress, lags) = await database.ReadAsync(
            async tx => (await payments.ProgressAsync(tx), await EmbeddedLog.LagsAsync(tx)), context.RequestAborted);
        await Answer.WriteAsync(context, 200, (progress, lags), static (json, value) =>
        {
            var (progress, lags) = value;
            json.WriteStartObject();
            json.WriteNumber("lag", progress.Lag);
            json.WriteNumber("due", progress.Due);
            json.WriteNumber("inFlight", progress.InFlight);
            json.WriteNumber("inFlightMax", progress.InFlightMax);
            json.WriteBoolean("paused", progress.IsPaused);
            json.WriteStartArray("groups");
            foreach (var group in lags.GroupBy(lag => lag.Group))
            {
                Write(json, group);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        var state = context.Request.Query.TryGetValue("state", out var asked) ? (string?)asked : "OPEN";
        if (state is not ("OPEN" or "REPLAYED" or "DISCARDED"))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "state must be OPEN, REPLAYED or DISCARDED.");
            return;
        }

        if (await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            var found = await letters.ListAsync(state, paging.After, context.RequestAborted);
            var page = found[..Math.Min(found.Count, paging.Limit)];
            // No more than a page is read: behind a full one there may be more, and the next page tells.
            await Answer.WritePageAsync(
                context, page, found.Count > page.Count || found.Count == PageMax, Write);
        }
    }

    private Task ReplayAsync(HttpContext context, Caller caller) => CloseAsync(context, letters.ReplayAsync);

    private Task DiscardAsync(HttpContext context, Caller caller) => CloseAsync(
        context, (id, cancel) => letters.DiscardAsync(id, payments.DiscardedAsync, cancel));

    private static async Task CloseAsync(
        HttpContext context, Func<Guid, CancellationToken, ValueTask<DeadLetter?>> close)
    {
        var letter = Guid.TryParseExact((string?)context.Request.RouteValues["id"], "D", out var id)
            ? await close(id, context.RequestAborted)
            : null;
        await (letter is null
            ? Problem.WriteAsync(context, LetterNotOpen, "It was replayed or discarded before, or the id is wrong.")
            : Answer.WriteAsync(context, 200, letter, Write));
    }

    private static void Write(Utf8JsonWriter json, IGrouping<string, TopicLag> group)
    {
        json.WriteStartObject();
        json.WriteString("group", group.Key);
        json.WriteStartArray("topics");
        foreach (var lag in group)
        {
            json.WriteStartObject();
            json.WriteString("topic", lag.Topic);
            json.WriteNumber("lag", lag.Lag);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("lag", group.Sum(lag => lag.Lag));
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, DeadLetter letter)
    {
        json.WriteStartObject();
        json.WriteString("id", letter.Id);
        json.WriteString("group", letter.Group);
        json.WriteString("topic", letter.Topic);
        json.WriteNumber("partition", letter.Partition);
        json.WriteNumber("offset", letter.Offset);
        json.WriteString("key", letter.Key);
        json.WriteString("type", letter.Type);
        json.WriteString("payload", letter.Payload);
        json.WriteString("error", letter.Error);
        json.WriteNumber("attempts", letter.Attempts);
        json.WriteString("state", letter.State);
        json.WriteString("at", new UtcInstant(letter.AtMs).ToString());
        json.WriteEndObject();
    }
}
