using Floodgate.Storage.Database;

namespace Floodgate.Settlement.Batches;

/// <summary>Payouts and their statements, as they are read. From the replica as far as it has them.</summary>
internal sealed class PayoutBook(Database database, BatchReads reads)
{
    /// <summary>Payouts after an id, of one merchant or, with null, of all.</summary>
    public ValueTask<List<Payout>> ListAsync(string? merchantId, Guid after, int max, CancellationToken cancel) =>
        database.ReadAsync(tx => BatchesSql.SelectPayoutsAsync(tx, merchantId, after, max), cancel);

    /// <summary>The sums of a day by currency.</summary>
    public ValueTask<List<SettlementTotals>> TotalsAsync(DateOnly day, CancellationToken cancel) =>
        database.ReadAsync(tx => BatchesSql.TotalsAsync(tx, day.DayNumber), cancel);

    /// <summary>A payout's statement, or null: there is no such payout of this merchant (of any with null).</summary>
    public async ValueTask<Statement?> FindStatementAsync(Guid id, string? merchantId, CancellationToken cancel)
    {
        // A payout is made after its lines: a replica that has it has them.
        var isThere = true;
        if (await reads.ReadAsync(tx => BatchesSql.FindPayoutAsync(tx, id), cancel) is not { } payout)
        {
            isThere = false;
            payout = await database.ReadAsync(tx => BatchesSql.FindPayoutAsync(tx, id), cancel);
        }

        return payout is not null && (merchantId is null || payout.Net.Account.MerchantId == merchantId)
            ? new(payout, (after, max) => isThere
                ? reads.ReadAsync(tx => BatchesSql.SelectStatementAsync(tx, payout, after, max), cancel)
                : database.ReadAsync(tx => BatchesSql.SelectStatementAsync(tx, payout, after, max), cancel))
            : null;
    }

    /// <summary>A payout, and how to read a page of its lines after an event and number.</summary>
    internal sealed record Statement(
        Payout Payout, Func<(Guid EventId, long Number), int, ValueTask<List<StatementLine>>> PageAsync)
    {
        /// <summary>Before the first line.</summary>
        public static (Guid EventId, long Number) First => (Guid.Empty, -1);
    }
}
