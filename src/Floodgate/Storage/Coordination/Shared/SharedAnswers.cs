using StackExchange.Redis;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>What a look-up found.</summary>
/// <param name="Generation">Give it back with the answer that is kept.</param>
/// <param name="Answer">The answer; null when there is none.</param>
/// <param name="Age">How old it is at the least.</param>
public readonly record struct SharedAnswer(string Generation, byte[]? Answer, TimeSpan Age);

/// <summary>
/// The second level of a cache: what one node has read, the others need not. Answers belong to a generation, a number
/// that each change raises, so what was read before a change is not found after it; and each lives a bounded time, so
/// a change that could not be told is not hidden for longer. One cache for the whole program: changes are rare.
/// </summary>
public sealed class SharedAnswers
{
    private const string Generation = "answers";

    private const string Find = """
        local generation = redis.call('get', KEYS[1]) or '0'
        local key = KEYS[1] .. ':' .. generation .. ':' .. ARGV[1]
        return {generation, redis.call('get', key), redis.call('pttl', key)}
        """;

    private const string Keep = "return redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])";
    private const string Raise = "return redis.call('incr', KEYS[1])";

    private readonly Redis? redis;

    internal SharedAnswers(Redis? redis) => this.redis = redis;

    /// <summary>Those of a process that is alone: there is no second level.</summary>
    public static SharedAnswers None() => new(null);

    /// <summary>Looks for an answer that was kept for so long; null when Redis is away, or there is none.</summary>
    public async ValueTask<SharedAnswer?> FindAsync(string name, TimeSpan life)
    {
        if (redis is null || await redis.RunAsync(Find, [Generation], [name]) is not { } result)
        {
            return null;
        }

        var found = (RedisResult[])result!;
        var leftMs = (long)found[2];
        return new(
            (string)found[0]!,
            leftMs > 0 ? (byte[]?)found[1] : null,
            life - TimeSpan.FromMilliseconds(Math.Max(0, leftMs)));
    }

    /// <summary>Keeps an answer that was read after <see cref="FindAsync"/> had said the generation; behind.</summary>
    public void Put(string name, string generation, byte[] answer, TimeSpan life)
    {
        if (redis is not null && life > TimeSpan.Zero)
        {
            var lifeMs = (long)Math.Ceiling(life.TotalMilliseconds);
            _ = redis.RunAsync(Keep, [$"{Generation}:{generation}:{name}"], [answer, lifeMs]).AsTask();
        }
    }

    /// <summary>Whatever was kept is not found any more; behind, and before anything that is asked for later.</summary>
    public void Evict()
    {
        if (redis is not null)
        {
            _ = redis.RunAsync(Raise, [Generation], []).AsTask();
        }
    }
}
