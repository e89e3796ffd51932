namespace Floodgate.Load.Queue;

/// <summary>What <c>queue</c> was asked to do; see the options of <see cref="QueueCommand"/>.</summary>
internal sealed record QueuePlan
{
    /// <summary>Buyers who join.</summary>
    public int Count { get; init; } = 100_000;

    /// <summary>Connections of the joins and of the polls.</summary>
    public int Connections { get; init; } = 64;

    /// <summary>Joins before the measured ones, into a room of their own.</summary>
    public int WarmUp { get; init; } = 5_000;

    /// <summary>Tickets whose stream is open.</summary>
    public int Streams { get; init; } = 1_000;

    /// <summary>How long the streams are listened to, in seconds.</summary>
    public int StreamSeconds { get; init; } = 15;

    /// <summary>Seconds of the no-op loop before and after; 0 = none.</summary>
    public int NoOpSeconds { get; init; } = 3;

    /// <summary>An answer that takes longer counts as an error.</summary>
    public int TimeoutSeconds { get; init; } = 30;
}
