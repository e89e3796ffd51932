using System.Globalization;
using System.Text;
using Floodgate.Access;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>The refusals of settlements; clients branch on the codes.</summary>
internal static class BatchesProblems
{
    public static readonly ProblemKind InFuture = new(422, "settlement_date_in_future", "The day has not begun.");

    public static readonly ProblemKind NotOver = new(409, "settlement_date_not_over", "The day can not be closed yet.");

    public static readonly ProblemKind Behind = new(
        409, "settlement_behind", "Payments of the day are still being read.");

    public static readonly ProblemKind AboveWhole = new(
        422, "policy_above_100_percent", "A commission is at most the whole.");

    public static readonly ProblemKind MinAboveMax = new(
        422, "policy_min_above_max", "The least fee is more than the most.");

    public static readonly ProblemKind TiersNotRising = new(
        422, "policy_tiers_not_rising", "The tiers of a policy do not rise.");

    public static readonly ProblemKind CurrencyMissing = new(
        422, "policy_currency_missing", "Amounts need a currency.");

    public static readonly ProblemKind EndsBeforeStart = new(
        422, "policy_ends_before_start", "The policy would be over before it begins.");

    public static readonly ProblemKind DaySettled = new(
        409, "policy_day_settled", "The policy would change days that are closed.");

    public static readonly ProblemKind Overlaps = new(
        409, "policy_overlaps", "Another policy is for the same lines on the same days.");
}

/// <summary>The routes of settlements, payouts and commission policies.</summary>
internal sealed class BatchesHttp(
    SettlementBook book, PayoutBook payouts, PolicyBook policies, SettlementWorker worker, TimeProvider time)
{
    private const int PageMax = 1_000;
    private const int RunsPageMax = 100;
    private const int BehindSeconds = 5;
    private const long AmountMax = 1_000_000_000_000;
    private const int NameLengthMax = 64;

    /// <summary>Registers them.</summary>
    public void Map(Routes routes)
    {
        routes.Map("POST", "/v1/settlements", Who.Admin, SettleAsync);
        routes.Map("GET", "/v1/settlements", Who.Admin, ListRunsAsync);
        routes.Map("GET", "/v1/settlements/{date}", Who.Admin, GetRunAsync);
        routes.Map("GET", "/v1/payouts", Who.MerchantOrAdmin, ListPayoutsAsync);
        routes.Map("GET", "/v1/payouts/{id}/statement", Who.MerchantOrAdmin, GetStatementAsync);
        routes.Map("GET", "/v1/commission-policies", Who.Admin, ListPoliciesAsync);
        routes.Map("POST", "/v1/commission-policies", Who.Admin, CreatePolicyAsync);
        routes.Map("PUT", "/v1/commission-policies/{id}", Who.Admin, EndPolicyAsync);
    }

    private async Task SettleAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, BatchesBodies.Default.SettlementBody) is not { } body)
        {
            return;
        }

        if (!Days.TryParse(body.Date, out var day))
        {
            await Problem.WriteAsync(context, Problems.InvalidField, "date must be a day such as 2026-11-25.");
            return;
        }

        var asked = await book.OpenAsync(day, context.RequestAborted);
        if (asked.Run is not { } run)
        {
            await RefuseAsync(context, day, asked);
            return;
        }

        worker.Wake();
        context.Response.Headers.Location = $"/v1/settlements/{Days.Text(day)}";
        await WriteAsync(context, run.State == RunState.Settled ? 200 : 202, run);
    }

    private Task RefuseAsync(HttpContext context, DateOnly day, Asked asked)
    {
        var seconds = (int)Math.Clamp((asked.From.Ms - UtcInstant.Now(time).Ms + 999) / 1_000, 1, int.MaxValue);
        return asked.Outcome switch
        {
            SettlementOutcome.InFuture => Problem.WriteAsync(
                context, BatchesProblems.InFuture, $"{Days.Text(day)} has not begun; name a day that is over."),
            SettlementOutcome.NotOver => Problem.WriteAsync(
                context,
                BatchesProblems.NotOver,
                $"{Days.Text(day)} can be settled from {asked.From} on (Settlement:CloseDelayMinutes after its end).",
                seconds),
            _ => Problem.WriteAsync(
                context,
                BatchesProblems.Behind,
                $"Captures or refunds of {Days.Text(day)} are in the log and not read; see the group settlement in " +
                    "GET /v1/ops/lag, and ask again.",
                BehindSeconds),
        };
    }

    private async Task ListRunsAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadTextAsync(context, RunsPageMax) is not { } page)
        {
            return;
        }

        DateOnly? before = null;
        if (page.After.Length > 0)
        {
            if (!Days.TryParse(page.After, out var day))
            {
                await Problem.WriteAsync(
                    context, Problems.InvalidParameter, "starting_after must be the last date of the page before.");
                return;
            }

            before = day;
        }

        var runs = await book.ListAsync(before, page.Limit + 1, context.RequestAborted);
        await Answer.WritePageAsync(
            context,
            runs[..Math.Min(runs.Count, page.Limit)],
            runs.Count > page.Limit,
            static (json, run) => BatchesJson.Write(json, (run, null)));
    }

    private async Task GetRunAsync(HttpContext context, Caller caller)
    {
        var run = Days.TryParse((string?)context.Request.RouteValues["date"], out var day)
            ? await book.FindAsync(day, context.RequestAborted)
            : null;
        await (run is null
            ? Problem.WriteAsync(
                context, Problems.NotFound, "No day of this date was closed; ask for it with POST /v1/settlements.")
            : WriteAsync(context, 200, run));
    }

    private async Task WriteAsync(HttpContext context, int status, SettlementRun run)
    {
        var totals = await payouts.TotalsAsync(run.Day, context.RequestAborted);
        await Answer.WriteAsync(context, status, (run, (IReadOnlyList<SettlementTotals>?)totals), BatchesJson.Write);
    }

    private async Task ListPayoutsAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is { } page)
        {
            var found = await payouts.ListAsync(caller.MerchantId, page.After, page.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, page.Limit)], found.Count > page.Limit, BatchesJson.Write);
        }
    }

    private async Task GetStatementAsync(HttpContext context, Caller caller)
    {
        if (await RouteId.ReadAsync(context, Problems.NotFound) is not { } id)
        {
            return;
        }

        if (await payouts.FindStatementAsync(id, caller.MerchantId, context.RequestAborted) is not { } statement)
        {
            await Problem.WriteAsync(
                context, Problems.NotFound, "There is no such payout, or it is not yours. See GET /v1/payouts.");
            return;
        }

        if (context.Request.Headers.Accept.ToString().Contains("text/csv", StringComparison.OrdinalIgnoreCase))
        {
            await WriteCsvAsync(context, statement);
            return;
        }

        if (await Paging.ReadTextAsync(context, PageMax) is not { } page)
        {
            return;
        }

        if (!TryReadCursor(page.After, out var after))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "starting_after must be the cursor of the last line before.");
            return;
        }

        var lines = await statement.PageAsync(after, page.Limit + 1);
        await Answer.WriteAsync(
            context,
            200,
            (statement.Payout, (IReadOnlyList<StatementLine>)lines[..Math.Min(lines.Count, page.Limit)],
                lines.Count > page.Limit),
            BatchesJson.Write);
    }

    /// <summary>A page of lines at a time, so that a statement of any length costs the memory of one.</summary>
    private static async Task WriteCsvAsync(HttpContext context, PayoutBook.Statement statement)
    {
        context.Response.ContentType = "text/csv; charset=utf-8";
        context.Response.Headers.ContentDisposition =
            $"attachment; filename=\"payout-{Days.Text(statement.Payout.Day)}-{statement.Payout.Id}.csv\"";
        var csv = new StringBuilder(BatchesJson.CsvHead);
        BatchesJson.WriteCarriedCsv(csv, "CARRIED_IN", statement.Payout.CarriedIn);
        var after = PayoutBook.Statement.First;
        while (await statement.PageAsync(after, PageMax) is { Count: > 0 } page)
        {
            page.ForEach(line => BatchesJson.WriteCsv(csv, line));
            await FlushAsync();
            after = (page[^1].EventId, page[^1].Number);
        }

        BatchesJson.WriteCarriedCsv(csv, "CARRIED_OUT", -statement.Payout.CarriedOut);
        await FlushAsync();

        async Task FlushAsync()
        {
            await context.Response.WriteAsync(csv.ToString(), context.RequestAborted);
            csv.Clear();
        }
    }

    private async Task ListPoliciesAsync(HttpContext context, Caller caller)
    {
        if (await Paging.ReadAsync(context, PageMax) is { } page)
        {
            var found = await policies.ListAsync(page.After, page.Limit + 1, context.RequestAborted);
            await Answer.WritePageAsync(
                context, found[..Math.Min(found.Count, page.Limit)], found.Count > page.Limit, BatchesJson.Write);
        }
    }

    private async Task CreatePolicyAsync(HttpContext context, Caller caller)
    {
        if (await Body.ReadAsync(context, BatchesBodies.Default.PolicyBody) is not { } body)
        {
            return;
        }

        if (FaultOf(body, out var from, out var until) is { } fault)
        {
            await Problem.WriteAsync(context, Problems.InvalidField, fault);
            return;
        }

        var tiers = (body.Tiers ?? []).Select(t => new VolumeTier(t.FromVolume, t.BasisPoints)).ToArray();
        var made = await policies.CreateAsync(
            new(body.MerchantId, body.ProductClass, body.Currency),
            new(body.BasisPoints, body.Fixed, body.Min, body.Max, tiers),
            (from, until),
            context.RequestAborted);
        await AnswerAsync(context, made, made.Outcome == PolicyOutcome.Done ? 201 : 200);
    }

    private async Task EndPolicyAsync(HttpContext context, Caller caller)
    {
        if (await RouteId.ReadAsync(context, Problems.NotFound) is not { } id
            || await Body.ReadAsync(context, BatchesBodies.Default.PolicyEndBody) is not { } body)
        {
            return;
        }

        if (!TryReadEnd(body.ValidUntil, out var until))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidField, "validUntil must be a day such as 2026-12-01, or null.");
            return;
        }

        await AnswerAsync(context, await policies.EndAsync(id, until, context.RequestAborted), 200);
    }

    private static Task AnswerAsync(HttpContext context, PolicyChange change, int status) => change.Outcome switch
    {
        PolicyOutcome.Done or PolicyOutcome.Replayed =>
            Answer.WriteAsync(context, status, change.Policy!, BatchesJson.Write),
        PolicyOutcome.NotFound => Problem.WriteAsync(
            context, Problems.NotFound, "There is no such policy. See GET /v1/commission-policies."),
        PolicyOutcome.AboveWhole => Problem.WriteAsync(
            context, BatchesProblems.AboveWhole, "basisPoints, also of tiers, must be from 0 to 10000 (1/100 %)."),
        PolicyOutcome.MinAboveMax => Problem.WriteAsync(
            context, BatchesProblems.MinAboveMax, "min must be at most max."),
        PolicyOutcome.TiersNotRising => Problem.WriteAsync(
            context, BatchesProblems.TiersNotRising, "fromVolume must be more than 0 and rise from tier to tier."),
        PolicyOutcome.CurrencyMissing => Problem.WriteAsync(
            context, BatchesProblems.CurrencyMissing, "fixed, min, max and tiers are money of one currency: name it."),
        PolicyOutcome.EndsBeforeStart => Problem.WriteAsync(
            context, BatchesProblems.EndsBeforeStart, "validUntil is the first day without it and after validFrom."),
        PolicyOutcome.DaySettled => Problem.WriteAsync(
            context, BatchesProblems.DaySettled, "Name days that are not closed; see GET /v1/settlements."),
        _ => Problem.WriteAsync(
            context,
            BatchesProblems.Overlaps,
            $"Policy {change.Policy!.Id} holds from {Days.Text(change.Policy.ValidFrom)}; end it first with PUT " +
                $"/v1/commission-policies/{change.Policy.Id}."),
    };

    private static string? FaultOf(PolicyBody body, out DateOnly from, out DateOnly? until)
    {
        until = null;
        if (!Days.TryParse(body.ValidFrom, out from))
        {
            return "validFrom must be a day such as 2026-12-01.";
        }

        if (!TryReadEnd(body.ValidUntil, out until))
        {
            return "validUntil must be a day such as 2026-12-01, or null.";
        }

        if (body.Currency is { } code && !Currency.TryParse(code, out _))
        {
            return $"currency is {code}; it must be a code of ISO 4217 in capitals, such as KRW.";
        }

        if (!IsName(body.MerchantId) || !IsName(body.ProductClass))
        {
            return $"merchantId and productClass must have from 1 to {NameLengthMax} characters, or be left out.";
        }

        return new[] { body.Fixed, body.Min, body.Max ?? 0 }.Concat((body.Tiers ?? []).Select(t => t.FromVolume))
            .Any(a => a is < 0 or > AmountMax)
            ? $"fixed, min, max and fromVolume must be from 0 to {AmountMax}, in minor units."
            : null;
    }

    private static bool IsName(string? name) =>
        name is null || (name.Length is > 0 and <= NameLengthMax && Rows.CanKeep(name));

    private static bool TryReadEnd(string? text, out DateOnly? until)
    {
        until = Days.TryParse(text, out var day) ? day : null;
        return text is null || until is not null;
    }

    private static bool TryReadCursor(string text, out (Guid EventId, long Number) after)
    {
        after = PayoutBook.Statement.First;
        if (text.Length == 0)
        {
            return true;
        }

        var parts = text.Split('.');
        var isCursor = parts.Length == 2 & Guid.TryParseExact(parts[0], "D", out after.EventId)
            & long.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out after.Number);
        return isCursor;
    }
}
