using Floodgate.Storage.Database;
using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>An event that could not be handled, with where it came from and why it failed.</summary>
public sealed record DeadLetter(
    Guid Id,
    string Group,
    string Topic,
    int Partition,
    long Offset,
    string Key,
    string Type,
    string Payload,
    string Error,
    int Attempts,
    string State,
    long AtMs)
{
    private const int ErrorMax = 1_000;

    /// <summary>
    /// An error's message in a form that every database stores: short, and without the NUL and lone surrogates that
    /// PostgreSQL refuses. A letter that cannot be written would block its key.
    /// </summary>
    internal static string Storable(string error) => string.Create(
        Math.Min(error.Length, ErrorMax), error, static (text, from) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = char.IsControl(from[i]) ? ' ' : char.IsSurrogate(from[i]) ? '?' : from[i];
            }
        });
}

/// <summary>The desk of dead letters: look at them, send them again, or give them up.</summary>
public sealed class DeadLetters(
    Database.Database database, IEventLog log, IReadOnlyList<Topic> topics, TimeProvider time)
{
    /// <summary>Up to 200 letters of the state (<c>OPEN</c>, <c>REPLAYED</c>, <c>DISCARDED</c>) after an id.</summary>
    public ValueTask<List<DeadLetter>> ListAsync(string state, Guid after, CancellationToken cancel) =>
        database.ReadAsync(tx => LogSql.SelectAsync(tx, state, after), cancel);

    /// <summary>How many are open.</summary>
    public ValueTask<long> CountOpenAsync(CancellationToken cancel) =>
        database.ReadAsync(LogSql.CountOpenAsync, cancel);

    /// <summary>
    /// Appends the event to its topic again, under its key, and closes the letter, in one transaction. Null when
    /// no letter of this id is open: of two callers one wins.
    /// </summary>
    public ValueTask<DeadLetter?> ReplayAsync(Guid id, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var letter = await LogSql.CloseAsync(tx, id, "REPLAYED", UtcInstant.Now(time).Ms);
            if (letter is not null)
            {
                var topic = topics.Single(t => t.Name == letter.Topic);
                await log.AppendAsync(tx, [new NewEvent(topic, letter.Key, letter.Type, letter.Payload)]);
            }

            return letter;
        },
        cancel);

    /// <summary>
    /// Closes the letter without effect; <paramref name="discarded"/> lets the owner of the topic settle in
    /// the same transaction what the event was about. Null when no letter of this id is open.
    /// </summary>
    public ValueTask<DeadLetter?> DiscardAsync(
        Guid id, Func<Tx, DeadLetter, ValueTask> discarded, CancellationToken cancel) => database.WriteAsync(
        async tx =>
        {
            var letter = await LogSql.CloseAsync(tx, id, "DISCARDED", UtcInstant.Now(time).Ms);
            if (letter is not null)
            {
                await discarded(tx, letter);
            }

            return letter;
        },
        cancel);
}
