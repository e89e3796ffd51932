using System.Collections.Concurrent;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Ledger;

/// <summary>
/// The double-entry journal: append-only entries, two legs for each posting, and the totals of each account
/// beside them, moved in the same transaction.
/// </summary>
public sealed class Journal(Database database, TimeProvider time)
{
    private const int CachedMax = 100_000;

    // Ids never change, so a cached one is never wrong; filled after commits only.
    private readonly ConcurrentDictionary<AccountName, long> ids = new();

    /// <summary>
    /// Locks the accounts, creating those that do not exist, and returns them: for decisions on balances.
    /// Name every customer account the transaction will post to, before any posting: they are locked here first.
    /// </summary>
    public async ValueTask<Dictionary<AccountName, Account>> LockAsync(Tx tx, IReadOnlyCollection<AccountName> names)
    {
        if (names.Count == 0)
        {
            return [];
        }

        var known = await IdsOfAsync(tx, names.Distinct().ToList());
        var accounts = await LedgerSql.LockAsync(tx, [.. known.Values]);
        return accounts.ToDictionary(a => a.Name);
    }

    /// <summary>
    /// Writes both legs of every posting and moves each account once, however many postings it has: a merchant
    /// whose payments fill the batch costs one update. Locks the accounts in one order until the commit, so call
    /// it late. A second posting with the same event and line fails the transaction.
    /// </summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="postings">What moves.</param>
    /// <param name="locked">Accounts that <see cref="LockAsync"/> has locked in this transaction.</param>
    public async ValueTask PostAsync(
        Tx tx, IReadOnlyList<Posting> postings, IReadOnlyDictionary<AccountName, Account>? locked = null)
    {
        if (postings.Count == 0)
        {
            return;
        }

        foreach (var posting in postings)
        {
            Invariant.Check(posting.Amount.AmountMinor > 0, "a posting moves more than zero");
            Invariant.Check(posting.Debit != posting.Credit, "a posting has two accounts");
            Invariant.Check(
                posting.Debit.Currency == posting.Amount.Currency && posting.Credit.Currency == posting.Amount.Currency,
                "a posting and its accounts have one currency");
        }

        var names = postings.SelectMany(p => new[] { p.Debit, p.Credit }).Distinct().ToList();
        var accounts = await IdsOfAsync(tx, names);
        LedgerSql.Insert(tx, Entries(postings, accounts));
        LedgerSql.Lock(tx, [.. accounts.Where(a => locked?.ContainsKey(a.Key) != true).Select(a => a.Value)]);
        LedgerSql.Add(tx, Totals(postings, accounts));
    }

    /// <summary>The account, or null.</summary>
    public ValueTask<Account?> FindAsync(long id, CancellationToken cancel) =>
        database.ReadAsync(tx => LedgerSql.FindAsync(tx, id), cancel);

    /// <summary>The accounts of an owner, in the order in which they were opened.</summary>
    public ValueTask<List<Account>> AccountsOfAsync(string owner, CancellationToken cancel) =>
        database.ReadAsync(tx => LedgerSql.SelectOfOwnerAsync(tx, owner), cancel);

    /// <summary>All entries of a payment, in the order of posting.</summary>
    public ValueTask<List<JournalEntry>> EntriesOfPaymentAsync(Guid paymentId, CancellationToken cancel) =>
        database.ReadAsync(tx => LedgerSql.SelectOfPaymentAsync(tx, paymentId), cancel);

    /// <summary>Up to 201 entries of an account after the given one, in the order of posting.</summary>
    public ValueTask<List<JournalEntry>> EntriesOfAccountAsync(
        long accountId, JournalEntry? after, CancellationToken cancel) =>
        database.ReadAsync(tx => LedgerSql.SelectOfAccountAsync(tx, accountId, after), cancel);

    /// <summary>Debits and credits of all accounts, for each currency: equal, always.</summary>
    public ValueTask<List<(string Currency, long Debit, long Credit)>> TotalsAsync(Tx tx) =>
        LedgerSql.SelectTotalsAsync(tx);

    /// <summary>Accounts whose totals are not the sum of their entries (at most 100). Reads every entry.</summary>
    public ValueTask<List<long>> UnequalAccountsAsync(Tx tx) => LedgerSql.SelectUnequalAccountsAsync(tx);

    private async ValueTask<Dictionary<AccountName, long>> IdsOfAsync(Tx tx, List<AccountName> names)
    {
        var found = new Dictionary<AccountName, long>(names.Count);
        var missing = new List<AccountName>();
        foreach (var name in names)
        {
            if (ids.TryGetValue(name, out var id))
            {
                found.Add(name, id);
            }
            else
            {
                missing.Add(name);
            }
        }

        if (missing.Count > 0)
        {
            var created = await LedgerSql.EnsureAccountsAsync(tx, missing);
            created.ForEach(a => found.Add(a.Name, a.Id));
            tx.OnCommitted(() => Remember(created));
        }

        return found;
    }

    private void Remember(List<Account> accounts)
    {
        if (ids.Count + accounts.Count > CachedMax)
        {
            ids.Clear();
        }

        accounts.ForEach(a => ids[a.Name] = a.Id);
    }

    private List<JournalEntry> Entries(IReadOnlyList<Posting> postings, Dictionary<AccountName, long> accounts)
    {
        var nowMs = UtcInstant.Now(time).Ms;
        var entries = new List<JournalEntry>(postings.Count * 2);
        foreach (var (paymentId, eventId, line, debit, credit, amount) in postings)
        {
            entries.Add(new(paymentId, eventId, line * 2, accounts[debit], amount.AmountMinor, nowMs));
            entries.Add(new(paymentId, eventId, (line * 2) + 1, accounts[credit], amount.AmountMinor, nowMs));
        }

        return entries;
    }

    private static List<(long Id, long Debit, long Credit)> Totals(
        IReadOnlyList<Posting> postings, Dictionary<AccountName, long> accounts)
    {
        var totals = new Dictionary<long, (long Debit, long Credit)>();
        foreach (var posting in postings)
        {
            var debit = accounts[posting.Debit];
            var credit = accounts[posting.Credit];
            var d = totals.GetValueOrDefault(debit);
            totals[debit] = (checked(d.Debit + posting.Amount.AmountMinor), d.Credit);
            var c = totals.GetValueOrDefault(credit);
            totals[credit] = (c.Debit, checked(c.Credit + posting.Amount.AmountMinor));
        }

        return [.. totals.Select(t => (t.Key, t.Value.Debit, t.Value.Credit))];
    }
}
