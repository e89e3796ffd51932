using StackExchange.Redis;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>
/// When somebody was last heard of, on whichever node: a sorted set for each group, by the clock of Redis. It may be
/// lost; who asks is told since when it is kept, so that nobody is taken for gone because a memory is short.
/// </summary>
public sealed class SignsOfLife
{
    private const int BatchMax = 1_000;
    private const int KeptSeconds = 86_400;

    private const string Note = """
        local now = redis.call('time')[1]
        redis.call('set', KEYS[2], now, 'nx', 'ex', ARGV[1])
        redis.call('expire', KEYS[2], ARGV[1])
        for i = 2, #ARGV do redis.call('zadd', KEYS[1], now, ARGV[i]) end
        redis.call('zremrangebyscore', KEYS[1], '-inf', now - ARGV[1])
        redis.call('expire', KEYS[1], ARGV[1])
        return now
        """;

    private const string Ask = """
        local now = redis.call('time')[1]
        local answers = {now - (redis.call('get', KEYS[2]) or now)}
        for i, one in ipairs(ARGV) do
            local seen = redis.call('zscore', KEYS[1], one)
            answers[i + 1] = seen and now - seen or -1
        end
        return answers
        """;

    private readonly Redis? redis;

    internal SignsOfLife(Redis? redis) => this.redis = redis;

    /// <summary>These were heard of now. Nothing is kept while Redis is away.</summary>
    public async ValueTask NoteAsync(Guid group, IReadOnlyList<Guid> heard)
    {
        foreach (var some in heard.Chunk(BatchMax))
        {
            RedisValue[] values = [KeptSeconds, .. some.Select(MemberOf)];
            if (redis is null || await redis.RunAsync(Note, KeysOf(group), values) is null)
            {
                return;
            }
        }
    }

    /// <summary>
    /// How many seconds ago each was heard of, and never for one that was not; null when Redis is away or its memory is
    /// shorter than this.
    /// </summary>
    public async ValueTask<IReadOnlyList<long?>?> AgoAsync(Guid group, IReadOnlyList<Guid> asked, int memorySeconds)
    {
        var ago = new List<long?>(asked.Count);
        foreach (var some in asked.Chunk(BatchMax))
        {
            if (redis is null || await redis.RunAsync(Ask, KeysOf(group), [.. some.Select(MemberOf)]) is not { } result)
            {
                return null;
            }

            var answers = (long[])result!;
            if (answers[0] < memorySeconds)
            {
                return null;
            }

            ago.AddRange(answers.Skip(1).Select(seconds => seconds < 0 ? (long?)null : seconds));
        }

        return ago;
    }

    private static string[] KeysOf(Guid group) => [$"seen:{group:N}", $"seen:{group:N}:since"];

    private static RedisValue MemberOf(Guid id) => id.ToByteArray();
}
