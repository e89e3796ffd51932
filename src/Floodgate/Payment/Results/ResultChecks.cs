using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Payment.Results;

/// <summary>The door for supervision: what must hold between orders and their payments.</summary>
public sealed class ResultChecks
{
    private readonly ResultWorker worker;

    internal ResultChecks(ResultWorker worker) => this.worker = worker;

    /// <summary>Why outcomes are not carried to orders; null while all is well.</summary>
    public Exception? Failure => worker.Consumer.Failure;

    /// <summary>
    /// Checks every rule over all rows, in a snapshot. Its cost grows with what is stored; it reads only.
    /// </summary>
    public static async ValueTask<IReadOnlyList<InvariantCheck>> CheckAsync(Tx tx)
    {
        var unpaid = await ResultsSql.SelectUnpaidAsync(tx);
        var kept = await ResultsSql.SelectKeptAsync(tx);
        return
        [
            new(
                "confirmed-orders-are-paid",
                unpaid.Count == 0,
                unpaid.Count == 0 ? "every confirmed order has its money"
                    : $"orders {string.Join(", ", unpaid)} are confirmed and not paid as they say"),
            new(
                "no-money-without-goods",
                kept.Count == 0,
                kept.Count == 0 ? "no money is kept for an order that is over"
                    : $"orders {string.Join(", ", kept)} are over, and their money is neither back nor on its way"),
        ];
    }
}
