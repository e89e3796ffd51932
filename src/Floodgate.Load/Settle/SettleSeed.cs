using Floodgate.Load.Target;

namespace Floodgate.Load.Settle;

/// <summary>
/// Writes captured lines into the server's tables as its own consumer would leave them, by bulk copy: lines, the totals
/// of the day, and, unless only lines are wanted, what the ledger holds for them. Payments are not made: nothing
/// compares lines with them, and their requests would be missing in the log.
/// </summary>
internal sealed class SettleSeed(IBulkDatabase database, SettleMarket market, bool isLinesOnly)
{
    // A transaction of this size is over before the server's writer gives up waiting for it.
    private const int RowsMax = 50_000;
    private const string Clearing = "load-gateway";

    private static readonly BulkTable Lines = new(
        "settlement_line",
        "day, account_id, event_id, line, payment_id, is_refund, class, amount, order_id, at_ms, origin_day, "
            + "origin_amount, refunded_before");

    private static readonly BulkTable Totals = new(
        "settlement_day_total", "day, account_id, class, lines, captured, refunded");

    private static readonly BulkTable Entries = new(
        "ledger_entry", "payment_id, event_id, line, account_id, amount, at_ms");

    private readonly IReadOnlyList<string> classes = market.Classes;
    private long[] accounts = [];
    private LedgerOf[] ledger = [];
    private Dictionary<string, long> clearing = [];

    /// <summary>The account of a merchant; known once a day was written.</summary>
    public long AccountOf(int merchant) => accounts[merchant];

    /// <summary>Opens what merchants need once: their accounts here and in the ledger.</summary>
    public void OpenAccounts()
    {
        var all = Enumerable.Range(0, market.Merchants).ToList();
        database.Copy(new("settlement_account", "merchant_id, currency"), all, (writer, merchant) =>
        {
            writer.Write(market.NameOf(merchant));
            writer.Write(SettleMarket.CurrencyOf(merchant));
        });
        accounts = Numbers($"""
            select id, merchant_id from settlement_account where merchant_id like '{market.NamePrefix}%'
            order by merchant_id
            """);
        if (isLinesOnly)
        {
            return;
        }

        var known = database.Query(
            $"select currency from ledger_account where owner = '{Clearing}'", row => row.Text(0));
        string[] currencies = ["KRW", "USD", "JPY"];
        var names = currencies.Except(known).Select(currency => ("ProviderClearing", Clearing, currency))
            .Concat(all.SelectMany(m => new[] { "MerchantPayable", "MerchantRefunds" }.Select(
                kind => (kind, market.NameOf(m), SettleMarket.CurrencyOf(m)))));
        database.Copy(new("ledger_account", "kind, owner, currency, debit_total, credit_total"), names, (w, name) =>
        {
            w.Write(name.Item1);
            w.Write(name.Item2);
            w.Write(name.Item3);
            w.Write(0);
            w.Write(0);
        });
        var payable = LedgerIds("MerchantPayable");
        var refunds = LedgerIds("MerchantRefunds");
        ledger = [.. all.Select(m => new LedgerOf(payable[m], refunds[m]))];
        clearing = database.Query(
            $"select id, currency from ledger_account where owner = '{Clearing}'", row => (row.Long(0), row.Text(1)))
            .ToDictionary(account => account.Item2, account => account.Item1);
    }

    /// <summary>Writes a day; every other process may go on meanwhile.</summary>
    /// <exception cref="CannotRunException">The database refused.</exception>
    public void Write(long day, int count, Action<long> progress)
    {
        var written = 0L;
        foreach (var chunk in market.LinesOf(day, count).Chunk(RowsMax))
        {
            database.Copy(Lines, chunk, (writer, line) => WriteLine(writer, line, day));
            if (!isLinesOnly)
            {
                database.Copy(Entries, EntriesOf(chunk), static (writer, entry) => entry.WriteTo(writer));
            }

            progress(written += chunk.Length);
        }

        WriteTotals(day, count);
        if (database.Analyze is { Length: > 0 } analyze)
        {
            // The server's autovacuum would do it within a minute.
            database.Run($"{analyze} settlement_line, settlement_day_total, ledger_entry");
        }
    }

    private void WriteLine(IBulkWriter writer, in SettleLine line, long day)
    {
        writer.Write(day);
        writer.Write(accounts[line.Merchant]);
        writer.Write(line.EventId);
        writer.Write(line.Number);
        writer.Write(line.PaymentId);
        writer.Write(line.IsRefund ? 1 : 0);
        writer.Write(classes[line.Class]);
        writer.Write(line.Amount);
        writer.Write(null);
        writer.Write(line.AtMs);
        writer.Write(day);
        writer.Write(line.OriginAmount);
        writer.Write(line.RefundedBefore);
    }

    // A posting for each line: of a capture from the provider to the merchant, of a refund back.
    private IEnumerable<Entry> EntriesOf(IEnumerable<SettleLine> lines)
    {
        foreach (var line in lines)
        {
            var gateway = clearing[SettleMarket.CurrencyOf(line.Merchant)];
            var (debit, credit) = line.IsRefund
                ? (ledger[line.Merchant].Refunds, gateway)
                : (gateway, ledger[line.Merchant].Payable);
            yield return new(line, line.Number * 2, debit);
            yield return new(line, (line.Number * 2) + 1, credit);
        }
    }

    private void WriteTotals(long day, int count)
    {
        var totals = new (long Lines, long Captured, long Refunded)[market.Merchants * classes.Count];
        foreach (var line in market.LinesOf(day, count))
        {
            ref var total = ref totals[(line.Merchant * classes.Count) + line.Class];
            total.Lines++;
            total.Captured += line.IsRefund ? 0 : line.Amount;
            total.Refunded += line.IsRefund ? line.Amount : 0;
        }

        database.Copy(Totals, totals.Index().Where(total => total.Item.Lines > 0), (writer, total) =>
        {
            writer.Write(day);
            writer.Write(accounts[total.Index / classes.Count]);
            writer.Write(classes[total.Index % classes.Count]);
            writer.Write(total.Item.Lines);
            writer.Write(total.Item.Captured);
            writer.Write(total.Item.Refunded);
        });
        if (isLinesOnly)
        {
            return;
        }

        var updates = totals.Index().GroupBy(total => total.Index / classes.Count).SelectMany(group =>
        {
            var (captured, refunded) = (group.Sum(t => t.Item.Captured), group.Sum(t => t.Item.Refunded));
            var (of, gateway) = (ledger[group.Key], clearing[SettleMarket.CurrencyOf(group.Key)]);
            return new[]
            {
                $"update ledger_account set credit_total = credit_total + {captured} where id = {of.Payable}",
                $"update ledger_account set debit_total = debit_total + {refunded} where id = {of.Refunds}",
                $"update ledger_account set debit_total = debit_total + {captured}, "
                    + $"credit_total = credit_total + {refunded} where id = {gateway}",
            };
        });
        database.Run($"begin; {string.Join(";\n", updates)}; commit");
    }

    private long[] LedgerIds(string kind) => Numbers($"""
        select id, owner from ledger_account where kind = '{kind}' and owner like '{market.NamePrefix}%' order by owner
        """);

    /// <summary>The ids of the merchants, by their number: their names are of one length.</summary>
    private long[] Numbers(string sql)
    {
        var found = database.Query(sql, row => (Id: row.Long(0), Name: row.Text(1)));
        found.Sort((one, other) => string.CompareOrdinal(one.Name, other.Name));
        return found.Count == market.Merchants
            ? [.. found.Select(account => account.Id)]
            : throw new CannotRunException(
                $"--database has {found.Count} accounts of this run, not {market.Merchants}: "
                    + "is the run's name used twice?");
    }

    private readonly record struct LedgerOf(long Payable, long Refunds);

    private readonly record struct Entry(SettleLine Line, int Number, long Account)
    {
        public void WriteTo(IBulkWriter writer)
        {
            writer.Write(Line.PaymentId);
            writer.Write(Line.EventId);
            writer.Write(Number);
            writer.Write(Account);
            writer.Write(Line.Amount);
            writer.Write(Line.AtMs);
        }
    }
}
