using Floodgate.Vocabulary;

namespace Floodgate.Storage.Log;

/// <summary>
/// An event in work. The handler's transaction gives it to <see cref="Offsets.CommitWith"/>, so that the
/// offset is committed with the effect.
/// </summary>
public sealed record Delivery<TMessage>(LoggedEvent Event, TMessage Message);

/// <summary>What a consumer does with the events of its topics.</summary>
/// <param name="Group">The consumer group.</param>
/// <param name="Topics">What it reads.</param>
/// <param name="PrepareAsync">
/// Turns the events of one fetch into messages, one for each in their order, loading in bulk what they need. What it
/// loads may be older than the effect of earlier events of the same key, which can still be in work. While it
/// finds the database away it is called again; when it throws otherwise, it is called again for each event alone,
/// as a part of that event's tries.</param>
/// <param name="HandleAsync">
/// Handles one message; completes when its effect is durable. An exception means: try again; a
/// <see cref="Database.DatabaseUnavailableException"/> does not count as a try, a <see cref="BadEventException"/> is
/// the last one. Idempotent, because events are delivered at least once. Its token is cancelled when the consumer
/// gives up what is in work.</param>
public sealed record ConsumerPlan<TMessage>(
    string Group,
    IReadOnlyList<Topic> Topics,
    Func<IReadOnlyList<LoggedEvent>, CancellationToken, ValueTask<IReadOnlyList<Prepared<TMessage>>>> PrepareAsync,
    Func<Delivery<TMessage>, CancellationToken, Task> HandleAsync)
{
    /// <summary>
    /// False when the effects do not depend on the order of a key's events: then all of them are in work at once. A
    /// whole sale has one key, and its events one after the other would be a commit each.
    /// </summary>
    public bool IsOrdered { get; init; } = true;
}

/// <summary>A message, nothing to do, or why the event can never be handled.</summary>
public readonly record struct Prepared<TMessage>(TMessage? Message, string? Error)
{
    /// <summary>True when there is nothing to do: the event's effect is there already.</summary>
    public bool IsDone => Message is null && Error is null;
}

/// <summary>What consumers share.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Ids">Ids of dead letters.</param>
/// <param name="Chance">Random numbers from 0 up to 1, for the jitter.</param>
/// <param name="Log">The messages of this module.</param>
public sealed record ConsumerTools(TimeProvider Time, Ids Ids, Func<double> Chance, LogLog Log);
