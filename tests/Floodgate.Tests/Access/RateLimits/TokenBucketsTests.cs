using Floodgate.Access.RateLimits;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Access.RateLimits;

// Goal: exactly the quota gets through, never a request more and never one less, in bounded memory. Method: a clock
// that stands still, a model that counts what is in a bucket, and many callers at once.
public sealed class TokenBucketsTests
{
    private readonly ManualClock clock = new();

    /// <summary>Milliseconds that pass, then so many requests; and whether full buckets are let go of before.</summary>
    private sealed record Step(int Ms, int Requests, bool IsSwept);

    private sealed record Story(int PerMinute, int BurstSeconds, Step[] Steps)
    {
        public override string ToString() => $"{PerMinute}/min, {BurstSeconds} s: {string.Join(", ", Steps.ToList())}";
    }

    // Goal: the number that a bucket is means what a bucket with tokens means. Method: the model adds and takes tokens.
    [Fact]
    public void A_bucket_lets_through_what_a_bucket_with_tokens_does()
    {
        var steps =
            from ms in Gen.Frequency((2, Gen.Choose(0, 50)), (2, Gen.Choose(0, 3_000)), (1, Gen.Choose(0, 200_000)))
            from requests in Gen.Choose(0, 12)
            from isSwept in Gen.Elements(true, false)
            select new Step(ms, requests, isSwept);
        var stories =
            from perMinute in Gen.Frequency((3, Gen.Choose(1, 200)), (1, Gen.Choose(1, 100_000)))
            from burst in Gen.Choose(1, 120)
            from taken in steps.ArrayOf()
            select new Story(perMinute, burst, taken);
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(2_000),
            Prop.ForAll(stories.ToArbitrary(), Play));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1)]
    public void Of_a_thousand_at_once_exactly_the_quota_gets_through(int size)
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = QuotaOf(size);
        var taken = 0;
        Parallel.For(0, 1_000, new() { MaxDegreeOfParallelism = 16 }, _ =>
            Interlocked.Add(ref taken, buckets.Take(Merchant("a"), quota).IsTaken ? 1 : 0));
        Assert.Equal(size, taken);
    }

    // Goal: letting go of a bucket never gives its tokens out twice. Method: the bucket is full at the moment it is
    // looked at and in use at the next, over and over, with threads that sweep as fast as they can.
    [Fact]
    public void A_bucket_that_goes_while_it_is_used_gives_no_token_twice()
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = QuotaOf(3);
        for (var round = 0; round < 300; round++)
        {
            var taken = 0;
            Parallel.For(0, 12, i =>
            {
                if (i % 4 == 0)
                {
                    buckets.Sweep();
                }
                else
                {
                    Interlocked.Add(ref taken, buckets.Take(Merchant("a"), quota).IsTaken ? 1 : 0);
                }
            });
            Assert.Equal(3, taken);
            clock.Advance(quota.Window);
        }
    }

    [Fact]
    public void Callers_and_limits_have_buckets_of_their_own()
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = QuotaOf(1);
        BucketKey[] keys =
        [
            Merchant("a"), Merchant("b"), new(Limit.Refund, "a", 0), new(Limit.Order, null, 1),
            new(Limit.Order, null, 2),
        ];
        Assert.All(keys, key => Assert.True(buckets.Take(key, quota).IsTaken));
        Assert.All(keys, key => Assert.False(buckets.Take(key, quota).IsTaken));
    }

    [Fact]
    public void Who_waits_as_long_as_told_finds_a_token_and_not_before()
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = new Quota(Limit.Authorize, 7, 60, clock.TimestampFrequency);
        while (buckets.Take(Merchant("a"), quota).IsTaken)
        {
        }

        for (var i = 0; i < 20; i++)
        {
            var wait = buckets.Take(Merchant("a"), quota).Span;
            clock.Advance(wait - TimeSpan.FromTicks(1));
            Assert.False(buckets.Take(Merchant("a"), quota).IsTaken);
            clock.Advance(TimeSpan.FromTicks(1));
            Assert.True(buckets.Take(Merchant("a"), quota).IsTaken);
        }
    }

    [Fact]
    public void Full_buckets_go_when_swept()
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = QuotaOf(60);
        buckets.Take(Merchant("idle"), quota);
        clock.Advance(TimeSpan.FromSeconds(1));
        buckets.Take(Merchant("busy"), quota);
        buckets.Sweep();
        Assert.Equal(1, buckets.Count);
        Assert.Equal(58, buckets.Take(Merchant("busy"), quota).Left);
    }

    // Goal: a crowd of inventions neither fills the memory nor frees a merchant from its limit. Method: 20 times as
    // many addresses as there is room for, each of which asks once.
    [Fact]
    public void A_flood_of_new_callers_pushes_out_nobody_who_is_at_the_limit()
    {
        const int Max = 1_000;
        var buckets = new TokenBuckets(Max, clock);
        while (buckets.Take(Merchant("a"), QuotaOf(100)).IsTaken)
        {
        }

        for (var i = 0; i < 20 * Max; i++)
        {
            Assert.True(buckets.Take(new(Limit.Catalogue, null, (UInt128)i), QuotaOf(100)).IsTaken);
            Assert.InRange(buckets.Count, 1, Max);
        }

        Assert.False(buckets.Take(Merchant("a"), QuotaOf(100)).IsTaken);
    }

    // Goal: a limit costs the hot path no garbage. Method: the bytes that this thread has allocated.
    [Fact]
    public void Taking_allocates_nothing()
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = QuotaOf(1_000_000);
        buckets.Take(Merchant("a"), quota);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            buckets.Take(Merchant("a"), quota);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000); // Compilation may take some.
    }

    private bool Play(Story story)
    {
        var buckets = new TokenBuckets(1_000, clock);
        var quota = new Quota(Limit.Authorize, story.PerMinute, story.BurstSeconds, clock.TimestampFrequency);
        var level = quota.Depth;
        foreach (var step in story.Steps)
        {
            clock.Advance(TimeSpan.FromMilliseconds(step.Ms));
            level = Math.Min(quota.Depth, level + (step.Ms * TimeSpan.TicksPerMillisecond));
            if (step.IsSwept)
            {
                buckets.Sweep();
            }

            for (var i = 0; i < step.Requests; i++)
            {
                var isThere = level >= quota.Interval;
                level -= isThere ? quota.Interval : 0;
                var taken = buckets.Take(Merchant("a"), quota);
                Assert.Equal((isThere, isThere ? level / quota.Interval : 0), (taken.IsTaken, taken.Left));
                Assert.Equal(isThere ? quota.Depth - level : quota.Interval - level, taken.Span.Ticks);
            }
        }

        return true;
    }

    private Quota QuotaOf(int perMinute) => new(Limit.Authorize, perMinute, 60, clock.TimestampFrequency);

    private static BucketKey Merchant(string id) => new(Limit.Authorize, id, 0);
}
