using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Floodgate.Access;
using Floodgate.Storage.Coordination;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;
using Microsoft.AspNetCore.Http.Features;

namespace Floodgate.Settlement.Reconciliation;

/// <summary>Reconciliations, statements and findings, for operators.</summary>
internal sealed class ReconciliationHttp(
    Reconciler reconciler, StatementBook statements, JobBoard jobs, ReconciliationSettings settings)
{
    private const int PageMax = 200;
    private const int NoteMax = 1_000;

    private static readonly Guid Newest = new("ffffffff-ffff-ffff-ffff-ffffffffffff");

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/reconciliations", Who.Admin, AskAsync);
        routes.Map("POST", "/v1/reconciliations/statements", Who.Admin, UploadAsync);
        routes.Map("GET", "/v1/reconciliations", Who.Admin, ListAsync);
        routes.Map("GET", "/v1/reconciliations/{id}", Who.Admin, ShowAsync);
        routes.Map("GET", "/v1/reconciliations/{id}/findings", Who.Admin, ListFindingsAsync);
        routes.Map("GET", "/v1/findings", Who.Admin, ListByStateAsync);
        routes.Map("POST", "/v1/findings/{id}/explain", Who.Admin, (c, _) => CloseAsync(c, FindingState.Explained));
        routes.Map("POST", "/v1/findings/{id}/resolve", Who.Admin, (c, _) => CloseAsync(c, FindingState.Resolved));
    }

    /// <summary>Writes a reconciliation.</summary>
    public static void Write(Utf8JsonWriter json, ReconciliationRun run)
    {
        json.WriteStartObject();
        WriteFields(json, run);
        json.WriteEndObject();
    }

    /// <summary>Writes its fields.</summary>
    public static void WriteFields(Utf8JsonWriter json, ReconciliationRun run)
    {
        json.WriteString("id", run.Id);
        json.WriteString("state", run.State);
        json.WriteString("from", new UtcInstant(run.Window.FromMs).ToString());
        json.WriteString("until", new UtcInstant(run.Window.UntilMs).ToString());
        json.WriteBoolean("deep", run.IsDeep);
        json.WriteString("requestedAt", new UtcInstant(run.RequestedMs).ToString());
        json.WriteString("endedAt", run.EndedMs == 0 ? null : new UtcInstant(run.EndedMs).ToString());
        json.WriteBoolean("balanced", run.IsBalanced);
        json.WriteString("totals", run.Totals);
        json.WriteNumber("compared", run.Compared);
        json.WriteNumber("matched", run.Matched);
        json.WriteNumber("findings", run.Findings);
        json.WriteString("detail", run.Detail.Trim());
    }

    private async Task AskAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key
            || await Body.ReadAsync(context, ReconciliationJson.Default.ReconciliationBody) is not { } body)
        {
            return;
        }

        if (!TryRead(body.From, out var from) || !TryRead(body.Until, out var until) || until <= from)
        {
            await Problem.WriteAsync(context, Problems.InvalidField,
                "from and until are moments such as 2030-01-31T00:00:00Z, and until is after from.");
            return;
        }

        var (run, isReplay) = await reconciler.AskAsync(
            $"asked/{key}", new(from, until), body.Deep ?? true, context.RequestAborted);
        if (run is null)
        {
            await Problem.WriteAsync(context, Problems.IdempotencyKeyReused,
                "A reconciliation of another window was asked for with this key; send a new one.");
            return;
        }

        if (isReplay)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        await jobs.StartAsync(ReconciliationModule.JobName, context.RequestAborted);
        context.Response.Headers.Location = $"/v1/reconciliations/{run.Id}";
        await Answer.WriteAsync(context, 202, run, Write);
    }

    private async Task UploadAsync(HttpContext context, Caller caller)
    {
        if (await IdempotencyKey.ReadAsync(context) is not { } key)
        {
            return;
        }

        if (context.Request.ContentType?.StartsWith("text/csv", StringComparison.OrdinalIgnoreCase) != true)
        {
            await Problem.WriteAsync(context, ReconciliationProblems.NotCsv, "Send the file as text/csv in UTF-8.");
            return;
        }

        if (context.Request.ContentLength > settings.UploadBytesMax)
        {
            await Problem.WriteAsync(context, Problems.BodyTooLarge,
                $"The file has {context.Request.ContentLength} bytes; Reconciliation:UploadBytesMax is "
                    + $"{settings.UploadBytesMax}. Send it in parts, each with its head line.");
            return;
        }

        if (await ReadCoveredAsync(context) is not (true, var covers))
        {
            return;
        }

        context.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = settings.UploadBytesMax;
        var upload = await statements.TakeAsync(
            key, context.Request.BodyReader, ColumnsOf(context.Request.Query), covers, context.RequestAborted);
        if (upload.IsUnderWay)
        {
            await Problem.WriteAsync(context, ReconciliationProblems.UnderWay,
                "Wait for the end of the upload with this Idempotency-Key; one that died is forgotten after a day.");
            return;
        }

        if (upload.Statement is not { } statement)
        {
            await Problem.WriteAsync(
                context, ReconciliationProblems.Invalid, $"Nothing was kept. {string.Join(' ', upload.Faults)}");
            return;
        }

        if (upload.IsReplay)
        {
            context.Response.Headers[IdempotencyKey.ReplayedHeader] = "true";
        }

        await Answer.WriteAsync(context, 201, statement, static (json, statement) =>
        {
            json.WriteStartObject();
            json.WriteString("id", statement.Id);
            json.WriteString("source", statement.Source);
            json.WriteNumber("lines", statement.Lines);
            json.WriteString("coversFrom", new UtcInstant(statement.Covers.FromMs).ToString());
            json.WriteString("coversUntil", new UtcInstant(statement.Covers.UntilMs).ToString());
            json.WriteEndObject();
        });
    }

    private async Task ListAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            var before = paging.After == Guid.Empty ? Newest : paging.After;
            var found = await reconciler.ListAsync(before, paging.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, paging.Limit)], found.Count > paging.Limit, Write);
        }
    }

    private async Task ShowAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context) is { } run)
        {
            await Answer.WriteAsync(context, 200, run, Write);
        }
    }

    private async Task ListFindingsAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context) is { } run && await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            var found = await reconciler.FindingsAsync(run.Id, paging.After, paging.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, paging.Limit)], found.Count > paging.Limit, Write);
        }
    }

    private async Task ListByStateAsync(HttpContext context, Caller caller)
    {
        var asked = context.Request.Query.TryGetValue("state", out var text) ? text.ToString() : "OPEN";
        if (Enum.GetValues<FindingState>().Where(s => ReconciliationSql.Word(s) == asked).ToArray() is not [var state])
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "state must be OPEN, EXPLAINED or RESOLVED.");
            return;
        }

        if (await Paging.ReadAsync(context, PageMax) is { } paging)
        {
            var found = await reconciler.FindingsAsync(state, paging.After, paging.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, paging.Limit)], found.Count > paging.Limit, Write);
        }
    }

    private async Task CloseAsync(HttpContext context, FindingState state)
    {
        if (await RouteId.ReadAsync(context, ReconciliationProblems.FindingNotFound) is not { } id
            || await Body.ReadAsync(context, ReconciliationJson.Default.NoteBody) is not { } body)
        {
            return;
        }

        if (body.Note.Length is 0 or > NoteMax || !Rows.CanKeep(body.Note))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidField, $"note must say why, in 1 to {NoteMax} characters.");
            return;
        }

        if (await reconciler.CloseAsync(id, state, body.Note, context.RequestAborted) is { } finding)
        {
            await Answer.WriteAsync(context, 200, finding, Write);
            return;
        }

        await Problem.WriteAsync(
            context, ReconciliationProblems.FindingNotFound, "GET /v1/findings lists those that are there.");
    }

    /// <summary>Writes a finding.</summary>
    public static void Write(Utf8JsonWriter json, Finding finding)
    {
        json.WriteStartObject();
        json.WriteString("id", finding.Id);
        json.WriteString("kind", finding.Kind);
        json.WriteString("subject", finding.Subject);
        json.WriteString("evidence", finding.Evidence);
        json.WriteString("state", ReconciliationSql.Word(finding.State));
        json.WriteString("note", finding.Note);
        json.WriteString("foundAt", new UtcInstant(finding.FoundMs).ToString());
        json.WriteString("seenAt", new UtcInstant(finding.SeenMs).ToString());
        json.WriteEndObject();
    }

    private async ValueTask<ReconciliationRun?> FindAsync(HttpContext context)
    {
        if (await RouteId.ReadAsync(context, ReconciliationProblems.NotFound) is not { } id)
        {
            return null;
        }

        var run = await reconciler.FindAsync(id, context.RequestAborted);
        if (run is null)
        {
            await Problem.WriteAsync(
                context, ReconciliationProblems.NotFound, "GET /v1/reconciliations lists those that are there.");
        }

        return run;
    }

    private static async ValueTask<(bool IsRead, Window? Covers)> ReadCoveredAsync(HttpContext context)
    {
        string? from = context.Request.Query["from"], until = context.Request.Query["until"];
        if (from is null && until is null)
        {
            return (true, null);
        }

        if (TryRead(from ?? "", out var fromMs) && TryRead(until ?? "", out var untilMs) && fromMs < untilMs)
        {
            return (true, new Window(fromMs, untilMs));
        }

        await Problem.WriteAsync(context, Problems.InvalidParameter,
            "from and until say together what the file covers, such as 2030-01-31T00:00:00Z; until is after from.");
        return (false, null);
    }

    private static CsvColumns ColumnsOf(IQueryCollection query)
    {
        var standard = new CsvColumns();
        return new(
            Of("reference", standard.Reference), Of("kind", standard.Kind), Of("amount", standard.Amount),
            Of("currency", standard.Currency), Of("at", standard.At), Of("status", standard.Status));

        string Of(string name, string otherwise) =>
            query.TryGetValue(name, out var given) ? given.ToString() : otherwise;
    }

    private static bool TryRead(string text, out long ms)
    {
        var isMoment = DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at);
        ms = isMoment ? at.ToUnixTimeMilliseconds() : 0;
        return isMoment && ms >= 0;
    }
}

/// <summary>The refusals of these routes.</summary>
internal static class ReconciliationProblems
{
    public static readonly ProblemKind NotFound = new(
        404, "reconciliation_not_found", "There is no such reconciliation.");

    public static readonly ProblemKind FindingNotFound = new(404, "finding_not_found", "There is no such finding.");

    public static readonly ProblemKind NotCsv = new(415, "statement_not_csv", "A statement is uploaded as text/csv.");

    public static readonly ProblemKind UnderWay = new(
        409, "statement_under_way", "The statement is being loaded.");

    public static readonly ProblemKind Invalid = new(400, "statement_invalid", "The statement cannot be loaded.");
}

/// <summary>What is to be compared: from one moment to another.</summary>
internal sealed record ReconciliationBody(string From, string Until, bool? Deep = null);

/// <summary>Why a finding is closed.</summary>
internal sealed record NoteBody(string Note);

/// <summary>JSON of these routes.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ReconciliationBody))]
[JsonSerializable(typeof(NoteBody))]
internal sealed partial class ReconciliationJson : JsonSerializerContext;
