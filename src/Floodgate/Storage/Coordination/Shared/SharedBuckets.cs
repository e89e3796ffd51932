using StackExchange.Redis;

namespace Floodgate.Storage.Coordination.Shared;

/// <summary>What a shared bucket gives: as a bucket of this process does, in microseconds.</summary>
/// <param name="IsTaken">Whether there was a token.</param>
/// <param name="Left">How many are left.</param>
/// <param name="Micros">Until the bucket is full; when none was taken, until there is one.</param>
public readonly record struct SharedTake(bool IsTaken, long Left, long Micros);

/// <summary>
/// Token buckets that all nodes take from. A bucket is one number, the moment at which it is full by the clock of
/// Redis, and one script decides each of those asked for at that moment: decisions that come together while another is
/// under way travel together, in their order, so the cost of a round trip is shared by all. A full bucket has no key.
/// </summary>
public sealed class SharedBuckets
{
    private const int BatchMax = 1_000;

    // Moments are whole microseconds, which a double of Lua holds exactly. A clock of Redis that is set back shuts
    // nobody out for longer than a bucket takes to fill.
    private const string Take = """
        local clock = redis.call('time')
        local now = clock[1] * 1000000 + clock[2]
        local answers = {}
        for i, key in ipairs(KEYS) do
            local interval, depth = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
            local full = math.min(tonumber(redis.call('get', key) or '0'), now + depth)
            local next = math.max(full, now) + interval
            local wait = next - now - depth
            if wait > 0 then
                answers[3 * i - 2], answers[3 * i - 1], answers[3 * i] = 0, 0, wait
            else
                redis.call('set', key, string.format('%.0f', next), 'px', math.ceil((next - now) / 1000))
                answers[3 * i - 2], answers[3 * i - 1] = 1, math.floor(-wait / interval)
                answers[3 * i] = next - now
            end
        end
        return answers
        """;

    private readonly Redis? redis;

    // All under the gate.
    private readonly Lock gate = new();
    private List<Asked> asked = [];
    private bool isAsking;

    internal SharedBuckets(Redis? redis) => this.redis = redis;

    /// <summary>True when there are any: with a Redis, also while it is away.</summary>
    public bool IsShared => redis is not null;

    /// <summary>
    /// Takes one token, if there is one; null when Redis is away, and then it may have been taken.
    /// </summary>
    /// <param name="name">Whose bucket.</param>
    /// <param name="intervalMicros">In which time room for one comes back.</param>
    /// <param name="depthMicros">In which time an empty bucket is full again.</param>
    public ValueTask<SharedTake?> TakeAsync(string name, long intervalMicros, long depthMicros)
    {
        if (redis is null or { IsAway: true })
        {
            return new((SharedTake?)null);
        }

        var mine = new Asked(name, intervalMicros, depthMicros);
        lock (gate)
        {
            asked.Add(mine);
            if (isAsking)
            {
                return new(mine.Task);
            }

            isAsking = true;
        }

        _ = AskAsync(redis);
        return new(mine.Task);
    }

    private async Task AskAsync(Redis open)
    {
        while (true)
        {
            List<Asked> batch;
            lock (gate)
            {
                if (asked.Count == 0)
                {
                    isAsking = false;
                    return;
                }

                batch = asked;
                asked = [];
            }

            foreach (var some in batch.Chunk(BatchMax))
            {
                await AskAsync(open, some);
            }
        }
    }

    private static async Task AskAsync(Redis open, Asked[] batch)
    {
        var values = new RedisValue[batch.Length * 2];
        for (var i = 0; i < batch.Length; i++)
        {
            (values[2 * i], values[(2 * i) + 1]) = (batch[i].Interval, batch[i].Depth);
        }

        var answers = await open.RunAsync(Take, Array.ConvertAll(batch, one => one.Key), values) is { } result
            ? (long[]?)result
            : null;
        for (var i = 0; i < batch.Length; i++)
        {
            batch[i].SetResult(answers is null
                ? null
                : new SharedTake(answers[3 * i] == 1, answers[(3 * i) + 1], answers[(3 * i) + 2]));
        }
    }

    private sealed class Asked(string name, long interval, long depth)
        : TaskCompletionSource<SharedTake?>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public string Key { get; } = "bucket:" + name;

        public long Interval => interval;

        public long Depth => depth;
    }
}
