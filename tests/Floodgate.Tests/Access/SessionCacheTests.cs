using Floodgate.Access.Identity;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: what ended stays ended, and the memory has a bound. Method: the cache by itself, in the order of a race.
public sealed class SessionCacheTests
{
    private static readonly Guid Session = Guid.Parse("01900000-0000-7000-8000-000000000002");

    private readonly FakeClock clock = new();
    private readonly SessionCache cache;

    public SessionCacheTests() => cache = new(new() { SessionsCachedMax = 10 }, clock, News.Alone());

    [Fact]
    public void A_session_is_alive_for_its_time_and_no_longer()
    {
        cache.PutLive(Session, cache.Ends);
        clock.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        Assert.True(cache.IsLive(Session));
        clock.Advance(TimeSpan.FromTicks(1));
        Assert.False(cache.IsLive(Session));
    }

    [Fact]
    public void A_look_up_that_began_before_the_end_does_not_bring_a_session_back()
    {
        var began = cache.Ends;
        cache.Remove(Session);
        cache.PutLive(Session, began);
        Assert.False(cache.IsLive(Session));

        began = cache.Ends;
        cache.PutLive(Session, began);
        cache.Remove(Session);
        Assert.False(cache.IsLive(Session));
    }

    [Fact]
    public void Many_sessions_never_fill_the_memory()
    {
        var all = Enumerable.Range(0, 25).Select(i => new Guid(i, 0, 0, new byte[8])).ToList();
        all.ForEach(session => cache.PutLive(session, cache.Ends));
        Assert.InRange(all.Count(cache.IsLive), 1, 10);
    }
}
