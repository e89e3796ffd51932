using System.Net;
using Floodgate.Payment.Results.Webhooks;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Floodgate.Tests.Payment.Results.Webhooks;

// Goal: signatures, schedule and addresses are as the specification and the page for merchants say. Method: the
// published example, tables, and a property for the schedule.
public sealed class WebhookRulesTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // Goal: the libraries that merchants use verify what is sent. Method: the example of their own tests; the test's
    // receiver, which is a second implementation, agrees.
    [Fact]
    public void The_published_example_is_signed_as_published()
    {
        const string body = """{"test": 2432232314}""";
        var signature = WebhookSignature.Of(
            [Secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}"u8);
        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signature);

        var received = new Received("/", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, signature, body);
        Assert.True(received.IsSignedBy(Secret));
        Assert.False(received.IsSignedBy(WebhookSignature.NewSecret()));
        Assert.False((received with { Body = body + " " }).IsSignedBy(Secret));
        Assert.False((received with { Timestamp = 1_614_265_331 }).IsSignedBy(Secret));
    }

    [Fact]
    public void A_new_secret_is_another_each_time_and_long_enough()
    {
        var secrets = Enumerable.Range(0, 100).Select(_ => WebhookSignature.NewSecret()).ToList();
        Assert.Equal(100, secrets.Distinct().Count());
        Assert.All(secrets, secret => Assert.Equal(32, Convert.FromBase64String(secret["whsec_".Length..]).Length));
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 5 * 60)]
    [InlineData(3, 30 * 60)]
    [InlineData(4, 2 * 3_600)]
    [InlineData(5, 5 * 3_600)]
    [InlineData(6, 10 * 3_600)]
    [InlineData(7, 14 * 3_600)]
    [InlineData(8, 20 * 3_600)]
    [InlineData(9, 24 * 3_600)]
    public void A_failed_try_is_followed_by_the_next_of_the_schedule(int attempts, int seconds)
    {
        PostResult[] failures = [new(500, null), new(302, null), new(404, null), new(null, "timed_out")];
        foreach (var result in failures)
        {
            Assert.Equal(
                new DeliveryStep(DeliveryState.Pending, 1_000 + (seconds * 1_000L)),
                RetrySchedule.After(attempts, result, 1_000, 0));
        }
    }

    [Fact]
    public void Success_ends_it_and_so_do_410_and_the_tenth_failure()
    {
        Assert.Equal(DeliveryState.Delivered, RetrySchedule.After(1, new(200, null), 0, 0).State);
        Assert.Equal(DeliveryState.Delivered, RetrySchedule.After(10, new(299, null), 0, 0).State);
        Assert.Equal(DeliveryState.Pending, RetrySchedule.After(1, new(300, null), 0, 0).State);
        Assert.Equal(DeliveryState.Failed, RetrySchedule.After(1, new(410, null), 0, 0).State);
        Assert.Equal(DeliveryState.Failed, RetrySchedule.After(10, new(500, null), 0, 0).State);
    }

    // Goal: no try ever comes before its time, none more than a tenth late unless the receiver asks. Method: random
    // tries, chances and Retry-After.
    [Fact]
    public void A_try_is_never_early_and_late_by_a_tenth_at_most()
    {
        var cases =
            from attempts in Gen.Choose(1, 9)
            from chance in Gen.Choose(0, 999)
            from after in Gen.Choose(-10, 200_000)
            select (attempts, chance: chance / 1_000.0, after);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var delayMs = RetrySchedule.Delays[c.attempts].TotalMilliseconds;
            var plain = RetrySchedule.After(c.attempts, new(503, null), 0, c.chance).DueMs;
            Assert.InRange(plain, delayMs, delayMs * 1.1);
            var asked = RetrySchedule.After(
                c.attempts, new(503, null, TimeSpan.FromSeconds(c.after)), 0, c.chance).DueMs;
            Assert.Equal(c.after < 86_400 ? Math.Max(plain, c.after * 1_000L) : plain, asked);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("1.1.1.1", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.255.255.254", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.0.0.8", false)]
    [InlineData("192.168.1.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2001::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("ff02::1", false)]
    public void Only_addresses_of_the_public_internet_are_called(string address, bool isPublic) =>
        Assert.Equal(isPublic, WebhookAddresses.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData("https://shop.example.com/hook?a=b", null)]
    [InlineData("HTTPS://Shop.Example.com", null)]
    [InlineData("https://93.184.216.34/", null)]
    [InlineData("http://shop.example.com/", "https")]
    [InlineData("ftp://shop.example.com/", "https")]
    [InlineData("/hook", "absolute")]
    [InlineData("hook", "absolute")]
    [InlineData("https:///hook", "absolute")]
    [InlineData("https://me:secret@shop.example.com/", "user name")]
    [InlineData("https://shop.example.com/#part", "fragment")]
    [InlineData("https://shop.example.com:8443/", "port 8443")]
    [InlineData("https://127.0.0.1/", "public")]
    [InlineData("https://2130706433/", "public")]
    [InlineData("https://0x7f.1/", "public")]
    [InlineData("https://[::1]/", "public")]
    [InlineData("https://[::ffff:10.0.0.1]/", "public")]
    [InlineData("https://169.254.169.254/latest/meta-data", "public")]
    public void A_URL_that_cannot_be_called_is_refused_with_why(string url, string? why)
    {
        var settings = new WebhooksSettings(Ports: new HashSet<int> { 443 });
        var made = WebhookAddresses.Check(url, settings, out var fault);
        Assert.Equal(why is null, made is not null);
        Assert.Contains(why ?? "", fault ?? "", StringComparison.Ordinal);
    }
}
