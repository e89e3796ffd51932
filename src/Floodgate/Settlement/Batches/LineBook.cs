using System.Collections.Concurrent;
using Floodgate.Checkout.Catalog;
using Floodgate.Checkout.Orders;
using Floodgate.Payment.Charges;
using Floodgate.Storage.Database;
using Floodgate.Storage.Log;
using Floodgate.Vocabulary;

namespace Floodgate.Settlement.Batches;

/// <summary>A merchant's money of one currency.</summary>
internal sealed record SettlementAccount(long Id, string MerchantId, string Currency);

/// <summary>A fact of payments to be written as lines.</summary>
internal sealed record Moved(PaymentFact Fact, bool IsRefund);

/// <summary>
/// Writes the lines that settlements take up. All facts that wait are one transaction with the group's offsets.
/// Idempotent by the event of the ledger (<c>settlement_line_of_event</c>). A line's day is that of its capture or
/// refund; when that is closed already, the next open one: what is settled never changes.
/// </summary>
internal sealed class LineBook : IAsyncDisposable
{
    private const int QueueMax = 20_000;
    private const int BatchMax = 5_000;
    private const int CachedMax = 100_000;

    private readonly Days days;
    private readonly GroupCommit<Delivery<Moved>, bool> writing;

    // Ids never change; filled after commits only.
    private readonly ConcurrentDictionary<(string MerchantId, string Currency), long> accounts = new();

    public LineBook(Database database, BatchesSettings settings, TimeProvider time)
    {
        days = new(settings.Zone);
        // One writer: two at once would wait for each other at the calendar.
        writing = new(database, WriteAsync, new(LineWorker.Group, QueueMax, BatchMax, 1, long.MaxValue), time);
    }

    /// <summary>The group's progress, given by the worker when it runs.</summary>
    public Offsets? Offsets { get; set; }

    /// <summary>Writes it; completes when that is durable.</summary>
    public Task WriteAsync(Delivery<Moved> moved, CancellationToken cancel) => writing.SubmitAsync(moved, cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => writing.DisposeAsync();

    private async ValueTask<IReadOnlyList<bool>> WriteAsync(Tx tx, IReadOnlyList<Delivery<Moved>> batch)
    {
        await WriteAsync(tx, [.. batch.Select(d => d.Message)]);
        Offsets?.CommitWith(tx, batch.Select(d => d.Event));
        return new bool[batch.Count];
    }

    /// <summary>The same for facts by themselves. Locks the calendar first, then totals by their key.</summary>
    internal async ValueTask WriteAsync(Tx tx, IReadOnlyList<Moved> moved)
    {
        var firstOpen = await LinesSql.LockCalendarAsync(tx) + 1;
        var payments = moved.Select(m => m.Fact.PaymentId).Distinct().ToList();
        var stored = (await LinesSql.SelectLinesAsync(tx, payments)).ToLookup(l => l.PaymentId);
        var known = payments.ToDictionary(p => p, p => new LinesOfPayment(stored[p]));
        var captures = await CapturesAsync(tx, moved, known);
        var refunds = moved.Where(m => m.IsRefund && !known[m.Fact.PaymentId].Knows(m.Fact.EventId))
            .Select(m => m.Fact).OrderBy(f => f.AtMs).ThenBy(f => f.EventId).ToList();
        var accountOf = await AccountsAsync(tx, [.. captures, .. refunds]);
        var classesOf = await ClassesAsync(tx, captures);

        var lines = new List<Line>();
        foreach (var fact in captures)
        {
            lines.AddRange(known[fact.PaymentId].Capture(
                fact, DayOf(fact), m => accountOf[(m, fact.Currency.Code)], m => classesOf(fact, m)));
        }

        foreach (var fact in refunds)
        {
            lines.AddRange(known[fact.PaymentId].Refund(
                fact, DayOf(fact), m => accountOf[(m, fact.Currency.Code)]));
        }

        if (lines.Count > 0)
        {
            await LinesSql.InsertAsync(tx, lines);
            BatchesLog.CountWritten(lines.Count);
        }

        long DayOf(PaymentFact fact) => Math.Max(days.Of(new(fact.AtMs)).DayNumber, firstOpen);
    }

    /// <summary>
    /// The captures that have no lines: of this batch, and of refunds that were read before them, as captures and
    /// refunds are in different topics. The capture's own event then finds nothing to do.
    /// </summary>
    private static async ValueTask<List<PaymentFact>> CapturesAsync(
        Tx tx, IReadOnlyList<Moved> moved, Dictionary<Guid, LinesOfPayment> known)
    {
        var captures = moved.Where(m => !m.IsRefund && !known[m.Fact.PaymentId].IsCaptured)
            .Select(m => m.Fact).DistinctBy(f => f.PaymentId).ToList();
        var here = captures.Select(f => f.PaymentId).ToHashSet();
        var missing = moved.Where(m => m.IsRefund).Select(m => m.Fact.PaymentId).Distinct()
            .Where(p => !known[p].IsCaptured && !here.Contains(p)).ToList();
        if (missing.Count > 0)
        {
            captures.AddRange(await PaymentBook.CapturesOfAsync(tx, missing));
        }

        return captures;
    }

    private async ValueTask<Dictionary<(string, string), long>> AccountsAsync(Tx tx, List<PaymentFact> facts)
    {
        var names = facts.SelectMany(f => f.Parts.Select(p => (p.MerchantId, f.Currency.Code))).Distinct().ToList();
        var found = names.Where(accounts.ContainsKey).ToDictionary(n => n, n => accounts[n]);
        var missing = names.Where(n => !found.ContainsKey(n))
            .OrderBy(n => n.MerchantId, StringComparer.Ordinal).ThenBy(n => n.Code, StringComparer.Ordinal).ToList();
        if (missing.Count > 0)
        {
            var made = await LinesSql.EnsureAccountsAsync(tx, missing);
            made.ForEach(a => found.Add((a.MerchantId, a.Currency), a.Id));
            tx.OnCommitted(() => Remember(made));
        }

        return found;
    }

    private void Remember(List<SettlementAccount> made)
    {
        if (accounts.Count + made.Count > CachedMax)
        {
            accounts.Clear();
        }

        made.ForEach(a => accounts[(a.MerchantId, a.Currency)] = a.Id);
    }

    /// <summary>
    /// What a merchant's part of a capture is made of: the classes of the order's lines, or the standard one of a
    /// payment without an order of ours.
    /// </summary>
    private static async ValueTask<Func<PaymentFact, string, IReadOnlyList<(string, long)>>> ClassesAsync(
        Tx tx, List<PaymentFact> captures)
    {
        IReadOnlyList<(string, long)> standard = [(LinesOfPayment.Standard, 1)];
        var orderIds = captures.Select(f => f.OrderId)
            .Select(o => Guid.TryParseExact(o, "D", out var id) ? id : Guid.Empty)
            .Where(id => id != Guid.Empty).Distinct().ToList();
        if (orderIds.Count == 0)
        {
            return (_, _) => standard;
        }

        // By payment too: a merchant may call an order of its own by any id.
        var orders = (await OrderBook.FindAsync(tx, orderIds)).ToDictionary(o => o.Facts.PaymentId);
        var products = orders.Values.SelectMany(o => o.Lines).Select(l => l.ProductId).Distinct().ToList();
        var classes = await CatalogBook.ClassesOfAsync(tx, products);
        return (fact, merchant) => orders.TryGetValue(fact.PaymentId, out var order)
            && order.Lines.Where(l => l.MerchantId == merchant).ToList() is { Count: > 0 } lines
            ?
            [
                .. lines.GroupBy(l => classes.GetValueOrDefault(l.ProductId, LinesOfPayment.Standard))
                    .OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => (g.Key, g.Sum(l => l.Amount))),
            ]
            : standard;
    }
}
