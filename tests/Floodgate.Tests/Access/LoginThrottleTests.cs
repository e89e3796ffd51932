using System.Net;
using Floodgate.Access.Identity;
using Floodgate.Storage.Coordination.Shared;
using Floodgate.Tests.Fixtures;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: guessing gets slower and slower, and nobody who knows the password pays for it longer than stated.
// Method: the throttle by itself with a clock of the test's own; three failures per account, five per address.
public sealed class LoginThrottleTests
{
    private static readonly IPAddress Home = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Away = IPAddress.Parse("192.0.2.2");

    private readonly FakeClock clock = new();
    private readonly LoginThrottle throttle;

    public LoginThrottleTests() =>
        throttle = new(new() { AccountFailuresMax = 3, AddressFailuresMax = 5 }, News.Alone(), clock);

    [Fact]
    public void Each_failure_more_doubles_the_wait_up_to_the_limit()
    {
        Fail("ada", Home, 3);
        foreach (var seconds in new[] { 60, 120, 240, 480, 900, 900 })
        {
            Assert.Equal(TimeSpan.FromSeconds(seconds), WaitOf("ada", Away));
            clock.Advance(TimeSpan.FromSeconds(seconds));
            Fail("ada", Home, 1);
        }
    }

    [Fact]
    public void An_account_waits_from_every_address_and_others_do_not()
    {
        Fail("ada", Home, 3);
        Assert.NotEqual(TimeSpan.Zero, WaitOf("ada", Away));
        Assert.Equal(TimeSpan.Zero, WaitOf("bob", Home));
    }

    [Fact]
    public void An_address_waits_for_every_account_and_others_do_not()
    {
        for (var i = 0; i < 5; i++)
        {
            Fail($"user-{i}", Home, 1);
        }

        Assert.Equal(TimeSpan.FromSeconds(60), WaitOf("ada", Home));
        Assert.Equal(TimeSpan.FromSeconds(60), WaitOf(null, Home));
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", Away));
    }

    [Fact]
    public void Addresses_of_one_IPv6_network_are_one()
    {
        for (var i = 0; i < 5; i++)
        {
            Fail($"user-{i}", IPAddress.Parse($"2001:db8::{i}"), 1);
        }

        Assert.NotEqual(TimeSpan.Zero, WaitOf("ada", IPAddress.Parse("2001:db8::ffff")));
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", IPAddress.Parse("2001:db8:1::1")));
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", null));
    }

    [Fact]
    public void A_success_forgives_the_account_and_of_the_address_one_attempt_only()
    {
        Fail("ada", Home, 2);
        Succeed("ada", Home);
        Fail("ada", Home, 2);
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", Home));
        Succeed("bob", Home);
        Fail("bob", Home, 1);
        Assert.NotEqual(TimeSpan.Zero, WaitOf("bob", Home));
    }

    [Fact]
    public void Attempts_under_way_count_and_are_taken_back_without_a_verdict()
    {
        var attempts = Enumerable.Range(0, 3).Select(i => throttle.TryBegin("ada", Home, out _)).ToList();
        Assert.All(attempts, Assert.NotNull);
        Assert.NotEqual(TimeSpan.Zero, WaitOf("ada", Home));
        attempts[0]!.Dispose();
        attempts[0]!.Dispose();
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", Home));
        Fail("ada", Home, 1);
        Assert.NotEqual(TimeSpan.Zero, WaitOf("ada", Home));
    }

    [Fact]
    public void Failures_are_forgotten_after_the_longest_wait()
    {
        Fail("ada", Home, 2);
        clock.Advance(TimeSpan.FromSeconds(900));
        Fail("ada", Home, 2);
        Assert.Equal(TimeSpan.Zero, WaitOf("ada", Home));
    }

    // Goal: of many guesses at once no more pass than one after the other. Method: a hundred from many threads.
    [Fact]
    public async Task Many_at_once_gain_nothing()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(
            () => throttle.TryBegin("ada", IPAddress.Parse($"198.51.100.{i}"), out _))));
        Assert.Equal(3, all.Count(attempt => attempt is not null));
    }

    private void Fail(string email, IPAddress address, int times)
    {
        for (var i = 0; i < times; i++)
        {
            throttle.TryBegin(email, address, out _)!.Fail();
        }
    }

    private void Succeed(string email, IPAddress address) => throttle.TryBegin(email, address, out _)!.Succeed();

    private TimeSpan WaitOf(string? email, IPAddress? address)
    {
        using var attempt = throttle.TryBegin(email, address, out var wait);
        return wait;
    }
}
