using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Payment.Ledger;
using Floodgate.Settlement.Batches;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Floodgate.Tests.Payment;
using Floodgate.Tests.Storage;
using Floodgate.Vocabulary;

namespace Floodgate.Tests.Settlement.Batches;

/// <summary>
/// A real database with the whole schema, a clock that tests set, and facts of payments written as the log would bring
/// them, with their postings. Settles in small ranges, so that a few lines are many transactions.
/// </summary>
internal sealed class SettlementStage : IAsyncDisposable
{
    /// <summary>A day that is over when the stage begins.</summary>
    public static readonly DateOnly Today = new(2031, 5, 20);

    private static readonly Currency Krw = Currency.FromStored("KRW");

    // Everything that a settlement leaves behind but the moments of it.
    private static readonly Statement SelectResult = new(
        """
        select 'line ' || s.day || ' ' || a.merchant_id || ' ' || s.line || ' ' || l.class || ' ' || s.amount || ' '
            || s.fee
        from settled_line s join settlement_account a on a.id = s.account_id
        join settlement_line l on l.day = s.day and l.account_id = s.account_id and l.event_id = s.event_id
            and l.line = s.line
        union all
        select 'payout ' || p.day || ' ' || p.merchant_id || ' ' || p.captures || ' ' || p.refunds || ' ' || p.captured
            || ' ' || p.refunded || ' ' || p.fee || ' ' || p.fee_returned || ' ' || p.carried_in || ' ' || p.amount
            || ' ' || p.carried_out from payout p
        union all
        select 'account ' || a.kind || ' ' || a.owner || ' ' || a.debit_total || ' ' || a.credit_total
        from ledger_account a
        union all
        select 'event ' || e.type || ' ' || e.key from log_event e
        union all
        select 'run ' || r.day || ' ' || r.state || ' ' || r.lines || ' ' || r.payouts from settlement_run r
        """);

    private readonly DataPlace place;
    private int ids;

    private SettlementStage(DataPlace place, Database database)
    {
        (this.place, Database) = (place, database);
        Log = new EmbeddedLog(database, new LogSettings(), Clock);
        Journal = new Journal(database, Clock);
    }

    public ShiftedTime Clock { get; } = ShiftedTime.At(Today.ToDateTime(new(12, 0), DateTimeKind.Utc));

    public Database Database { get; }

    public EmbeddedLog Log { get; }

    public Journal Journal { get; }

    public BatchesSettings Settings { get; init; } =
        new(TimeZoneInfo.Utc, Schedule: null, CommissionBasisPoints: 250, RangeLines: 3, WorkersMax: 3);

    public SettlementBook Book => SettlementBook.Over(Database, Log, Settings, Clock);

    public PolicyBook Policies => new(Database, new Ids(Clock));

    public static async Task<SettlementStage> StartAsync(
        Stored stored, PostgreSqlServer postgreSql, Func<BatchesSettings, BatchesSettings>? with = null)
    {
        var place = new DataPlace(stored == Stored.InPostgreSql ? postgreSql : null);
        await place.CreateAsync();
        var database = place.Open();
        await database.MigrateAsync(Roles.Migrations, CancellationToken.None);
        var stage = new SettlementStage(place, database);
        await stage.Log.CreateTopicsAsync(Roles.Topics, CancellationToken.None);
        return with is null ? stage : new(place, database) { Settings = with(stage.Settings) };
    }

    /// <summary>A capture of one merchant; the answer names it for refunds.</summary>
    public PaymentFact Capture(string merchant, long amount, int daysAgo = 1) => Capture([(merchant, amount)], daysAgo);

    public PaymentFact Capture((string MerchantId, long Amount)[] parts, int daysAgo = 1)
    {
        var id = Next();
        return new(
            id, id, null, PaymentPurpose.Sale, Krw, [.. parts.Select(p => new OrderPart(p.MerchantId, p.Amount))],
            AtMs(daysAgo));
    }

    public PaymentFact Refund(PaymentFact capture, long amount, int daysAgo = 1, int part = 0) => capture with
    {
        EventId = Next(), Parts = [capture.Parts[part] with { Amount = amount }], AtMs = AtMs(daysAgo),
    };

    /// <summary>Posts facts to the ledger and writes their lines, captures and refunds in one batch.</summary>
    public async Task WriteAsync(params PaymentFact[] facts)
    {
        await Database.WriteAsync(async tx =>
        {
            await Journal.PostAsync(tx, [.. facts.SelectMany(PostingsOf)]);
            return 0;
        });
        await WriteLinesAsync(facts);
    }

    /// <summary>Writes lines only, as when an event is delivered again.</summary>
    public async Task WriteLinesAsync(params PaymentFact[] facts)
    {
        await using var book = new LineBook(Database, Settings, Clock);
        await Database.WriteAsync(async tx =>
        {
            await book.WriteAsync(tx, [.. facts.Select(f => new Moved(f, IsRefund(f)))]);
            return 0;
        });
    }

    /// <summary>Settles a day, to the end.</summary>
    public async Task<SettlementRun> SettleAsync(int daysAgo = 1)
    {
        var asked = await Book.RunAsync(Today.AddDays(-daysAgo), null, CancellationToken.None);
        return asked.Run ?? throw new InvalidOperationException($"The day was not settled: {asked.Outcome}.");
    }

    /// <summary>All that settlements left behind, in words, sorted.</summary>
    public async Task<List<string>> ResultAsync() =>
    [
        .. (await Database.ReadAsync(tx => tx.QueryAsync(SelectResult, Rows.None, r => r.Text(0))))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The payouts of a merchant, by day.</summary>
    public async Task<List<Payout>> PayoutsAsync(string merchant) =>
        await Database.ReadAsync(tx => BatchesSql.SelectPayoutsAsync(tx, merchant, Guid.Empty, 1_000));

    /// <summary>The names of the checks that do not hold.</summary>
    public async Task<List<string>> BrokenAsync() =>
        [.. (await Database.ReadSnapshotAsync(SettlementChecks.CheckAsync)).Where(c => !c.Holds).Select(c => c.Name)];

    /// <summary>Another process on the same data.</summary>
    public Database OpenAgain() => place.Open();

    public ValueTask DisposeAsync() => place.DisposeAsync();

    private static bool IsRefund(PaymentFact fact) => fact.EventId != fact.PaymentId;

    private static IEnumerable<Posting> PostingsOf(PaymentFact fact) => fact.Parts.Select((part, line) =>
    {
        var clearing = AccountName.Clearing("GATEWAY", fact.Currency);
        var money = new Money(part.Amount, fact.Currency);
        return IsRefund(fact)
            ? new Posting(
                fact.PaymentId, fact.EventId, line, AccountName.Refunds(part.MerchantId, fact.Currency), clearing,
                money)
            : new Posting(
                fact.PaymentId, fact.EventId, line, clearing, AccountName.Payable(part.MerchantId, fact.Currency),
                money);
    });

    private long AtMs(int daysAgo)
    {
        var at = Today.AddDays(-daysAgo).ToDateTime(new(10, 0), DateTimeKind.Utc).AddSeconds(ids);
        return new DateTimeOffset(at).ToUnixTimeMilliseconds();
    }

    // In no order of time, as ids of many nodes are.
    private Guid Next()
    {
        var number = ++ids;
        return new(unchecked((int)((uint)number * 2_654_435_761u)), 1, 1, BitConverter.GetBytes((long)number));
    }
}
