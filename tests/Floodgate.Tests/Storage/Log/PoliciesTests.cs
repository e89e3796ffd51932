using Floodgate.Storage.Coordination;
using Floodgate.Storage.Log;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Storage.Log;

/// <summary>Goal: the pure rules of the log. Method: tables.</summary>
public sealed class PoliciesTests
{
    // Goal: exponential, jittered between half and whole, capped, then never. Method: 8 tries, 100 ms to 30 s.
    [Theory]
    // attempts, chance, delay in ms (-1: no further try)
    [InlineData(1, 0.0, 50)]
    [InlineData(1, 0.5, 75)]
    [InlineData(2, 0.0, 100)]
    [InlineData(3, 0.0, 200)]
    [InlineData(3, 0.5, 300)]
    [InlineData(7, 0.0, 3_200)]
    [InlineData(8, 0.0, -1)]
    [InlineData(9, 0.9, -1)]
    public void Retries_after_doubling_delays(int attempts, double chance, int delayMs)
    {
        var delay = new RetryPolicy(8, 100, 30_000).DelayAfter(attempts, chance);
        Assert.Equal(delayMs < 0 ? null : TimeSpan.FromMilliseconds(delayMs), delay);
    }

    // Goal: no overflow and no endless wait. Method: the largest settings, late tries.
    [Theory]
    [InlineData(10, 15_000)]
    [InlineData(50, 15_000)]
    [InlineData(99, 15_000)]
    public void Never_waits_longer_than_the_longest_delay(int attempts, int delayMs) =>
        Assert.Equal(
            TimeSpan.FromMilliseconds(delayMs), new RetryPolicy(100, 60_000, 30_000).DelayAfter(attempts, chance: 0));

    // Goal: one try means one. Method: the smallest setting.
    [Fact]
    public void One_try_is_never_repeated() => Assert.Null(new RetryPolicy(1, 100, 30_000).DelayAfter(1, chance: 0));

    // Goal: a key stays in its partition over versions and processes. Method: published vectors of FNV-1a (32 bit), and
    // fixed ones of our own for text beyond ASCII and beyond the stack buffer.
    [Theory]
    [InlineData("", 0x811c9dc5)]
    [InlineData("a", 0xe40c292c)]
    [InlineData("foobar", 0xbf9cf968)]
    [InlineData("사용자-1", 0xec1feeda)]
    public void A_key_has_the_same_partition_for_ever(string key, uint hash)
    {
        foreach (var partitions in new[] { 1, 7, 10, 1_000 })
        {
            Assert.Equal((int)(hash % (uint)partitions), new Topic(1, "t", partitions, 1).PartitionOf(key));
        }
    }

    // Goal: the length of a key does not change how it is hashed. Method: the plain definition, near the buffer's size.
    [Theory]
    [InlineData(340)]
    [InlineData(341)]
    [InlineData(342)]
    [InlineData(5_000)]
    public void A_long_key_is_hashed_like_a_short_one(int length)
    {
        var hash = 2_166_136_261u;
        for (var i = 0; i < length; i++)
        {
            hash = unchecked((hash ^ 'x') * 16_777_619u);
        }

        Assert.Equal((int)(hash % 997), new Topic(1, "t", 997, 1).PartitionOf(new string('x', length)));
    }

    // Goal: what one partition is called in rows is called by no other. Method: neighbours.
    [Fact]
    public void Partitions_of_different_topics_have_different_ids() =>
        Assert.NotEqual(
            new Topic(1, "a", Topic.PartitionsMax, 1).PartitionId(Topic.PartitionsMax - 1),
            new Topic(2, "b", 1, 1).PartitionId(0));

    // Goal: the error of a dead letter can be stored on every database. Method: what PostgreSQL refuses, and too much.
    [Fact]
    public void The_error_of_a_dead_letter_is_short_and_storable()
    {
        Assert.Equal("한글 is kept", DeadLetter.Storable("한글 is kept"));
        Assert.Equal("a b ?c??", DeadLetter.Storable("a\0b\n\ud800c😀"));
        Assert.Equal(1_000, DeadLetter.Storable(new string('x', 5_000)).Length);
    }

    // Goal: a wake-up is never lost. Method: ring before, while and after a wait, with a clock that stands still.
    [Fact]
    public async Task A_signal_lets_the_loop_pass_once_for_any_number_of_rings()
    {
        var clock = new FakeClock();
        var signal = new Signal();
        signal.Set();
        signal.Set();
        Assert.True(await WaitAsync());

        var waiting = WaitAsync();
        Assert.False(waiting.IsCompleted);
        signal.Set();
        Assert.True(await waiting.Soon());

        waiting = WaitAsync();
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await waiting.Soon());

        Task<bool> WaitAsync() =>
            signal.WaitAsync(TimeSpan.FromSeconds(1), clock, CancellationToken.None).AsTask();
    }
}
