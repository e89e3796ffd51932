using System.Globalization;
using System.Text.Json;
using Floodgate.Access;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Ledger;

/// <summary>Balances and history. A merchant sees its own accounts and its customers', an operator all.</summary>
internal sealed class LedgerHttp(Journal journal)
{
    private const int PageMax = 200;

    /// <summary>Registers the routes.</summary>
    public void Map(Routes routes)
    {
        routes.Map("GET", "/v1/ledger/accounts", Who.MerchantOrAdmin, ListAccountsAsync);
        routes.Map("GET", "/v1/ledger/accounts/{id}", Who.MerchantOrAdmin, GetAccountAsync);
        routes.Map("GET", "/v1/ledger/entries", Who.MerchantOrAdmin, ListEntriesAsync);
    }

    private async Task ListAccountsAsync(HttpContext context, Caller caller)
    {
        var owner = caller.MerchantId ?? (string?)context.Request.Query["owner"];
        if (string.IsNullOrEmpty(owner))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "owner is needed: a merchant's id, GATEWAY or platform.");
            return;
        }

        var accounts = await journal.AccountsOfAsync(owner, context.RequestAborted);
        await Answer.WritePageAsync(context, accounts, hasMore: false, Write);
    }

    private async Task GetAccountAsync(HttpContext context, Caller caller)
    {
        if (await FindAsync(context, caller, (string?)context.Request.RouteValues["id"]) is { } account)
        {
            await Answer.WriteAsync(context, 200, account, Write);
        }
    }

    private async Task ListEntriesAsync(HttpContext context, Caller caller)
    {
        var query = context.Request.Query;
        if (query.TryGetValue("paymentId", out var payment))
        {
            await ListEntriesOfPaymentAsync(context, caller, payment);
            return;
        }

        if (!query.TryGetValue("accountId", out var accountId))
        {
            await Problem.WriteAsync(context, Problems.InvalidParameter, "Give paymentId or accountId.");
            return;
        }

        if (!TryReadCursor(query["starting_after"], out var after))
        {
            await Problem.WriteAsync(
                context, Problems.InvalidParameter, "starting_after must be the cursor of the last entry before.");
            return;
        }

        if (await FindAsync(context, caller, accountId) is { } account)
        {
            var entries = await journal.EntriesOfAccountAsync(account.Id, after, context.RequestAborted);
            await WriteAsync(context, entries[..Math.Min(entries.Count, PageMax)], entries.Count > PageMax);
        }
    }

    /// <summary>A merchant gets the legs on its own accounts; an operator gets every leg.</summary>
    private async Task ListEntriesOfPaymentAsync(HttpContext context, Caller caller, string? text)
    {
        if (!Guid.TryParseExact(text, "D", out var paymentId))
        {
            await Problem.WriteAsync(context, Problems.InvalidParameter, "paymentId must be the id of a payment.");
            return;
        }

        var entries = await journal.EntriesOfPaymentAsync(paymentId, context.RequestAborted);
        if (caller.MerchantId is { } merchant)
        {
            var own = new HashSet<long>();
            foreach (var id in entries.Select(e => e.AccountId).Distinct())
            {
                var account = await journal.FindAsync(id, context.RequestAborted);
                if (account?.MerchantId == merchant)
                {
                    own.Add(id);
                }
            }

            entries = entries.FindAll(e => own.Contains(e.AccountId));
        }

        await WriteAsync(context, entries, hasMore: false);
    }

    private async Task<Account?> FindAsync(HttpContext context, Caller caller, string? text)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && await journal.FindAsync(id, context.RequestAborted) is { } account
            && (caller.Role == Role.Admin || account.MerchantId == caller.MerchantId))
        {
            return account;
        }

        await Problem.WriteAsync(
            context, Problems.NotFound, "There is no such account, or it is not yours. See GET /v1/ledger/accounts.");
        return null;
    }

    private static Task WriteAsync(HttpContext context, List<JournalEntry> entries, bool hasMore) =>
        Answer.WritePageAsync(context, entries, hasMore, Write);

    private static void Write(Utf8JsonWriter json, Account account)
    {
        json.WriteStartObject();
        json.WriteNumber("id", account.Id);
        json.WriteString("kind", account.Name.Kind.ToString());
        json.WriteString("owner", account.Name.Owner);
        json.WriteString("currency", account.Name.Currency.Code);
        json.WriteNumber("debitTotal", account.DebitTotal);
        json.WriteNumber("creditTotal", account.CreditTotal);
        json.WriteNumber("balance", account.Balance);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, JournalEntry entry)
    {
        json.WriteStartObject();
        json.WriteString("cursor", $"{entry.AtMs}.{entry.EventId}.{entry.Line}");
        json.WriteString("paymentId", entry.PaymentId);
        json.WriteString("eventId", entry.EventId);
        json.WriteNumber("line", entry.Line);
        json.WriteNumber("accountId", entry.AccountId);
        json.WriteString("side", entry.IsDebit ? "DEBIT" : "CREDIT");
        json.WriteNumber("amount", entry.Amount);
        json.WriteString("postedAt", new UtcInstant(entry.AtMs).ToString());
        json.WriteEndObject();
    }

    private static bool TryReadCursor(string? text, out JournalEntry? after)
    {
        after = null;
        if (text is null)
        {
            return true;
        }

        var parts = text.Split('.');
        if (parts.Length != 3
            || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var atMs)
            || !Guid.TryParseExact(parts[1], "D", out var eventId)
            || !int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var line))
        {
            return false;
        }

        after = new JournalEntry(Guid.Empty, eventId, line, 0, 0, atMs);
        return true;
    }
}
