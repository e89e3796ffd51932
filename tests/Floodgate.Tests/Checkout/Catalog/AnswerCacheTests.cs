using Floodgate.Checkout.Catalog;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Access;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Checkout.Catalog;

// Goal: no answer is older than the bound or than a change, and a crowd costs one read. Method: a clock that stands
// still, and loads that end when the test says so.
public sealed class AnswerCacheTests
{
    private static readonly CatalogSettings Settings = new(FreshMs: 100, StaleMsMax: 1_000, AnswersMax: 10);

    private readonly ManualClock clock = new();
    private readonly AnswerCache cache;
    private int loads;

    public AnswerCacheTests() => cache = new(Settings, clock, SharedAnswers.None());

    [Fact]
    public async Task A_crowd_that_asks_at_once_costs_one_load()
    {
        var gate = new TaskCompletionSource<byte[]?>();
        var asked = Enumerable.Range(0, 1_000).Select(_ => GetAsync(() => gate.Task)).ToList();
        gate.SetResult([7]);

        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal([7], answer));
        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task A_fresh_answer_is_given_from_memory()
    {
        await GetAsync(1);
        clock.Advance(TimeSpan.FromMilliseconds(99));
        Assert.Equal([1], await GetAsync(2));
        Assert.Equal((1, 1), (cache.Counts.Hits, loads));
    }

    // Between fresh and the bound: the old answer at once, and one renewal behind, however many ask.
    [Fact]
    public async Task An_ageing_answer_is_given_and_renewed_behind()
    {
        await GetAsync(1);
        clock.Advance(TimeSpan.FromMilliseconds(500));
        var renewal = new TaskCompletionSource<byte[]?>();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal([1], await GetAsync(() => renewal.Task));
        }

        Assert.Equal(2, await LoadsAsync(2));
        renewal.SetResult([2]);
        await UntilAsync(async () => (await GetAsync(3))![0] == 2);
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task Nothing_older_than_the_bound_is_given()
    {
        await GetAsync(1);
        clock.Advance(TimeSpan.FromMilliseconds(1_000));
        Assert.Equal([2], await GetAsync(2));
    }

    // Goal: the bound holds while the database is away: an error, never an old answer.
    [Fact]
    public async Task A_load_that_fails_is_told_and_tried_again_by_the_next()
    {
        await GetAsync(1);
        clock.Advance(TimeSpan.FromMilliseconds(1_000));
        await Assert.ThrowsAsync<IOException>(() => GetAsync(() => Task.FromException<byte[]?>(new IOException())));
        Assert.Equal([3], await GetAsync(3));
    }

    [Fact]
    public async Task A_change_evicts_at_once()
    {
        await GetAsync(1);
        cache.Evict();
        Assert.Equal([2], await GetAsync(2));
    }

    // Goal: what was read before a change is not kept after it. Method: the change comes while the load is under way.
    [Fact]
    public async Task A_load_that_began_before_a_change_is_not_kept()
    {
        var gate = new TaskCompletionSource<byte[]?>();
        var before = GetAsync(() => gate.Task);
        Assert.Equal(1, await LoadsAsync(1));
        cache.Evict();
        Assert.Equal([2], await GetAsync(2));
        gate.SetResult([1]);
        Assert.Equal([1], await before);
        Assert.Equal([3], await GetAsync(3));
    }

    [Fact]
    public async Task What_is_not_there_is_an_answer_too()
    {
        Assert.Null(await GetAsync(() => Task.FromResult<byte[]?>(null)));
        Assert.Null(await GetAsync(() => Task.FromResult<byte[]?>([1])));
        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task The_number_of_answers_is_bounded()
    {
        for (var i = 0; i < 100; i++)
        {
            clock.Advance(TimeSpan.FromMilliseconds(1));
            await cache.GetAsync(KeyOf(i), _ => LoadAsync(Task.FromResult<byte[]?>([1])));
        }

        var before = loads;
        await cache.GetAsync(KeyOf(99), _ => LoadAsync(Task.FromResult<byte[]?>([1])));
        Assert.Equal(before, loads);
        await cache.GetAsync(KeyOf(0), _ => LoadAsync(Task.FromResult<byte[]?>([1])));
        Assert.Equal(before + 1, loads);
    }

    private static AnswerKey KeyOf(int n) => new(AnswerKind.Products, Guid.Empty, n + 1);

    private Task<byte[]?> GetAsync(byte answer) => GetAsync(() => Task.FromResult<byte[]?>([answer]));

    private Task<byte[]?> GetAsync(Func<Task<byte[]?>> load) =>
        cache.GetAsync(KeyOf(0), _ => LoadAsync(load())).AsTask();

    private Task<byte[]?> LoadAsync(Task<byte[]?> answer)
    {
        Interlocked.Increment(ref loads);
        return answer;
    }

    private async Task<int> LoadsAsync(int expected)
    {
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref loads) == expected));
        return loads;
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Eventually.Deadline, "It never held.");
            await Task.Yield();
        }
    }
}
