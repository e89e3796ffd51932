using System.Text.Json;
using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Supervision;

/// <summary>One thing that happened to an order.</summary>
/// <param name="At">When.</param>
/// <param name="Stage">Where: <c>order</c>, <c>queue</c>, <c>hold</c>, <c>payment</c> and so on.</param>
/// <param name="What">In words, with amounts and ids.</param>
public readonly record struct StoryLine(UtcInstant At, string Stage, string What)
{
    /// <summary>Writes it.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("at", At.Ms == 0 ? null : At.ToString());
        json.WriteString("stage", Stage);
        json.WriteString("what", What);
        json.WriteEndObject();
    }
}

/// <summary>A sale's totals from two sources, as the same text when they agree.</summary>
public sealed record Replay(string Payments, string Journal)
{
    /// <summary>True when they are the same, byte for byte.</summary>
    public bool IsSame => string.Equals(Payments, Journal, StringComparison.Ordinal);
}

/// <summary>What stories are about.</summary>
public readonly record struct StorySubject(Guid OrderId, Guid PaymentId);

/// <summary>Tells an order's whole story from every table that knows of it, in the order of time. Reads only.</summary>
public sealed class StoryBook(Database database)
{
    /// <summary>The story, or null when there is no such order.</summary>
    public ValueTask<IReadOnlyList<StoryLine>?> TellAsync(Guid order, CancellationToken cancel) =>
        database.ReadSnapshotAsync(
            async tx =>
            {
                if (await StorySql.FindAsync(tx, order) is not { } subject)
                {
                    return null;
                }

                var lines = await StorySql.TellAsync(tx, subject);
                // At one moment in the order of the flow, in which they were gathered: the sort is stable.
                return (IReadOnlyList<StoryLine>?)[.. lines.OrderBy(line => line.At)];
            },
            cancel);

    /// <summary>The totals of a sale as payments tell them, and rebuilt from the journal alone.</summary>
    public ValueTask<Replay> ReplayAsync(Guid sale, CancellationToken cancel) => database.ReadSnapshotAsync(
        async tx => new Replay(await ReplaySql.OfPaymentsAsync(tx, sale), await ReplaySql.OfJournalAsync(tx, sale)),
        cancel);
}
