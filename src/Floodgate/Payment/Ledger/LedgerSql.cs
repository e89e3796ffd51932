using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Ledger;

/// <summary>Every statement of the ledger. Entries are only ever inserted.</summary>
internal static class LedgerSql
{
    public static readonly Migration[] Migrations =
    [
        new("ledger-001", """
            create table ledger_account (
                id {auto id},
                kind text {collate bytes} not null,
                owner text not null,
                currency text not null,
                debit_total bigint not null check (debit_total between 0 and 9000000000000000000),
                credit_total bigint not null check (credit_total between 0 and 9000000000000000000),
                unique (owner, kind, currency),
                check (kind not in ('CustomerWallet', 'CustomerHeld') or credit_total >= debit_total)
            ) {room for updates};
            create table ledger_entry (
                payment_id {id} not null,
                event_id {id} not null,
                line bigint not null,
                account_id bigint not null,
                amount bigint not null check (amount > 0),
                at_ms bigint not null,
                primary key (payment_id, event_id, line)
            ) {clustered};
            create index ledger_entry_of_account on ledger_entry (account_id, at_ms, event_id, line)
            """),
    ];

    private static readonly Column[] NameColumns = [Column.Text("kind"), Column.Text("owner"), Column.Text("currency")];

    private static readonly Statement InsertAccounts = new(
        """
        insert into ledger_account (kind, owner, currency, debit_total, credit_total)
        select rows.kind, rows.owner, rows.currency, 0, 0 from {rows} where true
        on conflict (owner, kind, currency) do nothing
        """,
        NameColumns);

    private static readonly Statement SelectAccounts = new(
        """
        select a.id, a.kind, a.owner, a.currency, a.debit_total, a.credit_total from {rows}
        join ledger_account a on a.owner = rows.owner and a.kind = rows.kind and a.currency = rows.currency
        order by a.kind, a.id
        """,
        NameColumns);

    private static readonly Statement LockAccounts = new(
        """
        select a.id, a.kind, a.owner, a.currency, a.debit_total, a.credit_total from {rows}
        join ledger_account a on a.id = rows.id order by a.kind, a.id {for update}
        """,
        Column.Long("id"));

    private static readonly Statement AddTotals = new(
        """
        update ledger_account set debit_total = debit_total + rows.debit, credit_total = credit_total + rows.credit
        from {rows} where ledger_account.id = rows.id
        """,
        Column.Long("id"), Column.Long("debit"), Column.Long("credit"));

    private static readonly Statement InsertEntries = new(
        """
        insert into ledger_entry (payment_id, event_id, line, account_id, amount, at_ms)
        select rows.payment_id, rows.event_id, rows.line, rows.account_id, rows.amount, rows.at_ms from {rows}
        """,
        Column.Id("payment_id"), Column.Id("event_id"), Column.Long("line"), Column.Long("account_id"),
        Column.Long("amount"), Column.Long("at_ms"));

    private static readonly Statement SelectAccount = new(
        """
        select a.id, a.kind, a.owner, a.currency, a.debit_total, a.credit_total
        from {rows} join ledger_account a on a.id = rows.id
        """,
        Column.Long("id"));

    private static readonly Statement SelectAccountsOfOwner = new(
        """
        select a.id, a.kind, a.owner, a.currency, a.debit_total, a.credit_total
        from {rows} join ledger_account a on a.owner = rows.owner order by a.id
        """,
        Column.Text("owner"));

    private static readonly Statement SelectEntriesOfPayment = new(
        """
        select e.payment_id, e.event_id, e.line, e.account_id, e.amount, e.at_ms
        from {rows} join ledger_entry e on e.payment_id = rows.payment_id order by e.at_ms, e.event_id, e.line
        """,
        Column.Id("payment_id"));

    private static readonly Statement SelectEntriesOfAccount = new(
        """
        select e.payment_id, e.event_id, e.line, e.account_id, e.amount, e.at_ms
        from ledger_entry e where e.account_id = (select rows.account_id from {rows})
            and (e.at_ms, e.event_id, e.line) > (select rows.at_ms, rows.event_id, rows.line from {rows})
        order by e.at_ms, e.event_id, e.line limit 201
        """,
        Column.Long("account_id"), Column.Long("at_ms"), Column.Id("event_id"), Column.Long("line"));

    private static readonly Statement SelectTotals = new(
        """
        select currency, cast(sum(debit_total) as bigint), cast(sum(credit_total) as bigint)
        from ledger_account group by currency order by currency
        """);

    // The slow, whole check: what the accounts say against what the entries say.
    private static readonly Statement SelectUnequalAccounts = new(
        """
        select a.id from ledger_account a left join (
            select account_id, sum(case when line % 2 = 0 then amount else 0 end) as debit,
                sum(case when line % 2 = 1 then amount else 0 end) as credit
            from ledger_entry group by account_id) e on e.account_id = a.id
        where a.debit_total <> coalesce(e.debit, 0) or a.credit_total <> coalesce(e.credit, 0)
        order by a.id limit 100
        """);

    /// <summary>Creates the accounts that do not exist, in one order, and returns all, without locks.</summary>
    public static ValueTask<List<Account>> EnsureAccountsAsync(Tx tx, IReadOnlyList<AccountName> names)
    {
        var ordered = names.OrderBy(n => n.Kind).ThenBy(n => n.Owner, StringComparer.Ordinal).ToList();
        tx.Queue(InsertAccounts, Names(ordered));
        return tx.QueryAsync(SelectAccounts, Names(ordered), MapAccount);
    }

    /// <summary>Locks the accounts in the one order of all lockers.</summary>
    public static ValueTask<List<Account>> LockAsync(Tx tx, IReadOnlyList<long> ids) =>
        tx.QueryAsync(LockAccounts, Rows.Over(ids).Long(i => i), MapAccount);

    /// <summary>Queues the lock alone: for accounts whose totals need not be read.</summary>
    public static void Lock(Tx tx, IReadOnlyList<long> ids) =>
        tx.Queue(LockAccounts, Rows.Over(ids).Long(i => i));

    public static void Add(Tx tx, IReadOnlyList<(long Id, long Debit, long Credit)> totals) => tx.Queue(
        AddTotals, Rows.Over(totals).Long(t => t.Id).Long(t => t.Debit).Long(t => t.Credit));

    public static void Insert(Tx tx, IReadOnlyList<JournalEntry> entries) => tx.Queue(
        InsertEntries,
        Rows.Over(entries).Id(e => e.PaymentId).Id(e => e.EventId).Long(e => e.Line).Long(e => e.AccountId)
            .Long(e => e.Amount).Long(e => e.AtMs));

    public static async ValueTask<Account?> FindAsync(Tx tx, long id) =>
        (await tx.QueryAsync(SelectAccount, Rows.One(id).Long(i => i), MapAccount)).FirstOrDefault();

    public static ValueTask<List<Account>> SelectOfOwnerAsync(Tx tx, string owner) =>
        tx.QueryAsync(SelectAccountsOfOwner, Rows.One(owner).Text(o => o), MapAccount);

    public static ValueTask<List<JournalEntry>> SelectOfPaymentAsync(Tx tx, Guid paymentId) =>
        tx.QueryAsync(SelectEntriesOfPayment, Rows.One(paymentId).Id(i => i), MapEntry);

    public static ValueTask<List<JournalEntry>> SelectOfAccountAsync(Tx tx, long accountId, JournalEntry? after) =>
        tx.QueryAsync(
            SelectEntriesOfAccount,
            Rows.One(accountId).Long(i => i).Long(_ => after?.AtMs ?? 0).Id(_ => after?.EventId ?? Guid.Empty)
                .Long(_ => after?.Line ?? 0),
            MapEntry);

    public static ValueTask<List<(string Currency, long Debit, long Credit)>> SelectTotalsAsync(Tx tx) =>
        tx.QueryAsync(SelectTotals, Rows.None, r => (r.Text(0), r.Long(1), r.Long(2)));

    public static ValueTask<List<long>> SelectUnequalAccountsAsync(Tx tx) =>
        tx.QueryAsync(SelectUnequalAccounts, Rows.None, r => r.Long(0));

    private static Rows Names(IReadOnlyList<AccountName> names) => Rows.Over(names)
        .Text(n => n.Kind.ToString()).Text(n => n.Owner).Text(n => n.Currency.Code);

    private static Account MapAccount(Row r) => new(
        r.Long(0),
        new AccountName(Enum.Parse<AccountKind>(r.Text(1)), r.Text(2), Currency.FromStored(r.Text(3))),
        r.Long(4),
        r.Long(5));

    private static JournalEntry MapEntry(Row r) =>
        new(r.Id(0), r.Id(1), (int)r.Long(2), r.Long(3), r.Long(4), r.Long(5));
}
