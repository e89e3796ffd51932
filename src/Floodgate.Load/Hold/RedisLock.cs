using System.Collections.Concurrent;
using System.Globalization;
using Floodgate.Load.Target;
using StackExchange.Redis;

namespace Floodgate.Load.Hold;

/// <summary>
/// The lock that is usually put around stock: <c>SET NX PX</c> with an owner, release by compare and delete, and a
/// message that wakes one who waits, so that nobody spins.
/// </summary>
internal sealed class RedisLock : IAsyncDisposable
{
    private const string Release = """
        if redis.call('get', KEYS[1]) == ARGV[1] then
            redis.call('del', KEYS[1])
            redis.call('publish', KEYS[1], '1')
            return 1
        end
        return 0
        """;

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);

    /// <summary>A message can be missed between the try and the wait, so nobody waits for it longer.</summary>
    private static readonly TimeSpan WakeUpMax = TimeSpan.FromMilliseconds(100);

    private readonly ConnectionMultiplexer redis;
    private readonly string prefix;
    private readonly ConcurrentDictionary<string, SemaphoreSlim> wakers = [];
    private long owners;

    private RedisLock(ConnectionMultiplexer redis, string prefix) => (this.redis, this.prefix) = (redis, prefix);

    /// <summary>Connects.</summary>
    /// <exception cref="CannotRunException">Nobody answers.</exception>
    public static async Task<RedisLock> ConnectAsync(string address, string runId)
    {
        try
        {
            return new RedisLock(await ConnectionMultiplexer.ConnectAsync(address), $"floodgate-load:{runId}:");
        }
        catch (RedisConnectionException broken)
        {
            throw new CannotRunException($"--yardstick-redis {address}: {broken.Message}");
        }
    }

    /// <summary>Waits until the lock is ours; disposing gives it back.</summary>
    public async Task<IAsyncDisposable> TakeAsync(string name, TimeProvider time, CancellationToken cancel)
    {
        var key = prefix + name;
        var owner = Interlocked.Increment(ref owners).ToString(CultureInfo.InvariantCulture);
        var database = redis.GetDatabase();
        while (!await database.StringSetAsync(key, owner, Lease, When.NotExists))
        {
            await WakerOf(key).WaitAsync(WakeUpMax, cancel);
        }

        return new Held(database, key, owner);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await redis.CloseAsync();
        redis.Dispose();
    }

    private SemaphoreSlim WakerOf(string key) => wakers.GetOrAdd(key, name =>
    {
        var waker = new SemaphoreSlim(0);
        redis.GetSubscriber().Subscribe(RedisChannel.Literal(name), (_, _) => waker.Release());
        return waker;
    });

    private sealed class Held(IDatabase database, string key, string owner) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await database.ScriptEvaluateAsync(Release, [key], [owner]);
    }
}
